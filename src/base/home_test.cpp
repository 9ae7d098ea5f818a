#include "base/home.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace jarip {
namespace {

Result<std::filesystem::path> home_with(const std::map<std::string, const char*>& variables) {
  return home_folder([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second;
  });
}

TEST(Home, TheOwnersChoiceComesFirst) {
  EXPECT_EQ(home_with({{"JARIP_HOME", "/srv/jarip"}, {"HOME", "/home/mina"}}), "/srv/jarip");
}

TEST(Home, IsBelowTheUsersFolderWithoutAChoice) {
  EXPECT_EQ(home_with({{"HOME", "/home/mina"}}), "/home/mina/.local/share/jarip");
  EXPECT_EQ(home_with({{"JARIP_HOME", ""}, {"HOME", "/home/mina"}}),
            "/home/mina/.local/share/jarip");
}

TEST(Home, WithoutEitherTheErrorSaysWhatToSet) {
  const auto home = home_with({{"HOME", ""}});
  ASSERT_FALSE(home);
  EXPECT_EQ(home.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(home.error().where, "JARIP_HOME");
}

}  // namespace
}  // namespace jarip
