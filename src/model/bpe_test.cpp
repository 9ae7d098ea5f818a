#include "model/bpe.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/tiny_vocabulary.h"

namespace jarip {
namespace {

using Ids = std::vector<TokenId>;

// Owns what an encoder borrows.
struct Rules {
  std::vector<std::string> bytes;   // by id
  std::vector<std::string> merges;  // "left right"
  std::map<std::pair<TokenId, TokenId>, std::pair<std::size_t, TokenId>> ranks;

  explicit Rules(std::string_view alphabet) {
    for (const char c : alphabet) bytes.emplace_back(1, c);
  }
  TokenId find_or_add(const std::string& text) {
    for (TokenId id = 0; id < bytes.size(); ++id) {
      if (bytes[id] == text) return id;
    }
    bytes.push_back(text);
    return static_cast<TokenId>(bytes.size() - 1);
  }
  void merge(TokenId left, TokenId right) {
    const TokenId joined = find_or_add(bytes[left] + bytes[right]);
    ranks[{left, right}] = {merges.size(), joined};
    merges.push_back(alphabet_text(bytes[left]) + " " + alphabet_text(bytes[right]));
  }
  [[nodiscard]] Result<BytePairEncoder> build(bool whole_pieces = false) const {
    const std::vector<std::string_view> byte_views(bytes.begin(), bytes.end());
    const std::vector<std::string_view> merge_views(merges.begin(), merges.end());
    return BytePairEncoder::build(byte_views, merge_views, whole_pieces);
  }
  // The definition: of all neighbours join those of the lowest rank, the leftmost first, until
  // there are none.
  [[nodiscard]] Ids encode(std::string_view piece) const {
    Ids ids;
    for (const char c : piece) {
      for (TokenId id = 0; id < bytes.size(); ++id) {
        if (bytes[id] == std::string(1, c)) ids.push_back(id);
      }
    }
    while (true) {
      auto best = ranks.end();
      std::size_t at = 0;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto rank = ranks.find({ids[i], ids[i + 1]});
        if (rank == ranks.end()) continue;
        if (best != ranks.end() && rank->second.first >= best->second.first) continue;
        best = rank;
        at = i;
      }
      if (best == ranks.end()) return ids;
      ids[at] = best->second.second;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
  }
};

Ids encode(const BytePairEncoder& encoder, std::string_view piece) {
  Ids ids;
  encoder.encode(piece, ids);
  return ids;
}

std::string message_of(const std::vector<std::string_view>& tokens,
                       const std::vector<std::string_view>& merges) {
  const auto encoder = BytePairEncoder::build(tokens, merges, false);
  if (encoder) return "accepted";
  EXPECT_EQ(encoder.error().code, ErrorCode::kCorrupt);
  return encoder.error().message;
}

TEST(BytePairEncoder, JoinsByRankAndThenFromTheLeft) {
  const std::vector<std::string_view> tokens = {"a", "b", "c", "ab", "bc", "aa"};
  const std::vector<std::string_view> merges = {"b c", "a b", "a a"};
  const auto encoder = BytePairEncoder::build(tokens, merges, false);
  ASSERT_TRUE(encoder);
  EXPECT_EQ(encode(*encoder, "abc"), (Ids{0, 4}));
  EXPECT_EQ(encode(*encoder, "aaa"), (Ids{5, 0}));
  EXPECT_EQ(encode(*encoder, ""), Ids{});
}

TEST(BytePairEncoder, AgreesWithTheDefinitionForShortAndLongPieces) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    Rules rules(std::string_view("abcd\xFF").substr(0, 1 + random() % 5));
    for (int i = 0; i < 30; ++i) {
      const auto n = static_cast<std::uint32_t>(rules.bytes.size());
      rules.merge(random() % n, random() % n);
    }
    const auto encoder = rules.build();
    ASSERT_TRUE(encoder) << encoder.error().message;
    for (const std::size_t size : {1, 2, 7, 31, 63, 64, 65, 66, 129, 200}) {
      std::string piece(size, ' ');
      for (char& c : piece) c = rules.bytes[random() % 5 % rules.bytes.size()].front();
      ASSERT_EQ(encode(*encoder, piece), rules.encode(piece)) << round << " " << size;
    }
  }
}

