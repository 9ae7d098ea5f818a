#include "app/api_key.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

namespace jarip {
namespace {

TEST(ApiKey, EveryKeyIsItsOwnAndMatchesItsHashAlone) {
  std::set<std::string> texts;
  const ApiKey other = make_api_key().value();
  for (int i = 0; i < 100; ++i) {
    const ApiKey key = make_api_key().value();
    texts.insert(key.text);
    EXPECT_EQ(key.text.size(), 79U);
    EXPECT_EQ(prefix_of_key(key.text), key.prefix);
    EXPECT_TRUE(is_key_prefix(key.prefix));
    EXPECT_TRUE(key_matches(key.text, key.hash));
    EXPECT_FALSE(key_matches(other.text, key.hash));
  }
  EXPECT_EQ(texts.size(), 100U);
}

TEST(ApiKey, OneBitMakesAnotherKey) {
  const ApiKey key = make_api_key().value();
  for (std::size_t i = 0; i < key.text.size(); ++i) {
    std::string wrong = key.text;
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    EXPECT_FALSE(key_matches(wrong, key.hash)) << i;
  }
  EXPECT_FALSE(key_matches(key.text.substr(0, 78), key.hash));
  EXPECT_FALSE(key_matches("", key.hash));
}

TEST(ApiKey, TheHashIsSha256OfTheText) {
  // printf '%s' jarip_00000000_0000…0 | sha256sum, with 64 zeros
  const std::string text = "jarip_00000000_" + std::string(64, '0');
  constexpr unsigned char kExpected[] = {0x60, 0xb0, 0x6e, 0x9f, 0xbb, 0x3e, 0x25, 0xf4,
                                         0x19, 0x20, 0x4e, 0x32, 0x83, 0xbd, 0xd9, 0x0d,
                                         0x54, 0x26, 0x74, 0x96, 0xd0, 0x03, 0x32, 0x2c,
                                         0x59, 0x51, 0xb6, 0x08, 0x17, 0x30, 0x51, 0xd5};
  KeyHash hash{};
  std::memcpy(hash.data(), kExpected, sizeof kExpected);
  EXPECT_TRUE(key_matches(text, hash));
}

TEST(ApiKey, WhatIsNoKeyHasNoPrefix) {
  const std::string good = make_api_key().value().text;
  std::string upper = good;
  upper[20] = 'A';
  std::string with_nul = good;
  with_nul[40] = '\0';
  for (const std::string& bad :
       {std::string(), std::string("sk-abc"), good.substr(1), good + "0", upper, with_nul,
        "jarip_0123abcd-" + std::string(64, '0'), std::string(79, 'x')}) {
    EXPECT_FALSE(prefix_of_key(bad)) << bad;
  }
  EXPECT_FALSE(is_key_prefix("jarip_0123abc"));
  EXPECT_FALSE(is_key_prefix("jarip_0123abcg"));
}

}  // namespace
}  // namespace jarip
