// One answer's way through a grammar: a function of the tokens taken so far. Owned by a sequence,
// on the engine's thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/grammar.h"

namespace jarip {

class Matcher {
 public:
  // end_tokens: allowed exactly where the answer may end, never as text; each < n_vocab.
  Matcher(std::shared_ptr<const Grammar> grammar, std::span<const std::uint32_t> end_tokens);

  [[nodiscard]] bool may_end() const { return position_.at_bottom; }
  // Nothing can follow.
  [[nodiscard]] bool must_end() const { return position_.tops.empty(); }

  // A bit for each token that may come next. Valid until the next call. Errors: kUnsupported (no
  // token can come, or telling takes too much work).
  [[nodiscard]] Result<std::span<const std::uint64_t>> mask();

  // False, and nothing changed, when it isn't allowed. An end token changes nothing.
  [[nodiscard]] bool take(std::uint32_t token);
  [[nodiscard]] bool take_bytes(std::string_view bytes);

 private:
  // Masks of the last positions: in a string, one comes again and again.
  struct Remembered {
    Position position;
    MaskWords words;
  };

  void tidy();

  std::shared_ptr<const Grammar> grammar_;
  std::vector<std::uint32_t> end_tokens_;
  Stacks stacks_;
  Position position_;
  std::size_t tidy_at_;  // frames
  std::array<Remembered, 4> remembered_;
  std::size_t n_remembered_ = 0;  // ever
};

}  // namespace jarip
