#include "cli/models.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace jarip {
namespace {

const std::vector<LibraryModel> kModels = {
    {.name = "a", .path = "/m/a.gguf", .n_bytes = 1536, .modified = 0},
    {.name = "smollm2", .path = "/m/\xff.gguf", .n_bytes = 98U << 20U, .modified = 1700217000}};

TEST(Models, AreATableOfNameSizeAndTime) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(models_as_text(kModels),
            "name         size  added\n"
            "a         1.5 KiB  1970-01-01 00:00\n"
            "smollm2  98.0 MiB  2023-11-17 10:30\n");
}

TEST(Models, AreAListInJson) {
  const auto list = boost::json::parse(models_as_json(kModels)).as_array();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].at("name"), "a");
  EXPECT_EQ(list[0].at("path"), "/m/a.gguf");
  EXPECT_EQ(list[1].at("bytes").to_number<std::uint64_t>(), 98U << 20U);
  EXPECT_EQ(list[1].at("modified"), 1700217000);
  EXPECT_EQ(models_as_json({}), "[]\n");
}

}  // namespace
}  // namespace jarip
