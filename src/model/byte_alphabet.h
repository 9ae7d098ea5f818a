// The printable alphabet in which byte-level vocabularies write bytes: each byte is one character,
// itself where it is printable Latin-1 and one from U+0100 on where not ("Ġ" is a space).
#pragma once

#include <string>
#include <string_view>

namespace jarip {

// Appends the bytes that the text writes. False, and out is as it was, if a character of it is not
// of the alphabet.
[[nodiscard]] bool append_alphabet_bytes(std::string& out, std::string_view text);

// Appends how the alphabet writes the bytes.
void append_in_alphabet(std::string& out, std::string_view bytes);

}  // namespace jarip
