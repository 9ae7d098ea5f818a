// The tokenizer, special tokens and chat template of a Hugging Face folder as a GGUF file's
// metadata. A free function; any thread.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "convert/hub_folder.h"
#include "model/gguf_writer.h"

namespace jarip {

// n_vocab: rows of the embedding; ids without a token get one that no text becomes. Errors:
// kNotFound (a folder without a tokenizer), kUnsupported (one that would make other tokens here),
// kCorrupt.
[[nodiscard]] Result<void> convert_tokenizer(const HubFolder& folder, std::uint64_t n_vocab,
                                             GgufWriter& writer);

}  // namespace jarip
