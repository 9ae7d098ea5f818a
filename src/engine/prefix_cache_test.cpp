#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <string>

namespace jarip {
namespace {

constexpr std::uint32_t kPage = kKvPageTokens;
using Text = std::vector<TokenId>;

PrefixCache make_cache(std::uint32_t n_pages) {
  auto pages = KvPages::create(64, n_pages);
  EXPECT_TRUE(pages.has_value());
  return {*std::move(pages), 0x1234567};
}

// Tokens that differ from those of other numbers in every page.
Text text_of(std::uint32_t number, std::uint32_t n_tokens) {
  Text text;
  for (std::uint32_t i = 0; i < n_tokens; ++i) text.push_back(number * 1000 + i);
  return text;
}

std::span<const TokenId, kPage> page_of(const Text& text, std::uint32_t i) {
  return std::span(text).subspan(std::size_t{i} * kPage).first<kPage>();
}

// Computes all whole pages of the text.
PageTable compute(PrefixCache& cache, CacheDomain domain, const Text& text) {
  PageTable table;
  const auto n_tokens = static_cast<std::uint32_t>(text.size());
  for (std::uint32_t i = 0; (i + 1) * kPage <= n_tokens; ++i) {
    if (cache.adopt(domain, page_of(text, i), table, i)) continue;
    EXPECT_TRUE(cache.grow(table, (i + 1) * kPage));
    cache.keep(domain, page_of(text, i), table, i);
  }
  EXPECT_TRUE(cache.grow(table, n_tokens));
  return table;
}

std::uint32_t n_found(PrefixCache& cache, CacheDomain domain, const Text& text) {
  return cache.find(domain, text).n_pages;
}

TEST(PrefixCache, FindsAPrefixAsFarAsItIsTheSame) {
  PrefixCache cache = make_cache(10);
  const CacheDomain domain = cache.open_domain("");
  const Text text = text_of(1, 3 * kPage + 5);
  PageTable table = compute(cache, domain, text);
  EXPECT_EQ(n_found(cache, domain, text), 3U);
  EXPECT_EQ(n_found(cache, domain, text_of(1, 2 * kPage + 31)), 2U);
  EXPECT_EQ(n_found(cache, domain, text_of(2, 3 * kPage)), 0U);
  for (std::uint32_t i = 0; i < 3 * kPage; ++i) {
    Text other = text;
    ++other[i];
    EXPECT_EQ(n_found(cache, domain, other), i / kPage) << i;
  }
  // The same tokens behind other ones are another page.
  const Text shifted(text.begin() + kPage, text.end());
  EXPECT_EQ(n_found(cache, domain, shifted), 0U);
  cache.release(table);
}

TEST(PrefixCache, APrefixIsSharedWhileItsFirstUserHoldsItAndAfterwards) {
  PrefixCache cache = make_cache(10);
  const CacheDomain domain = cache.open_domain("");
  const Text text = text_of(1, 2 * kPage);
  PageTable first = compute(cache, domain, text);
  EXPECT_EQ(cache.find(domain, text).n_idle, 0U);
  PageTable second = compute(cache, domain, text);
  EXPECT_EQ(first, second);
  EXPECT_EQ(cache.n_held(), 2U);
  cache.release(first);
  EXPECT_EQ(cache.n_held(), 2U);
  cache.release(second);
  EXPECT_EQ(cache.n_held(), 0U);
  EXPECT_EQ(cache.n_kept(), 2U);
  EXPECT_EQ(cache.find(domain, text).n_idle, 2U);
  EXPECT_EQ(cache.n_available(), 10U);
}

TEST(PrefixCache, DomainsNeverMeet) {
  PrefixCache cache = make_cache(10);
  const CacheDomain a = cache.open_domain("a");
  const CacheDomain b = cache.open_domain("b");
  EXPECT_NE(a, b);
  const Text text = text_of(1, 2 * kPage);
  PageTable table = compute(cache, a, text);
  EXPECT_EQ(n_found(cache, b, text), 0U);
  PageTable other = compute(cache, b, text);
  EXPECT_NE(table, other);
  cache.release(table);
  cache.release(other);
  EXPECT_EQ(n_found(cache, a, text), 2U);
}

TEST(PrefixCache, ADomainIsRememberedAsLongAsItHasPagesOrUsers) {
  PrefixCache cache = make_cache(4);
  const CacheDomain a = cache.open_domain("a");
  const Text text = text_of(1, kPage);
  PageTable table = compute(cache, a, text);
  cache.release(table);
  cache.close_domain(a);
  const CacheDomain again = cache.open_domain("a");
  EXPECT_EQ(again, a);
  EXPECT_EQ(n_found(cache, again, text), 1U);
  ASSERT_TRUE(cache.grow(table, 4 * kPage));
  cache.close_domain(again);
  EXPECT_NE(cache.open_domain("a"), a) << "without pages and users it is forgotten";
}

TEST(PrefixCache, WhatTwoComputedAtOnceBecomesOnePage) {
  PrefixCache cache = make_cache(10);
  const CacheDomain domain = cache.open_domain("");
  const Text text = text_of(1, kPage);
  PageTable first;
  PageTable second;
  ASSERT_TRUE(cache.grow(first, kPage));
  ASSERT_TRUE(cache.grow(second, kPage));
  EXPECT_NE(first, second);
  cache.keep(domain, page_of(text, 0), first, 0);
  cache.keep(domain, page_of(text, 0), second, 0);
  EXPECT_EQ(first, second);
  EXPECT_EQ(cache.n_held(), 1U);
  cache.release(first);
  cache.release(second);
  EXPECT_EQ(cache.n_available(), 10U);
}

TEST(PrefixCache, AdoptingAPageGivesBackTheUnfinishedOneInItsPlace) {
  PrefixCache cache = make_cache(10);
  const CacheDomain domain = cache.open_domain("");
  const Text text = text_of(1, 2 * kPage);
  PageTable table = compute(cache, domain, text);
  PageTable late;
  ASSERT_TRUE(cache.adopt(domain, page_of(text, 0), late, 0));
  ASSERT_TRUE(cache.grow(late, kPage + 7));
  EXPECT_EQ(cache.n_held(), 3U);
  ASSERT_TRUE(cache.adopt(domain, page_of(text, 1), late, 1));
  EXPECT_EQ(late, table);
  EXPECT_EQ(cache.n_held(), 2U);
}

TEST(PrefixCache, TheLeastRecentlyHeldGoesFirstAndChildrenBeforeTheirParents) {
  PrefixCache cache = make_cache(6);
  const CacheDomain domain = cache.open_domain("");
  const Text a = text_of(1, 3 * kPage);
  const Text b = text_of(2, 3 * kPage);
  PageTable table_a = compute(cache, domain, a);
  PageTable table_b = compute(cache, domain, b);
  cache.release(table_a);
  cache.release(table_b);
  table_a = compute(cache, domain, text_of(1, kPage));  // the first page of a again
  cache.release(table_a);

  PageTable table;
  for (const auto& [n_a, n_b] : {std::pair(2U, 3U), {1U, 3U}, {1U, 2U}, {1U, 1U}, {1U, 0U}}) {
    ASSERT_TRUE(cache.grow(table, static_cast<std::uint32_t>(table.size() + 1) * kPage));
    EXPECT_EQ(n_found(cache, domain, a), n_a);
    EXPECT_EQ(n_found(cache, domain, b), n_b);
  }
  ASSERT_TRUE(cache.grow(table, 6 * kPage));
  EXPECT_FALSE(cache.grow(table, 7 * kPage));
  EXPECT_EQ(cache.n_kept(), 0U);
}

TEST(PrefixCache, WhatIsHeldIsNeverEvicted) {
  PrefixCache cache = make_cache(4);
  const CacheDomain domain = cache.open_domain("");
  const Text text = text_of(1, 3 * kPage);
  PageTable table = compute(cache, domain, text);
  PageTable other;
  EXPECT_FALSE(cache.grow(other, 2 * kPage));
  EXPECT_TRUE(other.empty());
  ASSERT_TRUE(cache.grow(other, kPage));
  EXPECT_EQ(n_found(cache, domain, text), 3U);
}

TEST(PrefixCache, CountsWhatEachTableHasBeyondThoseBeforeIt) {
  PrefixCache cache = make_cache(20);
  const CacheDomain domain = cache.open_domain("");
  PageTable a = compute(cache, domain, text_of(1, 3 * kPage + 1));
  PageTable b = compute(cache, domain, text_of(1, 2 * kPage + 9));
  PageTable c = compute(cache, domain, text_of(2, kPage));
  const PageTable* tables[] = {&b, &c, &a};
  std::uint32_t counts[3] = {};
  for (int again = 0; again < 2; ++again) {
    cache.count_further(tables, counts);
    EXPECT_EQ(counts[0], 3U);
    EXPECT_EQ(counts[1], 1U);
    EXPECT_EQ(counts[2], 2U);
  }
}

// Random holders of texts over two tokens, so that prefixes are shared all the time. The memory of
// a page says whose prefix it holds.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed), n_pages_(draw(1, 40)), cache_(make_cache(n_pages_)) {
    for (const char* name : {"", "x", "y"}) domains_.push_back(cache_.open_domain(name));
  }

