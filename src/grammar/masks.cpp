#include "grammar/masks.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "grammar/token_walk.h"

namespace jarip {
namespace {

constexpr std::size_t kMaxRests = 2048;  // of one entry; more, and a frame more is looked at
constexpr unsigned kMaxFramesOfEntry = 4;
constexpr std::uint64_t kMaxWork = 500'000;           // for one walk, in bytes tried on a stack
constexpr std::uint64_t kMaxMaskWork = 4 * kMaxWork;  // of all walks that one mask needs
constexpr std::size_t kMaxCacheBytes = std::size_t{16} << 20U;
constexpr std::size_t kMaxListed = 256;  // tokens of an entry that aren't kept as bits
constexpr std::size_t kManyStacks = 32;
constexpr unsigned kManyBytes = 24;  // that a state takes: then it takes many tokens too
constexpr std::size_t kPreparedNodes = 30'000'000;  // of the trie, over all prepared entries

std::unexpected<Error> too_much_work() {
  return fail(ErrorCode::kUnsupported,
              "the grammar is too ambiguous here: telling which tokens may come next takes too "
              "much work");
}

// All that the automaton comes to, the nearest first.
std::vector<std::uint32_t> states_by_distance(const Automaton& automaton) {
  std::vector<std::uint32_t> order = {automaton.start};
  std::vector<bool> seen(automaton.states.size(), false);
  seen[automaton.start] = true;
  const auto reach = [&](std::uint32_t state) {
    if (!seen[state]) order.push_back(state);
    seen[state] = true;
  };
  for (std::size_t i = 0; i < order.size(); ++i) {
    const State& state = automaton.states[order[i]];
    for (const ByteEdge& edge : automaton.edges_of(state)) reach(edge.target);
    for (const CallEdge& call : automaton.calls_of(state)) {
      reach(call.start);
      reach(call.target);
    }
  }
  return order;
}

void set_bit(std::span<std::uint64_t> words, std::uint32_t id) {
  words[id / 64] |= std::uint64_t{1} << (id % 64);
}

}  // namespace

// What the frames on top of a stack say about every token.
struct MaskCache::Entry {
  struct Rest {
    std::string_view bytes;    // in the trie
    std::uint32_t shared = 0;  // how many of them begin the rest before as well
    std::uint32_t first = 0;   // of rest_ids
    std::uint32_t n = 0;
  };

  bool has_too_many_rests = false;  // then no tokens are set
  std::uint64_t work = 0;           // that it took: counted again wherever it is used, so that
                                    // what is refused doesn't depend on what is kept
  std::uint32_t deepest = 0;        // frames above the lowest of them that some token takes
  MaskWords words;                  // fitting tokens, or
  std::vector<std::uint32_t> ids;   // the same, where they are few
  std::vector<Rest> rests;          // ascending: tokens that fit if what lies below takes the bytes
  std::vector<std::uint32_t> rest_ids;

  [[nodiscard]] std::size_t n_bytes() const {
    return sizeof(Entry) + words.size() * 8 + (ids.size() + rest_ids.size()) * 4 +
           rests.size() * sizeof(Rest);
  }

  void take_fitting(std::span<const std::uint32_t> fitting, std::size_t n_words) {
    if (fitting.size() <= kMaxListed) {
      ids.assign(fitting.begin(), fitting.end());
      return;
    }
    words.assign(n_words, 0);
    for (const std::uint32_t id : fitting) set_bit(words, id);
  }

