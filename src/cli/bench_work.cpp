#include "cli/bench_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <string>

#include "engine/engine.h"

namespace jarip {
namespace {

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view kSpace = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kSpace));
  line.remove_prefix(word.size());
  return word;
}

std::optional<std::uint32_t> to_number(std::string_view word, std::uint32_t least,
                                       std::uint32_t most) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  if (number < least || number > most) return std::nullopt;
  return number;
}

struct Field {
  std::string_view name;
  std::uint32_t least;
  std::uint32_t most;
  std::uint32_t& value;
};

}  // namespace

Result<BenchItem> parse_bench_item(std::string_view line) {
  BenchItem item;
  const Field fields[] = {{"prefill", 1, BenchLimits::kMaxTokens, item.n_tokens},
                          {"decode", 1, BenchLimits::kMaxTokens, item.n_tokens},
                          {"batch", 1, BenchLimits::kMaxBatch, item.batch},
                          {"depth", 0, BenchLimits::kMaxTokens, item.depth}};
  const std::string whole(line);
  for (std::string_view name = take_word(line); !name.empty(); name = take_word(line)) {
    const auto* field = std::ranges::find(fields, name, &Field::name);
    const std::string_view word = take_word(line);
    const bool is_known = field != std::end(fields);
    const auto number = is_known ? to_number(word, field->least, field->most) : std::nullopt;
    if (!number) {
      return fail(ErrorCode::kInvalidArgument,
                  is_known
                      ? fmt::format("{} is \"{}\", but must be a whole number from {} to {}", name,
                                    word, field->least, field->most)
                      : fmt::format("\"{}\" is none of prefill, decode, batch and depth", name),
                  std::string(name));
    }
    field->value = *number;
    if (name == "decode") item.kind = BenchKind::kDecode;
  }
  if (item.n_tokens == 0) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" asks for neither prefill nor decode", whole), "prefill");
  }
  return item;
}

Result<void> BenchWork::prepare(const BenchItem& item) {
  JARIP_CHECK(make_room(item.depth + item.n_tokens, item.batch));
  if (n_read_ < item.depth) read(n_read_, item.depth, 0);
  return {};
}

Result<void> BenchWork::make_room(std::uint32_t n_tokens, std::uint32_t batch) {
  if (batch == batch_ && n_tokens <= n_room_) return {};
  const std::uint32_t pages_each = (n_tokens + kKvPageTokens - 1) / kKvPageTokens;
  const std::uint32_t n_pages = pages_each * batch;
  memory_ = {};
  n_room_ = 0;
  n_read_ = 0;
  JARIP_TRY(memory_, AlignedBuffer::allocate(std::uint64_t{n_pages} * model_.kv_page_bytes()));
  JARIP_TRY(states_, AlignedBuffer::allocate(std::uint64_t{batch} * model_.state_bytes()));
  kv_ = {.base = memory_.data(),
         .page_bytes = model_.kv_page_bytes(),
         .n_pages = n_pages,
         .states = states_.data(),
         .state_bytes = model_.state_bytes()};
  batch_ = batch;
  n_room_ = pages_each * kKvPageTokens;
  logits_.resize(std::size_t{batch} * model_.config().n_vocab);
  pages_.clear();
  for (std::uint32_t i = 0; i < n_pages; ++i) pages_.push_back(i);
  tokens_.clear();
  for (std::uint64_t i = 0; i < n_room_; ++i) {
    tokens_.push_back(static_cast<TokenId>(i * 7919 % model_.config().n_vocab));
  }
  return {};
}

void BenchWork::run(const BenchItem& item) {
  const std::uint32_t end = item.depth + item.n_tokens;
  if (item.kind == BenchKind::kPrefill) return read(item.depth, end, 1);
  for (std::uint32_t i = item.depth; i < end; ++i) feed(i, i + 1, 1);
}

// In steps as large as the engine's, the last of them with logits.
void BenchWork::read(std::uint32_t begin, std::uint32_t end, std::uint32_t n_logits) {
  const std::uint32_t step = std::max(1U, EngineOptions().max_step_tokens / batch_);
  while (begin < end) {
    const std::uint32_t next = std::min(end, begin + step);
    feed(begin, next, next == end ? n_logits : 0);
    begin = next;
  }
}

// Tokens [begin, end) of every sequence, n_logits wanted after each.
void BenchWork::feed(std::uint32_t begin, std::uint32_t end, std::uint32_t n_logits) {
  chunks_.clear();
  const std::span pages(pages_);
  const std::size_t pages_each = pages_.size() / batch_;
  for (std::uint32_t i = 0; i < batch_; ++i) {
    chunks_.push_back({.tokens = std::span(tokens_).subspan(begin, end - begin),
                       .position = begin,
                       .pages = pages.subspan(i * pages_each, pages_each),
                       .n_logits = n_logits,
                       .state = i});
  }
  model_.step(chunks_, kv_, std::span(logits_).first(n_logits == 0 ? 0 : logits_.size()));
  n_read_ = std::max(n_read_, end);
}

}  // namespace jarip
