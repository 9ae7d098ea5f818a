#include "model/byte_alphabet.h"

#include <array>
#include <cstdint>
#include <limits>

#include "base/utf8.h"

namespace jarip {
namespace {

constexpr std::size_t kAlphabetEnd = 0x100 + 68;  // 68 bytes are not printable
constexpr std::uint16_t kNotOfAlphabet = std::numeric_limits<std::uint16_t>::max();

constexpr bool is_printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

constexpr std::array<std::uint16_t, kAlphabetEnd> kByteOfCharacter = [] {
  std::array<std::uint16_t, kAlphabetEnd> bytes{};
  bytes.fill(kNotOfAlphabet);
  std::size_t next = 0x100;
  for (std::uint16_t byte = 0; byte < 256; ++byte) {
    bytes[is_printable(byte) ? byte : next++] = byte;
  }
  return bytes;
}();

constexpr std::array<std::uint16_t, 256> kCharacterOfByte = [] {
  std::array<std::uint16_t, 256> characters{};
  for (std::uint16_t character = 0; character < kAlphabetEnd; ++character) {
    const std::uint16_t byte = kByteOfCharacter[character];
    if (byte != kNotOfAlphabet) characters[byte] = character;
  }
  return characters;
}();

}  // namespace

bool append_alphabet_bytes(std::string& out, std::string_view text) {
  const std::size_t size_before = out.size();
  while (!text.empty()) {
    const Utf8Unit unit = decode_utf8(text);
    if (unit.kind != Utf8Kind::kCharacter || unit.code_point >= kAlphabetEnd ||
        kByteOfCharacter[unit.code_point] == kNotOfAlphabet) {
      out.resize(size_before);
      return false;
    }
    out += static_cast<char>(kByteOfCharacter[unit.code_point]);
    text.remove_prefix(unit.length);
  }
  return true;
}

void append_in_alphabet(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) {
    append_utf8(out, kCharacterOfByte[static_cast<unsigned char>(byte)]);
  }
}

}  // namespace jarip
