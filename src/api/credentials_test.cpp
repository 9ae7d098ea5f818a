#include "api/credentials.h"

#include <gtest/gtest.h>

#include <vector>

namespace jarip {
namespace {

Request with(std::vector<HttpField> headers) {
  Request request;
  request.headers = std::move(headers);
  return request;
}

TEST(Credentials, AKeyComesInEitherHeaderOrTheSameInBoth) {
  EXPECT_EQ(presented_key(with({})).value(), "");
  EXPECT_EQ(presented_key(with({{"authorization", "Bearer k"}})).value(), "k");
  EXPECT_EQ(presented_key(with({{"authorization", "bEARER   k"}})).value(), "k");
  EXPECT_EQ(presented_key(with({{"authorization", "Bearer"}})).value(), "");
  EXPECT_EQ(presented_key(with({{"x-api-key", "k"}})).value(), "k");
  EXPECT_EQ(presented_key(with({{"x-api-key", ""}, {"authorization", "Bearer k"}})).value(), "k");
  EXPECT_EQ(presented_key(with({{"x-api-key", "k"}, {"authorization", "Bearer k"}})).value(), "k");
}

TEST(Credentials, WhatCouldBeReadInTwoWaysIsRefused) {
  for (const auto& headers : std::vector<std::vector<HttpField>>{
           {{"x-api-key", "a"}, {"authorization", "Bearer b"}},
           {{"x-api-key", "a"}, {"x-api-key", "a"}},
           {{"authorization", "Bearer a"}, {"authorization", "Bearer a"}},
           {{"authorization", "Basic YTpi"}},
           {{"authorization", "Basic YTpi"}, {"x-api-key", "a"}},
           {{"authorization", ""}},
           {{"authorization", "a"}},
       }) {
    const auto key = presented_key(with(headers));
    ASSERT_FALSE(key) << headers.front().value;
    EXPECT_EQ(key.error().code, ErrorCode::kUnauthorized);
  }
}

}  // namespace
}  // namespace jarip
