#include "cli/keys.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <vector>

namespace jarip {
namespace {

KeyRecord record(KeyId id, std::string prefix, std::string name) {
  KeyRecord key;
  key.id = id;
  key.prefix = std::move(prefix);
  key.terms.name = std::move(name);
  key.terms.scopes = 1;
  key.created = 1'770'091'506;
  return key;
}

TEST(Keys, LifetimesHaveAUnitAndALimit) {
  EXPECT_EQ(parse_lifetime("90m").value(), 5400);
  EXPECT_EQ(parse_lifetime("12h").value(), 43200);
  EXPECT_EQ(parse_lifetime("30d").value(), 2592000);
  for (const char* bad : {"", "d", "30", "0d", "-1d", "1.5d", "30 d", "30dd", "30w", "99999999d",
                          "9223372036854775807d", "9223372036854775808d"}) {
    EXPECT_FALSE(parse_lifetime(bad)) << bad;
  }
}

TEST(Keys, AKeyIsChosenByPrefixNameOrWhole) {
  std::vector<KeyRecord> keys = {record(1, "jarip_0000000a", "editor"),
                                 record(2, "jarip_0000000b", "bot"),
                                 record(3, "jarip_0000000c", "bot")};
  EXPECT_EQ(choose_key(keys, "jarip_0000000b").value()->id, 2);
  EXPECT_EQ(choose_key(keys, "editor").value()->id, 1);
  const std::string whole = "jarip_0000000c_" + std::string(64, 'f');
  EXPECT_EQ(choose_key(keys, whole).value()->id, 3);
  EXPECT_EQ(choose_key(keys, "bot").error().code, ErrorCode::kInvalidArgument);
  keys[1].revoked = 5;
  EXPECT_EQ(choose_key(keys, "bot").value()->id, 3);
  EXPECT_EQ(choose_key(keys, "jarip_0000000b").value()->id, 2);
  const std::string unknown = "jarip_0000000d_" + std::string(64, 'f');
  const auto missing = choose_key(keys, unknown);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().message.find("ffff"), std::string::npos);
  EXPECT_FALSE(choose_key(keys, ""));
}

TEST(Keys, TheListSaysStateLimitsAndUse) {
  KeyRecord key = record(1, "jarip_0000000a", "편집기");
  key.terms.token_limit = 50'000;
  key.terms.expires = 2'000'000'000;
  key.use = {.requests = 3, .prompt_tokens = 1000, .output_tokens = 234};
  const std::vector<KeyRecord> keys = {key};
  const std::string text = keys_as_text(keys, 1);
  for (const char* part : {"jarip_0000000a", "good", "inference", "1,234", "50,000",
                           "2026-02-03 04:05Z", "2033-05-18 03:33Z", "편집기"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_NE(keys_as_text(keys, 2'000'000'000).find("expired"), std::string::npos);
  const auto json = boost::json::parse(keys_as_json(keys, 1)).at(0);
  EXPECT_EQ(json.at("name"), "편집기");
  EXPECT_EQ(json.at("scopes"), boost::json::parse(R"(["inference"])"));
  EXPECT_EQ(json.at("token_limit").as_int64(), 50'000);
  EXPECT_TRUE(json.at("requests_per_minute").is_null());
  EXPECT_EQ(json.at("prompt_tokens").as_int64(), 1000);
}

}  // namespace
}  // namespace jarip
