// Byte-level BPE: a pre-tokenizer cuts the text, merges work on the bytes of each piece.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "model/bpe.h"
#include "model/pretokenizer.h"
#include "model/text_encoder.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

class ByteBpe final : public TextEncoder {
 public:
  ByteBpe(Pretokenizer pretokenizer, BytePairEncoder merger)
      : pretokenizer_(std::move(pretokenizer)), merger_(std::move(merger)) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      is_missing_[byte] = !merger_.has_byte(static_cast<std::uint8_t>(byte));
      has_all_bytes_ = has_all_bytes_ && !is_missing_[byte];
    }
  }

  void encode(std::string_view text, std::vector<TokenId>& out) const override {
    std::string replaced;
    if (!encodes_exactly(text)) text = replaced = replace_missing(text);
    PieceCursor pieces(pretokenizer_, text);
    for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
      merger_.encode(piece, out);
    }
  }

  [[nodiscard]] bool encodes_exactly(std::string_view text) const override {
    return has_all_bytes_ || std::ranges::none_of(text, [&](char byte) {
             return is_missing_[static_cast<std::uint8_t>(byte)];
           });
  }

  [[nodiscard]] TokenId find(std::string_view bytes) const override { return merger_.find(bytes); }

 private:
  [[nodiscard]] std::string replace_missing(std::string_view text) const {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
      const std::string_view unit = text.substr(0, decode_utf8(text).length);
      out.append(encodes_exactly(unit) ? unit : kReplacementUtf8);
      text.remove_prefix(unit.size());
    }
    return out;
  }

  Pretokenizer pretokenizer_;
  BytePairEncoder merger_;
  std::array<bool, 256> is_missing_{};
  bool has_all_bytes_ = true;
};

}  // namespace

Result<std::unique_ptr<const TextEncoder>> make_byte_bpe_encoder(const EncoderParts& parts) {
  if (parts.vocabulary.add_space_prefix.value_or(false)) {
    return refuse_key(ErrorCode::kUnsupported, "tokenizer.ggml.add_space_prefix",
                      "asks for a space before every text, which is not supported");
  }
  JARIP_TRY(Pretokenizer pretokenizer, Pretokenizer::create(parts.vocabulary.pre));
  JARIP_TRY(BytePairEncoder merger,
            BytePairEncoder::build(parts.text_bytes, parts.vocabulary.merges,
                                   pretokenizer.ignores_merges()));
  auto encoder = std::make_unique<ByteBpe>(std::move(pretokenizer), std::move(merger));
  if (!encoder->encodes_exactly(kReplacementUtf8)) {
    return refuse_key(ErrorCode::kCorrupt, kTokensKey,
                      "lacks bytes, those of U+FFFD among them, so that no text could be encoded "
                      "safely");
  }
  return encoder;
}

}  // namespace jarip
