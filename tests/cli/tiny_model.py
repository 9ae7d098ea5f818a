"""Small GGUF files of the llama family, whole or wrong in one place. Their weights are noise."""

import gguf
import numpy

N_LAYERS, WIDTH, N_HEADS, N_KV_HEADS, N_FF, N_CTX = 2, 64, 4, 2, 128, 256
CONTROL_TOKENS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def byte_tokens():
    """The 256 tokens of one byte each, written as GPT-2's vocabulary writes bytes."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    names = {byte: chr(byte) for byte in plain}
    names.update({byte: chr(0x100 + i) for i, byte in enumerate(others)})
    return [names[byte] for byte in range(256)]


def add_tokenizer(writer, template):
    tokens = [*byte_tokens(), "he", *CONTROL_TOKENS]
    types = [gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * len(CONTROL_TOKENS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(258)
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)


def shapes(n_vocab):
    """Every tensor's shape as numpy has it: rows first."""
    kv_width = WIDTH // N_HEADS * N_KV_HEADS
    yield "token_embd.weight", (n_vocab, WIDTH)
    yield "output_norm.weight", (WIDTH,)
    for layer in range(N_LAYERS):
        for name, shape in {
            "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,),
            "attn_q": (WIDTH, WIDTH), "attn_k": (kv_width, WIDTH), "attn_v": (kv_width, WIDTH),
            "attn_output": (WIDTH, WIDTH), "ffn_gate": (N_FF, WIDTH), "ffn_up": (N_FF, WIDTH),
            "ffn_down": (WIDTH, N_FF),
        }.items():
            yield f"blk.{layer}.{name}.weight", shape


def write(path, family="llama", wrong_shapes=None, wrong_format=None, without=(),
          template=TEMPLATE, seed=1):
    """wrong_shapes: tensor name to shape. wrong_format: the name of a tensor to be written in a
    format that jarip doesn't know. without: tensors left out."""
    random = numpy.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), family)
    writer.add_name("tiny")
    writer.add_block_count(N_LAYERS)
    writer.add_context_length(N_CTX)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // N_HEADS)
    add_tokenizer(writer, template)
    for name, shape in shapes(256 + 1 + len(CONTROL_TOKENS)):
        if name in without:
            continue
        shape = (wrong_shapes or {}).get(name, shape)
        if name == wrong_format:
            n_bytes = int(numpy.prod(shape)) // 256 * 66
            writer.add_tensor(name, numpy.zeros((1, n_bytes), numpy.uint8), raw_shape=(1, n_bytes),
                              raw_dtype=gguf.GGMLQuantizationType.IQ2_XXS)
            continue
        data = random.normal(0, 0.3, shape)
        if "norm" in name:
            data = numpy.ones(shape)
        writer.add_tensor(name, data.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
