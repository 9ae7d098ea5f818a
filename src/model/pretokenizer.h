// Cuts text into the pieces that byte-pair merges never cross, as each model family does it.
// Immutable after create(); usable from any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"

// PCRE2's own types, declared here so that its header stays in the .cpp.
struct pcre2_real_code_8;
struct pcre2_real_match_context_8;
struct pcre2_real_match_data_8;

namespace jarip {

class Pretokenizer {
 public:
  // name: the model file's tokenizer.ggml.pre. Errors: kUnsupported, listing what is supported.
  [[nodiscard]] static Result<Pretokenizer> create(std::string_view name);

  // A piece that is a token's text whole is that token, whatever the merges say.
  [[nodiscard]] bool ignores_merges() const { return ignores_merges_; }

 private:
  friend class PieceCursor;
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };
  struct FreeContext {
    void operator()(pcre2_real_match_context_8* context) const;
  };
  Pretokenizer() = default;

  std::unique_ptr<pcre2_real_code_8, FreeCode> code_;
  std::unique_ptr<pcre2_real_match_context_8, FreeContext> limits_;
  bool ignores_merges_ = false;
};

// Whether the family of this name puts BOS before text when the file doesn't say.
[[nodiscard]] bool pretokenizer_adds_bos(std::string_view name);

// Walks over the pieces of one text; both must outlive it. Belongs to one thread. The pieces joined
// are the text, byte for byte: a run of invalid UTF-8 is a piece of its own.
class PieceCursor {
 public:
  PieceCursor(const Pretokenizer& pretokenizer, std::string_view text);

  // The next piece; empty at the end and only there.
  [[nodiscard]] std::string_view next();

 private:
  struct FreeMatch {
    void operator()(pcre2_real_match_data_8* match) const;
  };
  std::string_view take(std::size_t end);

  const Pretokenizer& pretokenizer_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t valid_end_ = 0;  // text_[at_, valid_end_) is valid UTF-8
  std::unique_ptr<pcre2_real_match_data_8, FreeMatch> match_;
};

}  // namespace jarip
