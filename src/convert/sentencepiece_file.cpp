// SentencePiece's .model files: the fields of its protobuf message that make tokens. Source:
// google/sentencepiece, src/sentencepiece_model.proto; the encoding: protobuf.dev, "Encoding".
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>

#include "base/utf8.h"
#include "convert/hub_vocabulary.h"

namespace jarip {
namespace {

constexpr std::uint64_t kMaxFileBytes = 1U << 28U;

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::kCorrupt, fmt::format("tokenizer.model {}", what), "tokenizer.model");
}

// The fields of one protobuf message, one after the other.
class MessageReader {
 public:
  struct Field {
    std::uint32_t number = 0;
    std::uint32_t kind = 0;
    std::uint64_t value = 0;           // of numbers
    std::span<const std::byte> bytes;  // of strings and messages
  };

  explicit MessageReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  Result<Field> next() {
    Field field;
    JARIP_TRY(const std::uint64_t tag, varint());
    if (tag >> 3U == 0 || tag >> 32U != 0) return corrupt("has a field without a number");
    field.number = static_cast<std::uint32_t>(tag >> 3U);
    field.kind = static_cast<std::uint32_t>(tag & 7U);
    switch (field.kind) {
      case 0: {
        JARIP_TRY(field.value, varint());
        return field;
      }
      case 1:
        JARIP_CHECK(take(8, field));
        std::memcpy(&field.value, field.bytes.data(), 8);
        return field;
      case 2: {
        JARIP_TRY(const std::uint64_t n, varint());
        JARIP_CHECK(take(n, field));
        return field;
      }
      case 5:
        JARIP_CHECK(take(4, field));
        std::memcpy(&field.value, field.bytes.data(), 4);
        return field;
      default:
        return corrupt(fmt::format("has a field of kind {}", field.kind));
    }
  }

 private:
  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return corrupt("ends within a number");
      const auto byte = std::to_integer<std::uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      value |= (byte & 0x7FU) << shift;
      if (byte < 0x80U) return value;
    }
    return corrupt("has a number of too many bytes");
  }

  Result<void> take(std::uint64_t n, Field& field) {
    if (n > rest_.size()) {
      return corrupt(fmt::format("has a field of {} bytes where {} are left", n, rest_.size()));
    }
    field.bytes = rest_.first(n);
    rest_ = rest_.subspan(n);
    return {};
  }

  std::span<const std::byte> rest_;
};

// What of the trainer's and the normalizer's settings matters, with SentencePiece's own defaults.
struct Settings {
  std::uint64_t model_type = 1;  // 1 unigram, 2 BPE, 3 words, 4 characters
  bool adds_prefix = true;
  bool joins_spaces = true;
  bool escapes_spaces = true;
  std::span<const std::byte> charsmap;
};

Result<void> add_piece(std::span<const std::byte> message, HubVocabulary& out) {
  std::string_view text;
  float score = 0;
  std::uint64_t type = 1;
  for (MessageReader reader(message); !reader.at_end();) {
    JARIP_TRY(const auto field, reader.next());
    if (field.number == 1 && field.kind == 2) {
      text = {reinterpret_cast<const char*>(field.bytes.data()), field.bytes.size()};
    } else if (field.number == 2 && field.kind == 5) {
      score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    } else if (field.number == 3 && field.kind == 0) {
      type = field.value;
    }
  }
  if (type < 1 || type > 6) {
    return corrupt(fmt::format("has piece {} of type {}", out.tokens.size(), type));
  }
  if (!is_valid_utf8(text)) {
    return corrupt(fmt::format("has piece {} that isn't UTF-8", out.tokens.size()));
  }
  const auto id = static_cast<TokenId>(out.tokens.size());
  JARIP_CHECK(out.put(id, text, static_cast<TokenType>(type)));
  out.scores.push_back(score);
  if (type == static_cast<std::uint64_t>(TokenType::kUnknown)) out.unknown = id;
  return {};
}

Result<void> read_normalizer(std::span<const std::byte> message, Settings& settings) {
  for (MessageReader reader(message); !reader.at_end();) {
    JARIP_TRY(const auto field, reader.next());
    if (field.number == 2 && field.kind == 2) settings.charsmap = field.bytes;
    if (field.kind != 0) continue;
    if (field.number == 3) settings.adds_prefix = field.value != 0;
    if (field.number == 4) settings.joins_spaces = field.value != 0;
    if (field.number == 5) settings.escapes_spaces = field.value != 0;
  }
  return {};
}

Result<void> read_trainer(std::span<const std::byte> message, Settings& settings) {
  for (MessageReader reader(message); !reader.at_end();) {
    JARIP_TRY(const auto field, reader.next());
    if (field.number == 3 && field.kind == 0) settings.model_type = field.value;
    if (field.number == 24 && field.kind == 0 && field.value != 0) {
      return fail(ErrorCode::kUnsupported,
                  "tokenizer.model puts spaces behind words, which can't be honoured here",
                  "tokenizer.model");
    }
  }
  return {};
}

// BPE as llama's kind takes text as it is; what its file would do to it can't be honoured.
Result<void> apply(const Settings& settings, HubVocabulary& out) {
  const auto unsupported = [](std::string_view what) {
    return fail(ErrorCode::kUnsupported, fmt::format("tokenizer.model {}", what),
                "tokenizer.model");
  };
  if (!settings.escapes_spaces) return unsupported("doesn't write spaces as marks");
  out.add_space_prefix = settings.adds_prefix;
  if (settings.model_type == 1) {
    out.model = "t5";
    out.remove_extra_whitespaces = settings.joins_spaces;
    out.charsmap.assign(settings.charsmap.begin(), settings.charsmap.end());
    return {};
  }
  if (settings.model_type != 2) {
    return unsupported(fmt::format("is of type {}; unigram (1) and BPE (2) can be converted",
                                   settings.model_type));
  }
  if (!settings.charsmap.empty()) return unsupported("changes characters before it merges them");
  if (settings.joins_spaces) return unsupported("joins spaces before it merges them");
  out.model = "llama";
  return {};
}

}  // namespace

Result<HubVocabulary> read_sentencepiece(std::span<const std::byte> bytes) {
  if (bytes.size() > kMaxFileBytes) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("tokenizer.model has more than {} bytes", kMaxFileBytes));
  }
  HubVocabulary out;
  Settings settings;
  for (MessageReader reader(bytes); !reader.at_end();) {
    JARIP_TRY(const auto field, reader.next());
    if (field.kind != 2) continue;
    if (field.number == 1) JARIP_CHECK(add_piece(field.bytes, out));
    if (field.number == 2) JARIP_CHECK(read_trainer(field.bytes, settings));
    if (field.number == 3) JARIP_CHECK(read_normalizer(field.bytes, settings));
  }
  if (out.tokens.empty()) return corrupt("has no tokens; is it a SentencePiece file?");
  JARIP_CHECK(apply(settings, out));
  return out;
}

}  // namespace jarip
