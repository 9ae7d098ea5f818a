#include "model/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <queue>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "model/byte_alphabet.h"
#include "model/vocabulary.h"

namespace jarip {
namespace {

constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";

// Up to this many bytes a scan over all neighbours beats a heap.
constexpr std::size_t kShortPiece = 64;

// Places in a long piece are 32 bits wide; a longer piece is cut.
constexpr std::size_t kLongestPiece = std::size_t{1} << 31U;

constexpr std::size_t kNoSlot = std::numeric_limits<std::size_t>::max();

std::unexpected<Error> crafted(std::string_view key) {
  return refuse_key(ErrorCode::kCorrupt, key, "is made to collide in hash tables");
}

std::size_t n_slots(std::size_t n_keys) { return std::bit_ceil(2 * n_keys + 2); }

TokenId result_of(MergeTable::Merge merge) { return static_cast<TokenId>(merge); }

}  // namespace

MergeTable::MergeTable(std::size_t n_merges)
    : slots_(n_slots(n_merges)), shift_(64U - std::countr_zero(slots_.size())) {}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  // The high bits of the product depend on every bit of the pair.
  std::size_t at = (pair ^ (pair >> 29U)) * 0x9E3779B97F4A7C15U >> shift_;
  for (std::size_t i = 0; i < kMostProbes; ++i, at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.merge == kNone || slot.pair == pair) return at;
  }
  return kNoSlot;
}

Result<void> MergeTable::insert(TokenId left, TokenId right, Merge merge) {
  const std::uint64_t pair = static_cast<std::uint64_t>(left) << 32U | right;
  const std::size_t at = slot_of(pair);
  if (at == kNoSlot) return crafted(kMergesKey);
  slots_[at] = {pair, merge};
  return {};
}

MergeTable::Merge MergeTable::find(TokenId left, TokenId right) const {
  const std::size_t at = slot_of(static_cast<std::uint64_t>(left) << 32U | right);
  return at == kNoSlot ? kNone : slots_[at].merge;
}

BytePairEncoder::BytePairEncoder(std::size_t n_tokens, std::size_t n_merges)
    : tokens_(n_tokens), merges_(n_merges), is_whole_(n_tokens) {
  byte_tokens_.fill(kNoToken);
}

Result<BytePairEncoder> BytePairEncoder::build(std::span<const std::string_view> token_bytes,
                                               std::span<const std::string_view> merges,
                                               bool whole_pieces) {
  BytePairEncoder encoder(token_bytes.size(), merges.size());
  JARIP_CHECK(encoder.add_tokens(token_bytes));
  JARIP_CHECK(encoder.add_merges(merges));
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < token_bytes.size(); ++id) {
    if (token_bytes[id].empty()) continue;
    ids.clear();
    if (!whole_pieces) encoder.merge(token_bytes[id], ids);
    encoder.is_whole_[id] = whole_pieces || (ids.size() == 1 && ids.front() == id);
  }
  return encoder;
}

Result<void> BytePairEncoder::add_tokens(std::span<const std::string_view> token_bytes) {
  for (TokenId id = 0; id < token_bytes.size(); ++id) {
    const std::string_view bytes = token_bytes[id];
    if (bytes.empty()) continue;
    JARIP_TRY(const TokenId owner, tokens_.insert(bytes, id));
    if (owner != id) {
      return refuse_key(ErrorCode::kCorrupt, kTokensKey,
                        fmt::format("has the same token twice, as {} and {}", owner, id));
    }
    if (bytes.size() == 1) byte_tokens_[static_cast<std::uint8_t>(bytes.front())] = id;
  }
  return {};
}

Result<void> BytePairEncoder::add_merges(std::span<const std::string_view> merges) {
  const auto refuse = [&](std::size_t rank, std::string_view why) {
    return refuse_key(ErrorCode::kCorrupt, kMergesKey,
                      fmt::format("has merge {} \"{}\", which {}", rank,
                                  replace_invalid(merges[rank].substr(0, 100)), why));
  };
  std::string bytes;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view text = merges[rank];
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return refuse(rank, "is not a pair");
    bytes.clear();
    if (!append_alphabet_bytes(bytes, text.substr(0, space))) return refuse(rank, "is not bytes");
    const std::size_t n_left = bytes.size();
    if (!append_alphabet_bytes(bytes, text.substr(space + 1))) return refuse(rank, "is not bytes");
    const TokenId left = tokens_.find(std::string_view(bytes).substr(0, n_left));
    const TokenId right = tokens_.find(std::string_view(bytes).substr(n_left));
    const TokenId joined = tokens_.find(bytes);
    if (left == kNoToken || right == kNoToken) return refuse(rank, "joins what is no text token");
    if (joined == kNoToken) return refuse(rank, "makes what is no text token");
    JARIP_CHECK(merges_.insert(left, right, static_cast<std::uint64_t>(rank) << 32U | joined));
  }
  return {};
}

