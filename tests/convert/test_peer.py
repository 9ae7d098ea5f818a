"""llama.cpp reads the converted files, and its next-token distributions are jarip's."""

import families
import folders
import pytest

# llama.cpp knows windows of the one at one depth only, which a small model hasn't, and multiplies
# blocks of the other in whole numbers.
CHANGES = {"Exaone4": {"sliding_window": None, "sliding_window_pattern": None},
           "GptOss": {"quantization_config": None}}


@pytest.fixture(scope="session")
def peer():
    return families.prepare_peer()


@pytest.mark.parametrize("name", folders.CONFIGS)
def test_llama_cpp_says_the_same(name, peer, convert, tmp_path):
    llama, peer_logits = peer
    tensors = folders.in_full(folders.tensors_of(name, folders.config_of(name)))
    model = convert(folders.write_folder(tmp_path / "m", name, tensors, **CHANGES.get(name, {})))
    prompts = [[i % 290 for i in window] for window in families.windows((90, 40, 5))]
    ours = families.dump(families.logits_dump(), prompts, tmp_path / "ours", model, "optimized",
                         ())
    theirs = families.dump(peer_logits, prompts, tmp_path / "peer", model, (llama.binaries, "1"))
    found = families.compare(theirs, ours, families.next_tokens_of(prompts))
    print(f"{name}: mean KL {found.mean_kl:.1e}")
    assert found.mean_kl < families.HIGHEST_MEAN_KL