  // In ascending order.
  void take_rests(const std::vector<std::pair<std::string_view, std::uint32_t>>& found) {
    for (const auto& [bytes, id] : found) {
      if (rests.empty() || rests.back().bytes != bytes) {
        Rest rest{.bytes = bytes, .first = static_cast<std::uint32_t>(rest_ids.size())};
        if (!rests.empty()) {
          const auto [end, other] = std::ranges::mismatch(bytes, rests.back().bytes);
          rest.shared = static_cast<std::uint32_t>(end - bytes.begin());
        }
        rests.push_back(rest);
      }
      ++rests.back().n;
      rest_ids.push_back(id);
    }
  }
};

MaskCache::MaskCache(const Automaton& automaton, const TokenTrie& trie)
    : automaton_(automaton), trie_(trie) {}

MaskCache::~MaskCache() = default;

std::size_t MaskCache::HashKey::operator()(const std::vector<std::uint32_t>& key) const {
  std::uint64_t hash = key.size();
  for (const std::uint32_t word : key) hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
  return hash ^ (hash >> 32U);
}

Result<void> MaskCache::add_allowed(Stacks& stacks, const Position& position,
                                    std::span<std::uint64_t> words) {
  // Entries know nothing of the limit on stacks.
  if (position.tops.size() > kManyStacks) return add_allowed_exactly(stacks, position, words);
  std::uint64_t work = 0;
  for (const FrameId top : position.tops) {
    JARIP_CHECK(add_allowed_on(stacks, top, words, work));
    if (work > kMaxMaskWork) return too_much_work();
  }
  return {};
}

Result<void> MaskCache::add_allowed_exactly(const Stacks& stacks, const Position& position,
                                            std::span<std::uint64_t> words) const {
  Stacks scratch = stacks;
  TokenWalk walk(scratch, kMaxWork);
  const bool done = walk.run(
      trie_, position, {}, [&](std::uint32_t place) { set_bit(words, trie_.id_at(place)); },
      [](std::uint32_t, std::uint32_t) { return true; });
  if (!done) return too_much_work();
  return {};
}

Result<void> MaskCache::add_allowed_on(Stacks& stacks, FrameId top, std::span<std::uint64_t> words,
                                       std::uint64_t& work) {
  FrameId below = top;
  for (unsigned n_frames = 1; n_frames <= kMaxFramesOfEntry && below != kBottom; ++n_frames) {
    const std::uint32_t depth = stacks.frame(below).depth;
    below = stacks.frame(below).below;
    const std::shared_ptr<const Entry> entry = entry_of(stacks, top, n_frames);
    work += entry->work;
    if (entry->has_too_many_rests) continue;
    if (depth + entry->deepest > kMaxStackDepth) break;  // entries know nothing of the limit
    for (const std::uint32_t id : entry->ids) set_bit(words, id);
    for (std::size_t i = 0; i < entry->words.size(); ++i) words[i] |= entry->words[i];
    if (below == kBottom) return {};
    return add_fitting(stacks, below, *entry, words, work);
  }
  work += kMaxWork;  // at most
  return add_allowed_exactly(stacks, {.tops = {top}}, words);
}

void MaskCache::prepare() {
  std::size_t n_left = 1 + kPreparedNodes / (1 + trie_.nodes().size());
  const std::lock_guard lock(mutex_);
  for (const std::uint32_t s : states_by_distance(automaton_)) {
    if (n_left == 0) return;
    const State& state = automaton_.states[s];
    unsigned n_bytes = 0;
    for (const ByteEdge& edge : automaton_.edges_of(state)) n_bytes += edge.high - edge.low + 1U;
    if (n_bytes < kManyBytes || !automaton_.is_leaf[state.rule]) continue;
    --n_left;
    const Frame frame{.state = s};
    const std::shared_ptr<const Entry> entry = make_leaf_entry(frame);
    if (entry != nullptr) keep({s, count_class(frame)}, entry);
  }
}

void MaskCache::keep(std::vector<std::uint32_t> key, const std::shared_ptr<const Entry>& entry) {
  if (n_bytes_ > kMaxCacheBytes) {
    entries_.clear();
    loops_.clear();
    n_bytes_ = 0;
  }
  n_bytes_ += entry->n_bytes();
  entries_.emplace(std::move(key), entry);
}

std::shared_ptr<const MaskCache::Entry> MaskCache::entry_of(const Stacks& stacks, FrameId top,
                                                            unsigned n_frames) {
  std::vector<std::uint32_t> key;
  FrameId id = top;
  for (unsigned i = 0; i < n_frames; ++i, id = stacks.frame(id).below) {
    key.push_back(stacks.frame(id).state);
    key.push_back(count_class(stacks.frame(id)));
  }
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  std::shared_ptr<const Entry> entry = make_entry(stacks, top, n_frames);
  keep(std::move(key), entry);
  return entry;
}

// Counts of a loop that no token can tell apart: as far from the min and from the max as the
// longest token has bytes, or further.
std::uint32_t MaskCache::count_class(const Frame& frame) const {
  const State& state = automaton_.states[frame.state];
  if (state.loop == kNoLoop) return 0;
  const Loop& loop = automaton_.loops[state.loop];
  const std::uint32_t far = trie_.max_token_bytes() + 1;
  const std::uint32_t to_min = loop.min > frame.count ? loop.min - frame.count : 0;
  const std::uint32_t to_max = loop.max == kUnbounded ? far : loop.max - frame.count;
  return std::min(to_min, far) << 16U | std::min(to_max, far);
}

// A loop's tokens are kept for all its counts.
std::shared_ptr<const MaskCache::Entry> MaskCache::make_leaf_entry(const Frame& frame) {
  const State& state = automaton_.states[frame.state];
  const bool is_loop = state.loop != kNoLoop;
  std::optional<LeafTokens> made;
  const std::optional<LeafTokens>* tokens = &made;
  if (const auto kept = loops_.find(frame.state); kept != loops_.end()) {
    tokens = &kept->second;
  } else {
    made = walk_leaf(automaton_, trie_, frame.state, kMaxRests);
    if (is_loop) {
      if (made) n_bytes_ += made->fitting.size() * sizeof(std::uint32_t);
      tokens = &loops_.emplace(frame.state, std::move(made)).first->second;
    }
  }
  if (!*tokens) return nullptr;
  const std::uint32_t key = is_loop ? count_class(frame) : 0;
  const std::uint32_t least = key >> 16U;
  const std::uint32_t most = is_loop ? key & 0xFFFFU : kUnbounded;
  auto entry = std::make_shared<Entry>();
  const std::vector<std::size_t>& n_within = (*tokens)->n_within;
  const std::size_t n =
      n_within.empty() ? 0 : n_within[std::min<std::size_t>(most, n_within.size() - 1)];
  entry->take_fitting(std::span((*tokens)->fitting).first(n), trie_.n_words());
  std::vector<std::pair<std::string_view, std::uint32_t>> rests;
  for (const LeafTokens::Rest& rest : (*tokens)->rests) {
    if (rest.rounds >= least && rest.rounds <= most) rests.emplace_back(rest.bytes, rest.id);
  }
  entry->take_rests(rests);
  return entry;
}

std::shared_ptr<const MaskCache::Entry> MaskCache::make_entry(const Stacks& stacks, FrameId top,
                                                              unsigned n_frames) {
  if (n_frames == 1 && automaton_.is_leaf[automaton_.states[stacks.frame(top).state].rule]) {
    if (auto entry = make_leaf_entry(stacks.frame(top))) return entry;
  }
  std::vector<Frame> frames;
  FrameId id = top;
  for (unsigned i = 0; i < n_frames; ++i, id = stacks.frame(id).below) {
    frames.push_back(stacks.frame(id));
  }
  Stacks scratch(automaton_, false);
  FrameId copied = kBottom;
  for (std::size_t i = frames.size(); i-- > 0;) {
    copied = scratch.add(frames[i].state, frames[i].count, copied);
  }
  const std::uint32_t lowest_rule = automaton_.states[frames.back().state].rule;

  std::vector<std::uint32_t> fitting;
  std::vector<std::pair<std::string_view, std::uint32_t>> rests;
  TokenWalk walk(scratch, kMaxWork);
  const bool done = walk.run(
      trie_, {.tops = {copied}}, automaton_.following[lowest_rule],
      [&](std::uint32_t place) { fitting.push_back(trie_.id_at(place)); },
      [&](std::uint32_t place, std::uint32_t n_bytes) {
        rests.emplace_back(trie_.bytes_at(place).substr(n_bytes), trie_.id_at(place));
        return rests.size() <= kMaxRests;
      });
  auto entry = std::make_shared<Entry>();
  entry->work = kMaxWork - walk.work_left();
  entry->has_too_many_rests = !done;
  if (done) {
    entry->deepest = scratch.deepest();
    entry->take_fitting(fitting, trie_.n_words());
    std::ranges::sort(rests);
    entry->take_rests(rests);
  }
  return entry;
}

// Tries the rests one after the other on what lies below, each from where it parts from the one
// before.
Result<void> MaskCache::add_fitting(Stacks& stacks, FrameId below, const Entry& entry,
                                    std::span<std::uint64_t> words, std::uint64_t& work) const {
  std::vector<Position> path(1);  // by bytes taken
  stacks.resume(below, path[0]);
  for (const Entry::Rest& rest : entry.rests) {
    if (rest.shared + 1 > path.size() && path.back().refused()) continue;
    path.resize(std::min<std::size_t>(path.size(), rest.shared + std::size_t{1}));
    while (path.size() <= rest.bytes.size() && !path.back().refused()) {
      const std::size_t i = path.size() - 1;
      path.emplace_back();
      work += 1 + path[i].tops.size();
      stacks.advance(path[i], static_cast<std::uint8_t>(rest.bytes[i]), path[i + 1]);
    }
    if (work > kMaxMaskWork) return too_much_work();
    if (path.size() <= rest.bytes.size() || path.back().refused()) continue;
    for (std::uint32_t i = 0; i < rest.n; ++i) set_bit(words, entry.rest_ids[rest.first + i]);
  }
  return {};
}

}  // namespace jarip
