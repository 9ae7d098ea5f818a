#include "net/origin_policy.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

TEST(OriginPolicy, AnswersLoopbackNamesWithAnyPortAndNothingElse) {
  const OriginPolicy policy;
  for (const char* host :
       {"localhost", "localhost:8484", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:65535"}) {
    EXPECT_TRUE(is_host_allowed(policy, host)) << host;
  }
  for (const char* host :
       {"", "evil.example", "evil.example:8484", "localhost.evil.example", "127.0.0.1.evil.example",
        "localhost:", "localhost:x", "localhost:123456", "localhost:80:80", "[::1", "[::1]x", "::1",
        "0.0.0.0", "127.0.0.2", ":80"}) {
    EXPECT_FALSE(is_host_allowed(policy, host)) << host;
  }
}

TEST(OriginPolicy, AnswersHostsThatWereAdded) {
  const OriginPolicy policy{.allowed_hosts = {"chat.example", "[fe80::1]"}, .allowed_origins = {}};
  EXPECT_TRUE(is_host_allowed(policy, "chat.example:443"));
  EXPECT_TRUE(is_host_allowed(policy, "[fe80::1]"));
  EXPECT_FALSE(is_host_allowed(policy, "other.example"));
}

TEST(OriginPolicy, TellsOurOwnPagesFromListedAndForeignOnes) {
  const OriginPolicy policy{.allowed_hosts = {}, .allowed_origins = {"https://app.example"}};
  const std::string host = "localhost:8484";
  const std::string own = "http://localhost:8484";
  const std::string listed = "https://app.example";
  EXPECT_EQ(check_origin(policy, host, nullptr).value(), "");
  EXPECT_EQ(check_origin(policy, host, &own).value(), "");
  EXPECT_EQ(check_origin(policy, host, &listed).value(), listed);
  for (const std::string foreign : {"http://evil.example", "null", "", "http://localhost:9",
                                    "http://localhost:8484.evil.example",
                                    "https://app.example.evil", "https://localhost:8484"}) {
    const auto checked = check_origin(policy, host, &foreign);
    ASSERT_FALSE(checked) << foreign;
    EXPECT_EQ(checked.error().status, 403);
  }
}

}  // namespace
}  // namespace jarip
