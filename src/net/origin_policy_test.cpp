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
  const OriginPolicy policy{.allowed_hosts = {"chat.example", "[fe80::1]"}};
  EXPECT_TRUE(is_host_allowed(policy, "chat.example:443"));
  EXPECT_TRUE(is_host_allowed(policy, "[fe80::1]"));
  EXPECT_FALSE(is_host_allowed(policy, "other.example"));
}

TEST(OriginPolicy, AnswersAddressesWhereItListensOnAll) {
  const OriginPolicy policy{.allow_addresses = true};
  for (const char* host : {"10.0.0.7", "192.168.1.5:8484", "[fe80::1]:8484", "[2001:db8::1]"}) {
    EXPECT_TRUE(is_host_allowed(policy, host)) << host;
  }
  for (const char* host : {"evil.example", "10.0.0", "10.0.0.7.evil.example", "0x7f.1", "fe80::1",
                           "[fe80::1", "[x]", "167772167", "1.2.3.4.5"}) {
    EXPECT_FALSE(is_host_allowed(policy, host)) << host;
  }
}

TEST(OriginPolicy, TellsOurOwnPagesFromListedAndForeignOnes) {
  const OriginPolicy policy{.allowed_origins = {"https://app.example"}};
  const std::string host = "localhost:8484";
  const std::string own = "http://localhost:8484";
  const std::string listed = "https://app.example";
  const std::string own_behind_proxy = "https://localhost:8484";
  for (const Transport transport : {Transport::kPlain, Transport::kTls}) {
    EXPECT_EQ(check_origin(policy, transport, host, nullptr).value(), "");
    EXPECT_EQ(check_origin(policy, transport, host, &own_behind_proxy).value(), "");
    EXPECT_EQ(check_origin(policy, transport, host, &listed).value(), listed);
  }
  EXPECT_EQ(check_origin(policy, Transport::kPlain, host, &own).value(), "");
  EXPECT_FALSE(check_origin(policy, Transport::kTls, host, &own));
  for (const std::string foreign :
       {"http://evil.example", "null", "", "http://localhost:9",
        "http://localhost:8484.evil.example", "https://app.example.evil", "ftp://localhost:8484"}) {
    const auto checked = check_origin(policy, Transport::kPlain, host, &foreign);
    ASSERT_FALSE(checked) << foreign;
    EXPECT_EQ(checked.error().status, 403);
  }
}

}  // namespace
}  // namespace jarip
