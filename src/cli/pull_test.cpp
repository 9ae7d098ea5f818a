#include "cli/pull.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace jarip {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20U;

TEST(DescribeDownload, TellsRateAndTimeLeft) {
  EXPECT_EQ(describe_download({.n_done = 10 * kMiB, .n_bytes = 100 * kMiB}, 2),
            "10.0 MiB of 100.0 MiB, 5.0 MiB/s, 18 s left");
  // What was there before came at no speed.
  EXPECT_EQ(describe_download(
                {.n_done = 60 * kMiB, .n_from_before = 50 * kMiB, .n_bytes = 1060 * kMiB}, 5),
            "60.0 MiB of 1.0 GiB, 2.0 MiB/s, 8 min 20 s left");
  EXPECT_EQ(describe_download({.n_done = 3 * kMiB}, 3), "3.0 MiB, 1.0 MiB/s");
  EXPECT_EQ(describe_download({.n_done = 3 * kMiB, .n_bytes = 4 * kMiB}, 0.1),
            "3.0 MiB of 4.0 MiB");
  EXPECT_EQ(
      describe_download({.n_done = kMiB, .n_bytes = 4 * kMiB, .trouble = "cut; again in 2 s"}, 9),
      "1.0 MiB of 4.0 MiB, cut; again in 2 s");
}

TEST(CatalogueList, MarksWhatFits) {
  const std::string text = catalogue_as_text(4096 * kMiB, Language::kEnglish);
  EXPECT_NE(text.find("* "), std::string::npos);
  EXPECT_NE(text.find("!  llama-3.1-8b-instruct"), std::string::npos) << text;
  EXPECT_NE(catalogue_as_text(4096 * kMiB, Language::kKorean).find("이 기계"), std::string::npos);
  const auto rows = boost::json::parse(catalogue_as_json(4096 * kMiB)).as_array();
  EXPECT_EQ(rows.size(), model_catalogue().size());
  EXPECT_FALSE(rows.back().at("fits").as_bool());
}

}  // namespace
}  // namespace jarip
