#include "base/utf8.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace jarip {
namespace {

// What a lead byte promises: the character's length and the range of its second byte, which is
// where overlong forms, surrogates and values past U+10FFFF are kept out (Unicode table 3-7).
struct Lead {
  std::uint8_t length = 0;  // 0: not a lead byte
  std::uint8_t second_min = 0x80;
  std::uint8_t second_max = 0xBF;
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {0};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

std::uint8_t byte_at(std::string_view text, std::size_t i) {
  return static_cast<std::uint8_t>(text[i]);
}

// Bytes of ASCII at the start of text, found eight at a time.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (i < text.size() && byte_at(text, i) < 0x80) ++i;
  return i;
}

// Appends text's characters and a U+FFFD for each invalid unit, up to an incomplete character at
// the end; returns how many bytes were used.
std::size_t append_repaired(std::string& out, std::string_view text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const std::size_t n_valid = valid_utf8_prefix(text.substr(done));
    out.append(text.substr(done, n_valid));
    done += n_valid;
    if (done == text.size()) break;
    const Utf8Unit unit = decode_utf8(text.substr(done));
    if (unit.kind == Utf8Kind::kIncomplete) break;
    out.append(kReplacementUtf8);
    done += unit.length;
  }
  return done;
}

}  // namespace

Utf8Unit decode_utf8(std::string_view text) {
  const std::uint8_t first = byte_at(text, 0);
  const Lead lead = lead_of(first);
  if (lead.length == 0) return {Utf8Kind::kInvalid, 1, kReplacementCharacter};
  if (lead.length == 1) return {Utf8Kind::kCharacter, 1, first};
  char32_t code_point = first & (0x7FU >> lead.length);
  for (std::uint8_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {Utf8Kind::kIncomplete, i, kReplacementCharacter};
    const std::uint8_t byte = byte_at(text, i);
    const std::uint8_t min = i == 1 ? lead.second_min : 0x80;
    const std::uint8_t max = i == 1 ? lead.second_max : 0xBF;
    if (byte < min || byte > max) return {Utf8Kind::kInvalid, i, kReplacementCharacter};
    code_point = (code_point << 6U) | (byte & 0x3FU);
  }
  return {Utf8Kind::kCharacter, lead.length, code_point};
}

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t done = 0;
  while (true) {
    done += ascii_prefix(text.substr(done));
    if (done == text.size()) return done;
    const Utf8Unit unit = decode_utf8(text.substr(done));
    if (unit.kind != Utf8Kind::kCharacter) return done;
    done += unit.length;
  }
}

bool is_valid_utf8(std::string_view text) { return valid_utf8_prefix(text) == text.size(); }

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::size_t whole_utf8_prefix(std::string_view text) {
  // An incomplete character is a lead byte and up to two continuation bytes.
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::size_t start = text.size() - back;
    if ((byte_at(text, start) & 0xC0U) == 0x80) continue;
    const Utf8Unit unit = decode_utf8(text.substr(start));
    return unit.kind == Utf8Kind::kIncomplete ? start : text.size();
  }
  return text.size();
}

std::string replace_invalid(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (append_repaired(out, text) < text.size()) out.append(kReplacementUtf8);
  return out;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto tail = [code_point](unsigned shift) {
    return static_cast<char>(0x80U | ((code_point >> shift) & 0x3FU));
  };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0U | (code_point >> 6U));
    out += tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0U | (code_point >> 12U));
    out += tail(6);
    out += tail(0);
  } else {
    out += static_cast<char>(0xF0U | (code_point >> 18U));
    out += tail(12);
    out += tail(6);
    out += tail(0);
  }
}

void Utf8Stream::feed(std::string_view bytes) {
  // A waiting character is completed or refuted byte by byte; the rest needs no copy.
  while (!pending_.empty() && !bytes.empty()) {
    pending_ += bytes.front();
    bytes.remove_prefix(1);
    pending_.erase(0, append_repaired(ready_, pending_));
  }
  pending_.append(bytes.substr(append_repaired(ready_, bytes)));
}

std::string Utf8Stream::take() { return std::exchange(ready_, {}); }

std::string Utf8Stream::finish() {
  if (!pending_.empty()) ready_.append(kReplacementUtf8);
  pending_.clear();
  return take();
}

}  // namespace jarip
