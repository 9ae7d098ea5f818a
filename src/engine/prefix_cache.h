// Full KV pages, found again by the tokens before and in them: a prefix that one sequence computed
// serves others, while the first still runs as well as after its end. Owned by the engine; its
// thread alone calls it.
//
// Pages form a forest, a tree for each domain: a page's parent holds the 32 tokens before its own.
// A look-up compares the parent and all 32 tokens, never a hash alone, so a page found is the right
// one. Pages count who holds them. A page that nobody holds stays until memory is wanted; the least
// recently held goes first, which is never a parent: who held a child held its parent as long.
//
// Of a model with recurrent layers, pages alone don't let another sequence go on: some have a
// checkpoint (checkpoints.h), and what is found ends with the last of these.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/checkpoints.h"
#include "engine/kv_pages.h"
#include "model/tokenizer.h"

namespace jarip {

// Whose texts share pages. Sequences of different domains never meet, not even in time.
using CacheDomain = std::uint64_t;

class PrefixCache {
 public:
  // Memory for the book-keeping, about 180 bytes a page, is taken here. hash_key is drawn at random
  // where requests come from strangers: then none of them can choose tokens that collide.
  PrefixCache(KvPages pages, std::uint64_t hash_key, Checkpoints checkpoints = {});

  [[nodiscard]] const KvMemory& memory() const { return memory_; }
  [[nodiscard]] Checkpoints& checkpoints() { return checkpoints_; }
  [[nodiscard]] std::uint32_t n_pages() const { return pages_.n_pages(); }
  // Pages that grow() can give: free ones, and kept ones that nobody holds.
  [[nodiscard]] std::uint32_t n_available() const { return pages_.n_free() + n_idle_; }
  [[nodiscard]] std::uint32_t n_held() const { return n_pages() - n_available(); }
  [[nodiscard]] std::uint32_t n_kept() const { return n_kept_; }

  // Ends with close_domain(), once for each call; names are equal exactly when domains are.
  [[nodiscard]] CacheDomain open_domain(std::string_view name);
  void close_domain(CacheDomain domain);

  struct Prefix {
    std::uint32_t n_pages = 0;
    std::uint32_t n_idle = 0;     // of these, pages that nobody holds
    std::uint32_t n_known = 0;    // and pages that would be found if all had checkpoints
    std::uint64_t next_hash = 0;  // next_hash() after them
  };
  // What is kept of a text's beginning: its first pages, as far as there are whole ones in tokens.
  [[nodiscard]] Prefix find(CacheDomain domain, std::span<const TokenId> tokens);

  // How far a sequence gets that has the table's first n_first pages of these tokens, all of them
  // kept: to the last page that it can go on from, or n_first.
  [[nodiscard]] std::uint32_t reach(CacheDomain domain, std::span<const TokenId> tokens,
                                    const PageTable& table, std::uint32_t n_first) const;

  // Puts the kept page with these tokens at the table's place i, whose pages before are all kept
  // ones; what was there is given back. False, and nothing changed, when there is none.
  [[nodiscard]] bool adopt(CacheDomain domain, std::span<const TokenId, kKvPageTokens> tokens,
                           PageTable& table, std::uint32_t i);

  // Keeps the table's page i, now that all of it is computed; those before are kept ones. If there
  // is one like it, the table gets that one.
  void keep(CacheDomain domain, std::span<const TokenId, kKvPageTokens> tokens, PageTable& table,
            std::uint32_t i);

  // What tells apart, from others, that which a sequence with n_computed of these tokens computes
  // next and others may wait for: the page, or with checkpoints the tokens to the next place of
  // one. Equal for the same, and all but never for different ones; 0 where tokens end before.
  [[nodiscard]] std::uint64_t next_hash(CacheDomain domain, std::span<const TokenId> tokens,
                                        const PageTable& table, std::uint32_t n_computed) const;

  // Adds pages until the table covers n_tokens. False, and nothing changed, when there are too few.
  [[nodiscard]] bool grow(PageTable& table, std::uint32_t n_tokens);

  // Lets go of the pages that n_tokens tokens don't need.
  void shrink(PageTable& table, std::uint32_t n_tokens);
  void release(PageTable& table) { shrink(table, 0); }

  // Of each table, the pages that those before it don't have: what letting go of it, and of all
  // behind it, gives back.
  void count_further(std::span<const PageTable* const> tables, std::span<std::uint32_t> counts);

 private:
  static constexpr PageId kNone = ~PageId{0};

  // One a page. A page that isn't kept has one holder, who is not counted.
  struct Node {
    std::uint64_t parent = 0;  // a page, or a domain under kRoot
    std::uint32_t n_holders = 0;
    bool is_kept = false;
    PageId next_in_bucket = kNone;
    PageId older = kNone;  // in the list of idle pages
    PageId newer = kNone;
    std::uint32_t mark = 0;  // of the last count_further() that saw the page
  };
  struct Domain {
    std::string name;
    std::uint64_t n_users = 0;  // calls of open_domain() and pages without parent
  };

  [[nodiscard]] static std::uint64_t parent_of(CacheDomain domain, const PageTable& table,
                                               std::uint32_t i);
  [[nodiscard]] std::uint64_t hash(std::uint64_t parent, std::span<const TokenId> tokens) const;
  [[nodiscard]] PageId look_up(std::uint64_t hash, std::uint64_t parent,
                               std::span<const TokenId> tokens) const;
  [[nodiscard]] PageId& bucket_of(std::uint64_t hash);
  [[nodiscard]] std::span<TokenId> tokens_of(PageId page);
  [[nodiscard]] std::span<const TokenId> tokens_of(PageId page) const;
  void hold(PageId page);
  void let_go(PageId page);
  void evict_oldest();
  void leave_domain(CacheDomain domain);

  KvPages pages_;
  Checkpoints checkpoints_;
  KvMemory memory_;
  std::uint64_t hash_key_;
  std::vector<Node> nodes_;      // [n_pages]
  std::vector<TokenId> tokens_;  // [n_pages, kKvPageTokens], of kept pages
  std::vector<PageId> buckets_;  // a power of two; heads of lists through next_in_bucket
  PageId oldest_idle_ = kNone;
  PageId newest_idle_ = kNone;
  std::uint32_t n_idle_ = 0;
  std::uint32_t n_kept_ = 0;
  std::uint32_t mark_ = 0;
  PageTable found_;  // scratch of find()
  CacheDomain last_domain_ = 0;
  std::unordered_map<CacheDomain, Domain> domains_;
  std::unordered_map<std::string, CacheDomain> domain_ids_;
};

}  // namespace jarip