void BytePairEncoder::encode(std::string_view piece, std::vector<TokenId>& out) const {
  const TokenId id = tokens_.find(piece);
  if (id != kNoToken && is_whole_[id]) {
    out.push_back(id);
    return;
  }
  while (!piece.empty()) {
    const std::string_view part = piece.substr(0, kLongestPiece);
    merge(part, out);
    piece.remove_prefix(part.size());
  }
}

void BytePairEncoder::merge(std::string_view piece, std::vector<TokenId>& out) const {
  piece.size() <= kShortPiece ? merge_short(piece, out) : merge_long(piece, out);
}

void BytePairEncoder::merge_short(std::string_view piece, std::vector<TokenId>& out) const {
  std::array<TokenId, kShortPiece> ids;
  std::array<MergeTable::Merge, kShortPiece> merges;  // merges[i] joins ids[i] and ids[i + 1]
  std::size_t n = 0;
  for (const char byte : piece) {
    const TokenId id = byte_tokens_[static_cast<std::uint8_t>(byte)];
    if (id != kNoToken) ids[n++] = id;
  }
  for (std::size_t i = 0; i + 1 < n; ++i) merges[i] = merges_.find(ids[i], ids[i + 1]);
  while (n > 1) {
    // The first of equals, so that of one rank the leftmost goes first.
    const auto best = std::min_element(merges.begin(), merges.begin() + (n - 1));
    if (*best == MergeTable::kNone) break;
    const auto at = static_cast<std::size_t>(best - merges.begin());
    ids[at] = result_of(*best);
    std::copy(ids.begin() + at + 2, ids.begin() + n, ids.begin() + at + 1);
    std::copy(merges.begin() + at + 1, merges.begin() + (n - 1), merges.begin() + at);
    --n;
    if (at > 0) merges[at - 1] = merges_.find(ids[at - 1], ids[at]);
    if (at + 1 < n) merges[at] = merges_.find(ids[at], ids[at + 1]);
  }
  out.insert(out.end(), ids.begin(), ids.begin() + n);
}

// The same in O(n log n): a linked list of tokens and a heap of the merges that were possible at
// some time. An entry counts only while it is still what its place would do.
void BytePairEncoder::merge_long(std::string_view piece, std::vector<TokenId>& out) const {
  constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
  struct Node {
    TokenId id;
    std::uint32_t previous;
    std::uint32_t next;
    MergeTable::Merge merge;  // with the next node
  };
  std::vector<Node> nodes;
  nodes.reserve(piece.size());
  for (const char byte : piece) {
    const TokenId id = byte_tokens_[static_cast<std::uint8_t>(byte)];
    if (id == kNoToken) continue;
    const auto at = static_cast<std::uint32_t>(nodes.size());
    nodes.push_back({id, at == 0 ? kEnd : at - 1, at + 1, MergeTable::kNone});
  }
  if (nodes.empty()) return;
  nodes.back().next = kEnd;

  using Entry = std::pair<MergeTable::Merge, std::uint32_t>;  // ties: the leftmost first
  std::vector<Entry> entries;
  entries.reserve(nodes.size());
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue({}, std::move(entries));
  const auto update = [&](std::uint32_t at) {
    Node& node = nodes[at];
    node.merge = node.next == kEnd ? MergeTable::kNone : merges_.find(node.id, nodes[node.next].id);
    if (node.merge != MergeTable::kNone) queue.emplace(node.merge, at);
  };
  for (std::uint32_t at = 0; at < nodes.size(); ++at) update(at);

  while (!queue.empty()) {
    const auto [merge, at] = queue.top();
    queue.pop();
    if (nodes[at].merge != merge) continue;
    Node& node = nodes[at];
    Node& joined = nodes[node.next];
    node.id = result_of(merge);
    node.next = joined.next;
    joined.merge = MergeTable::kNone;
    if (node.next != kEnd) nodes[node.next].previous = at;
    update(at);
    if (node.previous != kEnd) update(node.previous);
  }
  for (std::uint32_t at = 0; at != kEnd; at = nodes[at].next) out.push_back(nodes[at].id);
}

}  // namespace jarip
