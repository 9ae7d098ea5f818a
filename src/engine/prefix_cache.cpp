#include "engine/prefix_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace jarip {
namespace {

// Tells a domain, as the parent of first pages, from a page.
constexpr std::uint64_t kRoot = std::uint64_t{1} << 63U;

// Both halves of the product: every bit of either factor reaches the result (wyhash's mixing step).
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

PrefixCache::PrefixCache(KvPages pages, std::uint64_t hash_key, Checkpoints checkpoints)
    : pages_(std::move(pages)),
      checkpoints_(std::move(checkpoints)),
      memory_(pages_.memory()),
      hash_key_(hash_key),
      nodes_(pages_.n_pages()),
      tokens_(std::size_t{pages_.n_pages()} * kKvPageTokens),
      buckets_(std::bit_ceil(std::size_t{pages_.n_pages()}), kNone) {
  memory_.states = checkpoints_.memory();
  memory_.state_bytes = checkpoints_.state_bytes();
}

CacheDomain PrefixCache::open_domain(std::string_view name) {
  const auto [entry, is_new] = domain_ids_.try_emplace(std::string(name), last_domain_ + 1);
  if (is_new) domains_[++last_domain_].name = name;
  ++domains_[entry->second].n_users;
  return entry->second;
}

void PrefixCache::close_domain(CacheDomain domain) { leave_domain(domain); }

void PrefixCache::leave_domain(CacheDomain domain) {
  const auto found = domains_.find(domain);
  if (found == domains_.end() || --found->second.n_users > 0) return;
  domain_ids_.erase(found->second.name);
  domains_.erase(found);
}

std::uint64_t PrefixCache::parent_of(CacheDomain domain, const PageTable& table, std::uint32_t i) {
  return i == 0 ? kRoot | domain : table[i - 1];
}

std::uint64_t PrefixCache::hash(std::uint64_t parent, std::span<const TokenId> tokens) const {
  std::uint64_t state = fold(hash_key_ ^ parent, 0x9e3779b97f4a7c15U);
  for (std::size_t i = 0; i + 1 < tokens.size(); i += 2) {
    const std::uint64_t pair = std::uint64_t{tokens[i]} << 32U | tokens[i + 1];
    state = fold(state ^ pair, hash_key_ | 1U) + state;
  }
  return fold(state, 0xbf58476d1ce4e5b9U);
}

std::uint64_t PrefixCache::next_hash(CacheDomain domain, std::span<const TokenId> tokens,
                                     const PageTable& table, std::uint32_t n_computed) const {
  const std::uint32_t n_pages = checkpoints_.in_use() ? kCheckpointPages : 1;
  const std::size_t n = std::size_t{n_pages} * kKvPageTokens;
  const auto first = static_cast<std::uint32_t>(n_computed / n * n_pages);
  const std::size_t begin = std::size_t{first} * kKvPageTokens;
  if (begin + n > tokens.size()) return 0;
  return hash(parent_of(domain, table, first), tokens.subspan(begin, n));
}

PageId& PrefixCache::bucket_of(std::uint64_t hash) {
  return buckets_[hash & (buckets_.size() - 1)];
}

std::span<TokenId> PrefixCache::tokens_of(PageId page) {
  return std::span(tokens_).subspan(std::size_t{page} * kKvPageTokens, kKvPageTokens);
}

std::span<const TokenId> PrefixCache::tokens_of(PageId page) const {
  return std::span(tokens_).subspan(std::size_t{page} * kKvPageTokens, kKvPageTokens);
}

PageId PrefixCache::look_up(std::uint64_t hash, std::uint64_t parent,
                            std::span<const TokenId> tokens) const {
  PageId page = buckets_[hash & (buckets_.size() - 1)];
  while (page != kNone) {
    if (nodes_[page].parent == parent && std::ranges::equal(tokens_of(page), tokens)) break;
    page = nodes_[page].next_in_bucket;
  }
  return page;
}

PrefixCache::Prefix PrefixCache::find(CacheDomain domain, std::span<const TokenId> tokens) {
  Prefix prefix;
  found_.clear();
  std::uint32_t n_idle = 0;
  for (auto rest = tokens; rest.size() >= kKvPageTokens; rest = rest.subspan(kKvPageTokens)) {
    const auto n_found = static_cast<std::uint32_t>(found_.size());
    const std::uint64_t parent = parent_of(domain, found_, n_found);
    const auto first = rest.first(kKvPageTokens);
    const PageId page = look_up(hash(parent, first), parent, first);
    if (page == kNone) break;
    found_.push_back(page);
    if (nodes_[page].n_holders == 0) ++n_idle;
    if (checkpoints_.in_use() && !checkpoints_.has(page)) continue;
    prefix.n_pages = n_found + 1;
    prefix.n_idle = n_idle;
  }
  prefix.n_known = static_cast<std::uint32_t>(found_.size());
  prefix.next_hash = next_hash(domain, tokens, found_, prefix.n_pages * kKvPageTokens);
  return prefix;
}

std::uint32_t PrefixCache::reach(CacheDomain domain, std::span<const TokenId> tokens,
                                 const PageTable& table, std::uint32_t n_first) const {
  std::uint32_t n_reached = n_first;
  std::uint64_t parent = parent_of(domain, table, n_first);
  for (std::uint32_t i = n_first; (i + 1) * kKvPageTokens <= tokens.size(); ++i) {
    const auto page_tokens = tokens.subspan(std::size_t{i} * kKvPageTokens, kKvPageTokens);
    const PageId page = look_up(hash(parent, page_tokens), parent, page_tokens);
    if (page == kNone) break;
    if (!checkpoints_.in_use() || checkpoints_.has(page)) n_reached = i + 1;
    parent = page;
  }
  return n_reached;
}

bool PrefixCache::adopt(CacheDomain domain, std::span<const TokenId, kKvPageTokens> tokens,
                        PageTable& table, std::uint32_t i) {
  const std::uint64_t parent = parent_of(domain, table, i);
  const PageId page = look_up(hash(parent, tokens), parent, tokens);
  if (page == kNone) return false;
  shrink(table, i * kKvPageTokens);
  hold(page);
  table.push_back(page);
  return true;
}

void PrefixCache::keep(CacheDomain domain, std::span<const TokenId, kKvPageTokens> tokens,
                       PageTable& table, std::uint32_t i) {
  const std::uint64_t parent = parent_of(domain, table, i);
  const std::uint64_t key = hash(parent, tokens);
  if (const PageId same = look_up(key, parent, tokens); same != kNone) {
    hold(same);
    pages_.give_back(table[i]);
    table[i] = same;
    return;
  }
  const PageId page = table[i];
  PageId& bucket = bucket_of(key);
  nodes_[page] = {.parent = parent, .n_holders = 1, .is_kept = true, .next_in_bucket = bucket};
  bucket = page;
  std::ranges::copy(tokens, tokens_of(page).begin());
  ++n_kept_;
  if (i == 0) ++domains_[domain].n_users;
}

bool PrefixCache::grow(PageTable& table, std::uint32_t n_tokens) {
  const std::size_t wanted = pages_for(n_tokens);
  if (wanted <= table.size()) return true;
  const std::size_t missing = wanted - table.size();
  if (missing > n_available()) return false;
  while (pages_.n_free() < missing) evict_oldest();
  return pages_.grow(table, n_tokens);
}

// Last page first: a child is then always older than its parent, and goes before it.
void PrefixCache::shrink(PageTable& table, std::uint32_t n_tokens) {
  for (; table.size() > pages_for(n_tokens); table.pop_back()) let_go(table.back());
}

void PrefixCache::hold(PageId page) {
  Node& node = nodes_[page];
  if (++node.n_holders > 1) return;
  (node.older == kNone ? oldest_idle_ : nodes_[node.older].newer) = node.newer;
  (node.newer == kNone ? newest_idle_ : nodes_[node.newer].older) = node.older;
  node.older = node.newer = kNone;
  --n_idle_;
}

void PrefixCache::let_go(PageId page) {
  Node& node = nodes_[page];
  if (!node.is_kept) {
    pages_.give_back(page);
    return;
  }
  if (--node.n_holders > 0) return;
  node.older = newest_idle_;
  (newest_idle_ == kNone ? oldest_idle_ : nodes_[newest_idle_].newer) = page;
  newest_idle_ = page;
  ++n_idle_;
}

void PrefixCache::evict_oldest() {
  const PageId page = oldest_idle_;
  hold(page);
  const std::uint64_t parent = nodes_[page].parent;
  PageId* link = &bucket_of(hash(parent, tokens_of(page)));
  while (*link != page) link = &nodes_[*link].next_in_bucket;
  *link = nodes_[page].next_in_bucket;
  nodes_[page] = {};
  checkpoints_.drop(page);
  --n_kept_;
  pages_.give_back(page);
  if ((parent & kRoot) != 0) leave_domain(parent & ~kRoot);
}

void PrefixCache::count_further(std::span<const PageTable* const> tables,
                                std::span<std::uint32_t> counts) {
  ++mark_;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    counts[i] = 0;
    for (const PageId page : *tables[i]) {
      if (std::exchange(nodes_[page].mark, mark_) != mark_) ++counts[i];
    }
  }
}

}  // namespace jarip