TEST(BytePairEncoder, ATokenThatNoMergeMakesIsOnlyAWholePieceWhenAskedFor) {
  const std::vector<std::string_view> tokens = {"a", "b", "ab"};
  const auto merged = BytePairEncoder::build(tokens, {}, false);
  const auto whole = BytePairEncoder::build(tokens, {}, true);
  ASSERT_TRUE(merged && whole);
  EXPECT_EQ(encode(*merged, "ab"), (Ids{0, 1}));
  EXPECT_EQ(encode(*whole, "ab"), (Ids{2}));
  EXPECT_EQ(encode(*whole, "aba"), (Ids{0, 1, 0}));
}

TEST(BytePairEncoder, ATokenThatOtherMergesForestallIsNotTheWholePiece) {
  // "abc" can be made of "a" and "bc", but "a b" comes first.
  const std::vector<std::string_view> tokens = {"a", "b", "c", "ab", "bc", "abc"};
  const std::vector<std::string_view> merges = {"a b", "b c", "a bc"};
  const auto encoder = BytePairEncoder::build(tokens, merges, false);
  ASSERT_TRUE(encoder);
  EXPECT_EQ(encode(*encoder, "abc"), (Ids{3, 2}));
}

// Quadratic merging of this piece would take hours.
TEST(BytePairEncoder, AMegabyteOfOneLetterIsMergedInTime) {
  Rules rules("a");
  for (TokenId id = 0; id < 10; ++id) rules.merge(id, id);
  const auto encoder = rules.build();
  ASSERT_TRUE(encoder);
  constexpr std::size_t kBytes = 1U << 20U;
  EXPECT_EQ(encode(*encoder, std::string(kBytes, 'a')), Ids(kBytes / 1024, 10));
}

TEST(BytePairEncoder, OfAPairNamedTwiceTheLastRankCounts) {
  const std::vector<std::string_view> tokens = {"a", "b", "c", "ab", "bc"};
  const std::vector<std::string_view> merges = {"a b", "b c", "a b"};
  const auto encoder = BytePairEncoder::build(tokens, merges, false);
  ASSERT_TRUE(encoder);
  EXPECT_EQ(encode(*encoder, "abc"), (Ids{0, 4}));
}

TEST(BytePairEncoder, RefusesAVocabularyThatContradictsItself) {
  EXPECT_NE(message_of({"a", "b", "a"}, {}).find("twice, as 0 and 2"), std::string::npos);
  EXPECT_NE(message_of({"a", "b"}, {"ab"}).find("merge 0 \"ab\", which is not a pair"),
            std::string::npos);
  EXPECT_NE(message_of({"a", "b"}, {"a b"}).find("makes what is no text token"), std::string::npos);
  EXPECT_NE(message_of({"a", "ab"}, {"a b"}).find("joins what is no text token"),
            std::string::npos);
  EXPECT_NE(message_of({"a", "b", "ab"}, {"a b", "a  b"}).find("merge 1 "), std::string::npos);
  EXPECT_NE(message_of({"a", "b", "ab"}, {" b"}).find("joins what is no text token"),
            std::string::npos);
  EXPECT_NE(message_of({"a", "b", "ab"}, {"a \uAC00"}).find("is not bytes"), std::string::npos);
}

// Pairs whose places in the table are all the same, found by trial with the table's own find():
// a crafted file must be refused and not make every search long.
TEST(MergeTable, RefusesPairsCraftedToCollide) {
  constexpr std::size_t kPairs = 1024;
  constexpr std::uint64_t kFibonacci = 0x9E3779B97F4A7C15U;
  MergeTable table(kPairs);
  std::size_t n_inserted = 0;
  bool refused = false;
  for (TokenId left = 0; left < 4096 && !refused; ++left) {
    for (TokenId right = 0; right < 4096 && !refused; ++right) {
      const std::uint64_t pair = static_cast<std::uint64_t>(left) << 32U | right;
      if ((pair ^ (pair >> 29U)) * kFibonacci >> 52U != 7) continue;
      refused = !table.insert(left, right, n_inserted);
      if (!refused) ++n_inserted;
      EXPECT_EQ(table.find(left, right), refused ? MergeTable::kNone : n_inserted - 1);
    }
  }
  EXPECT_TRUE(refused);
  EXPECT_LT(n_inserted, kPairs);
}

TEST(TokenTable, KeepsTheFirstIdOfEqualBytes) {
  TokenTable table(3);
  EXPECT_EQ(table.insert("ab", 5), 5U);
  EXPECT_EQ(table.insert("ab", 6), 5U);
  EXPECT_EQ(table.find("ab"), 5U);
  EXPECT_EQ(table.find("a"), kNoToken);
  EXPECT_EQ(table.find(""), kNoToken);
}

}  // namespace
}  // namespace jarip
