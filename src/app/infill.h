// Text for a gap: the tokens by which a model that was trained for it is told what stands before
// and after. Free functions; any thread.
#pragma once

#include <optional>
#include <vector>

#include "app/turn.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

namespace jarip {

struct InfillTokens {
  TokenId prefix = 0;
  TokenId suffix = 0;
  TokenId middle = 0;
  std::optional<TokenId> repository;  // before a project's name
  std::optional<TokenId> file;        // before a file's name; with `repository` or not at all
  std::vector<TokenId> ends;          // end an answer too: another file's beginning, padding
};

// By the file's own keys, or by the names that families use; nullopt: the model knows no gaps.
[[nodiscard]] std::optional<InfillTokens> find_infill_tokens(const GgufFile& file,
                                                             const Tokenizer& tokenizer);

[[nodiscard]] std::vector<TokenId> encode_infill(const Infill& infill, const InfillTokens& tokens,
                                                 const Tokenizer& tokenizer);

}  // namespace jarip