  void turn() {
    if (holders_.size() < 6 && draw(0, 2) > 0) begin();
    if (!holders_.empty())
      go_on(holders_[draw(0, static_cast<std::uint32_t>(holders_.size()) - 1)]);
    if (!holders_.empty() && draw(0, 9) == 0) {
      const auto which = draw(0, static_cast<std::uint32_t>(holders_.size()) - 1);
      cache_.release(holders_[which].table);
      holders_.erase(holders_.begin() + which);
    }
    check();
  }

  void end() {
    for (Holder& holder : holders_) cache_.release(holder.table);
    holders_.clear();
    check();
    PageTable all;
    EXPECT_EQ(cache_.n_available(), n_pages_);
    EXPECT_TRUE(cache_.grow(all, n_pages_ * kPage));
    EXPECT_EQ(cache_.n_kept(), 0U);
  }

  std::uint64_t n_adopted = 0;
  std::uint64_t n_evicted = 0;

 private:
  struct Holder {
    CacheDomain domain;
    Text text;
    PageTable table = {};
    std::uint32_t n_kept = 0;
  };

  std::uint32_t draw(std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(least, most)(random_);
  }

  void begin() {
    Holder& holder = holders_.emplace_back(domains_[draw(0, 2)], Text());
    // Pages of one token each: few different ones.
    for (std::uint32_t page = draw(1, 6); page > 0; --page) {
      holder.text.insert(holder.text.end(), kPage, draw(0, 1));
    }
    const PrefixCache::Prefix prefix = cache_.find(holder.domain, holder.text);
    const std::uint32_t n_before = cache_.n_available();
    while (adopt_next(holder)) {
    }
    EXPECT_EQ(holder.n_kept, prefix.n_pages);
    EXPECT_EQ(n_before - cache_.n_available(), prefix.n_idle);
  }

