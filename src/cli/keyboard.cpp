#include "cli/keyboard.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"

namespace jarip {
namespace {

constexpr std::string_view kPasteBegin = "\x1b[200~";
constexpr std::string_view kPasteEnd = "\x1b[201~";
constexpr std::size_t kMaxPaste = 1U << 20U;  // what comes after is dropped
constexpr std::size_t kMaxSequence = 32;      // no key's sequence is longer

// What xterm, the Linux console and their descendants send, Escape left out.
constexpr auto kSequences = std::to_array<std::pair<std::string_view, KeyKind>>({
    {"[A", KeyKind::kUp},          {"[B", KeyKind::kDown},         {"[C", KeyKind::kRight},
    {"[D", KeyKind::kLeft},        {"[H", KeyKind::kHome},         {"[F", KeyKind::kEnd},
    {"OA", KeyKind::kUp},          {"OB", KeyKind::kDown},         {"OC", KeyKind::kRight},
    {"OD", KeyKind::kLeft},        {"OH", KeyKind::kHome},         {"OF", KeyKind::kEnd},
    {"[1~", KeyKind::kHome},       {"[4~", KeyKind::kEnd},         {"[7~", KeyKind::kHome},
    {"[8~", KeyKind::kEnd},        {"[3~", KeyKind::kDelete},      {"[1;5C", KeyKind::kWordRight},
    {"[1;5D", KeyKind::kWordLeft}, {"[1;3C", KeyKind::kWordRight}, {"[1;3D", KeyKind::kWordLeft},
    {"b", KeyKind::kWordLeft},     {"f", KeyKind::kWordRight},     {"\r", KeyKind::kNewline},
    {"\n", KeyKind::kNewline},     {"\x7f", KeyKind::kKillWord},
});

constexpr auto kControls = std::to_array<std::pair<char, KeyKind>>({
    {'\x01', KeyKind::kHome},
    {'\x02', KeyKind::kLeft},
    {'\x03', KeyKind::kInterrupt},
    {'\x04', KeyKind::kEndOfInput},
    {'\x05', KeyKind::kEnd},
    {'\x06', KeyKind::kRight},
    {'\x08', KeyKind::kBackspace},
    {'\x0a', KeyKind::kNewline},
    {'\x0b', KeyKind::kKillToEnd},
    {'\x0c', KeyKind::kClear},
    {'\x0d', KeyKind::kEnter},
    {'\x0e', KeyKind::kDown},
    {'\x10', KeyKind::kUp},
    {'\x15', KeyKind::kKillToStart},
    {'\x17', KeyKind::kKillWord},
    {'\x1a', KeyKind::kSuspend},
    {'\x7f', KeyKind::kBackspace},
});

// Pasted text with one kind of line end and no other control characters.
std::string clean_paste(std::string_view text) {
  std::string clean;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r') {
      if (i + 1 >= text.size() || text[i + 1] != '\n') clean += '\n';
    } else if (c == '\n' || c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7f')) {
      clean += c;
    }
  }
  return replace_invalid(clean);
}

// Length of a control sequence (CSI or SS3, Escape left out), 0 when it isn't all there yet.
std::size_t sequence_length(std::string_view text) {
  if (text[0] == 'O') return text.size() >= 2 ? 2 : 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] >= '@' && text[i] <= '~') return i + 1;
  }
  return text.size() >= kMaxSequence ? text.size() : 0;
}

}  // namespace

std::optional<Key> KeyReader::next() {
  if (in_paste_) return take_paste();
  if (bytes_.empty()) return std::nullopt;
  if (bytes_[0] == '\x1b') return take_escape();
  return take_character();
}

void KeyReader::give_up_sequence() {
  if (!in_paste_) bytes_.clear();
}

std::optional<Key> KeyReader::take_paste() {
  const std::size_t end = bytes_.find(kPasteEnd);
  // The last bytes may be the beginning of the end mark.
  const std::size_t n = end != std::string::npos           ? end
                        : bytes_.size() < kPasteEnd.size() ? 0
                                                           : bytes_.size() - (kPasteEnd.size() - 1);
  paste_.append(bytes_, 0, std::min(n, kMaxPaste - paste_.size()));
  bytes_.erase(0, end == std::string::npos ? n : n + kPasteEnd.size());
  if (end == std::string::npos) return std::nullopt;
  in_paste_ = false;
  return Key{.kind = KeyKind::kText, .text = clean_paste(std::exchange(paste_, {}))};
}

std::optional<Key> KeyReader::take_escape() {
  if (bytes_.size() < 2) return std::nullopt;
  const std::string_view after = std::string_view(bytes_).substr(1);
  std::size_t length = 1;
  if (after[0] == '[' || after[0] == 'O') {
    length = sequence_length(after);
    if (length == 0) return std::nullopt;
  }
  const std::string sequence(after.substr(0, length));
  bytes_.erase(0, 1 + length);
  if ("\x1b" + sequence == kPasteBegin) {
    in_paste_ = true;
    return take_paste();
  }
  const auto* const found =
      std::ranges::find(kSequences, sequence, &std::pair<std::string_view, KeyKind>::first);
  return Key{.kind = found == kSequences.end() ? KeyKind::kUnknown : found->second, .text = {}};
}

std::optional<Key> KeyReader::take_character() {
  const auto* const control =
      std::ranges::find(kControls, bytes_[0], &std::pair<char, KeyKind>::first);
  const bool is_control = static_cast<unsigned char>(bytes_[0]) < 0x20 || bytes_[0] == '\x7f';
  if (is_control) {
    bytes_.erase(0, 1);
    return Key{.kind = control == kControls.end() ? KeyKind::kUnknown : control->second,
               .text = {}};
  }
  const Utf8Unit unit = decode_utf8(bytes_);
  if (unit.kind == Utf8Kind::kIncomplete) return std::nullopt;
  Key key{.kind = KeyKind::kText, .text = bytes_.substr(0, unit.length)};
  bytes_.erase(0, unit.length);
  if (unit.kind == Utf8Kind::kInvalid) key = {.kind = KeyKind::kUnknown, .text = {}};
  return key;
}

}  // namespace jarip
