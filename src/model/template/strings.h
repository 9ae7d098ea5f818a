// Python's str operations on Text, byte origins kept. Each charges what it reads and makes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/template/budget.h"
#include "model/template/text.h"

namespace jarip::jinja {

enum class Side : std::uint8_t { kLeft, kRight, kBoth };

// chars: the characters to strip; whitespace if absent.
[[nodiscard]] Result<Text> strip(Budget& budget, const Text& text, Side side,
                                 std::optional<std::string_view> chars);

// separator: absent for runs of whitespace; otherwise not empty. limit: negative for no limit.
[[nodiscard]] Result<std::vector<Text>> split(Budget& budget, const Text& text,
                                              std::optional<std::string_view> separator,
                                              std::int64_t limit);
[[nodiscard]] Result<std::vector<Text>> split_right(Budget& budget, const Text& text,
                                                    std::optional<std::string_view> separator,
                                                    std::int64_t limit);
[[nodiscard]] Result<std::vector<Text>> split_lines(Budget& budget, const Text& text,
                                                    bool keep_ends);

// limit: negative for all.
[[nodiscard]] Result<Text> replace(Budget& budget, const Text& text, std::string_view old,
                                   const Text& replacement, std::int64_t limit);

enum class CaseChange : std::uint8_t { kUpper, kLower, kTitle, kCapitalize, kSwap };
[[nodiscard]] Result<Text> change_case(Budget& budget, const Text& text, CaseChange change);

[[nodiscard]] Result<Text> repeat(Budget& budget, const Text& text, std::int64_t count);

// Padded with fill (one character) to width characters; kBoth centers.
[[nodiscard]] Result<Text> justify(Budget& budget, const Text& text, Side text_side,
                                   std::int64_t width, const Text& fill);

// & < > " ' as HTML entities.
[[nodiscard]] Result<Text> escape_html(Budget& budget, const Text& text);

// The characters of a text, each as its own.
[[nodiscard]] Result<std::vector<Text>> characters(Budget& budget, const Text& text);

}  // namespace jarip::jinja
