#include "cli/models.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace jarip {
namespace {

ModelOutline small() {
  ModelOutline outline;
  outline.family = "llama";
  outline.format = "q8_0";
  outline.n_ctx_train = 8192;
  outline.memory = {.weights = 100U << 20U, .kv = 20U << 20U, .scratch = 8U << 20U};
  return outline;
}

const std::vector<ListedModel> kModels = {
    {{.name = "a", .path = "/m/a.gguf", .n_bytes = 1536, .modified = 0},
     fail(ErrorCode::kUnsupported, "no such family")},
    {{.name = "smollm2", .path = "/m/\xff.gguf", .n_bytes = 98U << 20U, .modified = 1700217000},
     small()}};

TEST(Models, AreATableWithWhatTheyNeedAndWhetherTheyFit) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const std::string text = models_as_text(kModels, 128U << 20U);
  EXPECT_EQ(text,
            "name         size  family     format  context     memory  fits  added\n"
            "a         1.5 KiB  can't run                              no    1970-01-01 00:00\n"
            "smollm2  98.0 MiB  llama      q8_0      8,192  128.0 MiB  yes   2023-11-17 10:30\n");
  EXPECT_FALSE(models_as_text(kModels, (128U << 20U) - 1).contains("yes"));
}

TEST(Models, AreAListInJson) {
  const auto list = boost::json::parse(models_as_json(kModels, 1)).as_array();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].at("name"), "a");
  EXPECT_EQ(list[0].at("path"), "/m/a.gguf");
  EXPECT_EQ(list[0].at("problem"), "no such family");
  EXPECT_EQ(list[1].at("bytes").to_number<std::uint64_t>(), 98U << 20U);
  EXPECT_EQ(list[1].at("modified"), 1700217000);
  EXPECT_EQ(list[1].at("memory").at("total").to_number<std::uint64_t>(), 128U << 20U);
  EXPECT_EQ(list[1].at("fits"), false);
  EXPECT_EQ(models_as_json({}, 1), "[]\n");
}

}  // namespace
}  // namespace jarip