  bool adopt_next(Holder& holder) {
    if (holder.n_kept * kPage == holder.text.size()) return false;
    const auto tokens = page_of(holder.text, holder.n_kept);
    const auto expected = cache_.find(holder.domain, holder.text).next_hash;
    const auto hash =
        cache_.next_hash(holder.domain, holder.text, holder.table, holder.n_kept * kPage);
    if (!cache_.adopt(holder.domain, tokens, holder.table, holder.n_kept)) {
      EXPECT_EQ(hash, expected);
      return false;
    }
    ++holder.n_kept;
    ++n_adopted;
    return true;
  }

  void go_on(Holder& holder) {
    if (adopt_next(holder) || holder.n_kept * kPage == holder.text.size()) return;
    const std::uint32_t n_kept = cache_.n_kept();
    if (!cache_.grow(holder.table, (holder.n_kept + 1) * kPage)) return;
    n_evicted += n_kept - cache_.n_kept();
    tag_of(holder.table[holder.n_kept]) = tag(holder, holder.n_kept);
    if (draw(0, 4) == 0) return cache_.shrink(holder.table, holder.n_kept * kPage);
    cache_.keep(holder.domain, page_of(holder.text, holder.n_kept), holder.table, holder.n_kept);
    ++holder.n_kept;
  }

  // The domain and all tokens to the page's end, exactly: a page has one of two tokens.
  static std::uint64_t tag(const Holder& holder, std::uint32_t i) {
    std::uint64_t tag = holder.domain;
    for (std::uint32_t page = 0; page <= i; ++page) tag = tag * 3 + 1 + holder.text[page * kPage];
    return tag;
  }

  std::uint64_t& tag_of(PageId page) {
    return *reinterpret_cast<std::uint64_t*>(cache_.memory().base + 64 * page);
  }

  void check() {
    std::map<PageId, std::uint64_t> held;
    for (Holder& holder : holders_) {
      for (std::uint32_t i = 0; i < holder.n_kept; ++i) {
        ASSERT_EQ(tag_of(holder.table[i]), tag(holder, i)) << "a page of another prefix";
        const auto [entry, is_new] = held.emplace(holder.table[i], tag(holder, i));
        ASSERT_EQ(entry->second, tag(holder, i));
      }
      ASSERT_GE(n_found(cache_, holder.domain, holder.text), holder.n_kept);
    }
    ASSERT_EQ(cache_.n_held(), held.size());
    ASSERT_LE(cache_.n_kept(), n_pages_);
  }

  std::mt19937_64 random_;
  std::uint32_t n_pages_;
  PrefixCache cache_;
  std::vector<CacheDomain> domains_;
  std::deque<Holder> holders_;
};

TEST(PrefixCache, UnderRandomUseEveryPageFoundIsTheRightOneAndNoneIsLost) {
  std::uint64_t n_adopted = 0;
  std::uint64_t n_evicted = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Simulation simulation(seed);
    for (int turn = 0; turn < 300; ++turn) {
      simulation.turn();
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", turn " << turn;
    }
    simulation.end();
    if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed;
    n_adopted += simulation.n_adopted;
    n_evicted += simulation.n_evicted;
  }
  EXPECT_GT(n_adopted, 1000U);
  EXPECT_GT(n_evicted, 1000U);
}

}  // namespace
}  // namespace jarip
