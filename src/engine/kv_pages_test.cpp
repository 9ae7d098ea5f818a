#include "engine/kv_pages.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <limits>
#include <set>

namespace jarip {
namespace {

TEST(KvPages, CountsPagesForTokens) {
  EXPECT_EQ(pages_for(0), 0U);
  EXPECT_EQ(pages_for(1), 1U);
  EXPECT_EQ(pages_for(kKvPageTokens), 1U);
  EXPECT_EQ(pages_for(kKvPageTokens + 1), 2U);
  EXPECT_EQ(pages_for(std::numeric_limits<std::uint32_t>::max()), 0x8000000U);
}

TEST(KvPages, GivesEachPageOnceAndTakesThemBack) {
  auto pages = KvPages::create(4096, 5);
  ASSERT_TRUE(pages.has_value());
  PageTable a;
  PageTable b;
  ASSERT_TRUE(pages->grow(a, 3 * kKvPageTokens));
  ASSERT_TRUE(pages->grow(b, kKvPageTokens + 1));
  EXPECT_EQ(a.size(), 3U);
  EXPECT_EQ(b.size(), 2U);
  EXPECT_EQ(pages->n_used(), 5U);
  std::set<PageId> all(a.begin(), a.end());
  all.insert(b.begin(), b.end());
  EXPECT_EQ(all, (std::set<PageId>{0, 1, 2, 3, 4}));
  for (const PageId page : a) pages->give_back(page);
  EXPECT_EQ(pages->n_free(), 3U);
  a.clear();
  ASSERT_TRUE(pages->grow(a, 3 * kKvPageTokens));
  EXPECT_EQ(pages->n_used(), 5U);
}

TEST(KvPages, GrowsOnlyByWhatIsMissing) {
  auto pages = KvPages::create(4096, 4);
  PageTable table;
  ASSERT_TRUE(pages->grow(table, 1));
  const PageId first = table[0];
  ASSERT_TRUE(pages->grow(table, kKvPageTokens));
  EXPECT_EQ(table.size(), 1U);
  ASSERT_TRUE(pages->grow(table, kKvPageTokens + 1));
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table[0], first);
}

TEST(KvPages, GivesNothingWhenThereIsNotEnough) {
  auto pages = KvPages::create(4096, 3);
  PageTable a;
  PageTable b;
  ASSERT_TRUE(pages->grow(a, 2 * kKvPageTokens));
  EXPECT_FALSE(pages->grow(b, 2 * kKvPageTokens));
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(pages->n_free(), 1U);
  EXPECT_TRUE(pages->grow(b, 1));
}

TEST(KvPages, MemoryIsAlignedWritableAndSeparate) {
  auto pages = KvPages::create(6144, 7);
  const KvMemory& memory = pages->memory();
  EXPECT_EQ(std::bit_cast<std::uintptr_t>(memory.base) % 64, 0U);
  EXPECT_EQ(memory.page_bytes, 6144U);
  EXPECT_EQ(memory.n_pages, 7U);
  for (int page = 0; page < 7; ++page) std::memset(memory.base + 6144 * page, page + 1, 6144);
  for (int page = 0; page < 7; ++page) {
    EXPECT_EQ(memory.base[6144 * page], std::byte(page + 1));
    EXPECT_EQ(memory.base[6144 * page + 6143], std::byte(page + 1));
  }
}

TEST(KvPages, UnusedPagesCostNothing) {
  // 256 GiB of address space; more than the machine has.
  auto pages = KvPages::create(std::size_t{1} << 20U, 1U << 18U);
  ASSERT_TRUE(pages.has_value()) << pages.error().message;
  std::memset(pages->memory().base, 1, 4096);
  EXPECT_EQ(pages->memory().base[4095], std::byte{1});
}

TEST(KvPages, SizesBeyondTheAddressSpaceAreRefused) {
  for (const std::size_t page_bytes :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 1000,
        std::size_t{1} << 52U}) {
    const auto pages = KvPages::create(page_bytes, 1000);
    ASSERT_FALSE(pages.has_value());
    EXPECT_EQ(pages.error().code, ErrorCode::kUnavailable);
  }
}

}  // namespace
}  // namespace jarip
