#include "cli/tokenize.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "base/utf8.h"
#include "cli/input.h"
#include "cli/open_library.h"
#include "cli/output.h"

namespace jarip {
namespace {

bool is_visible(char32_t code_point) {
  if (code_point == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
      return false;
    default:
      return true;
  }
}

void append_character(std::string& out, std::string_view bytes, char32_t code_point) {
  switch (code_point) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '"':
    case '\\':
      out += '\\';
      break;
    default:
      break;
  }
  if (is_visible(code_point)) {
    out += bytes;
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{{{:X}}}", static_cast<unsigned>(code_point));
  }
}

}  // namespace

std::string quote_bytes(std::string_view bytes) {
  std::string out = "\"";
  while (!bytes.empty()) {
    const Utf8Unit unit = decode_utf8(bytes);
    const std::string_view part = bytes.substr(0, unit.length);
    bytes.remove_prefix(unit.length);
    if (unit.kind == Utf8Kind::kCharacter) {
      append_character(out, part, unit.code_point);
      continue;
    }
    for (const char byte : part) {
      fmt::format_to(std::back_inserter(out), "\\x{:02X}", static_cast<unsigned char>(byte));
    }
  }
  return out + '"';
}

std::vector<TokenId> tokens_of(const Tokenizer& tokenizer, std::string_view text, bool special) {
  if (!special) return tokenizer.encode(text, SpecialTokens::kAsText);
  std::vector<TokenId> ids = tokenizer.encode(text, SpecialTokens::kParse);
  const bool has_bos = !ids.empty() && ids.front() == tokenizer.bos();
  if (tokenizer.add_bos() && !has_bos) ids.insert(ids.begin(), *tokenizer.bos());
  return ids;
}

std::string tokens_as_json(std::span<const TokenId> ids) {
  return fmt::format("[{}]\n", fmt::join(ids, ","));
}

std::string tokens_as_text(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  const auto widest = std::ranges::max_element(ids);
  const std::size_t width = widest == ids.end() ? 0 : fmt::formatted_size("{}", *widest);
  std::string out;
  for (const TokenId id : ids) {
    fmt::format_to(std::back_inserter(out), "{:>{}}  {}\n", id, width,
                   quote_bytes(tokenizer.token_bytes(id)));
  }
  return out;
}

Result<void> run_tokenize(const TokenizeOptions& options) {
  JARIP_TRY(const ModelLibrary library, open_library());
  JARIP_TRY(const auto path, library.resolve(options.model));
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  JARIP_TRY(const Tokenizer tokenizer, Tokenizer::from_gguf(file));
  std::string text;
  if (options.text) {
    text = *options.text;
  } else {
    JARIP_TRY(text, read_standard_input());
  }
  if (!tokenizer.encodes_exactly(text)) {
    log_line(LogLevel::kWarning,
             "the model has no tokens for some bytes of the text; U+FFFD stands in for them");
  }
  const std::vector<TokenId> ids = tokens_of(tokenizer, text, options.special);
  return print(options.json ? tokens_as_json(ids) : tokens_as_text(tokenizer, ids));
}

}  // namespace jarip
