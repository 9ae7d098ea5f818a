// What Python's str methods know about characters: classes and case mappings, full ones included.
// Free functions; run on any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jarip::jinja {

[[nodiscard]] bool is_space(char32_t c);       // str.isspace, str.strip, \s
[[nodiscard]] bool is_line_break(char32_t c);  // str.splitlines
[[nodiscard]] bool is_alpha(char32_t c);
[[nodiscard]] bool is_decimal(char32_t c);
[[nodiscard]] bool is_digit(char32_t c);
[[nodiscard]] bool is_alnum(char32_t c);
[[nodiscard]] bool is_lower(char32_t c);
[[nodiscard]] bool is_upper(char32_t c);
[[nodiscard]] bool is_title(char32_t c);
[[nodiscard]] bool is_case_ignorable(char32_t c);
[[nodiscard]] bool is_printable(char32_t c);  // repr() writes it as it is
[[nodiscard]] bool starts_identifier(char32_t c);
[[nodiscard]] bool continues_identifier(char32_t c);

enum class Case : unsigned char { kUpper, kLower, kTitle };
// Appends the case mapping of c, which may be several characters ("ß" gives "SS").
void append_case(std::string& out, char32_t c, Case to);

[[nodiscard]] bool is_ascii(std::string_view text);
// Characters of a text, as len() counts them; a run of invalid bytes counts as one.
[[nodiscard]] std::size_t count_characters(std::string_view text);
// The byte where the nth character begins, or text.size() past the end.
[[nodiscard]] std::size_t byte_of_character(std::string_view text, std::size_t n);

}  // namespace jarip::jinja
