#include "base/machine_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace jarip {
namespace {

class ControlGroupTest : public ::testing::Test {
 protected:
  ~ControlGroupTest() override { std::filesystem::remove_all(root_); }

  void put(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }

  const std::filesystem::path root_ =
      std::filesystem::path(::testing::TempDir()) /
      ("control_group_" +
       std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST_F(ControlGroupTest, TheLeastLimitOfAllGroupsAroundHolds) {
  EXPECT_EQ(control_group_memory(root_), 0U);
  put("proc/self/cgroup", "0::/a.slice/b.service\n");
  put("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
  EXPECT_EQ(control_group_memory(root_), 0U);
  put("sys/fs/cgroup/memory.max", "5000\n");
  EXPECT_EQ(control_group_memory(root_), 5000U);
  put("sys/fs/cgroup/a.slice/memory.max", "3000\n");
  EXPECT_EQ(control_group_memory(root_), 3000U);
}

TEST_F(ControlGroupTest, TheFirstVersionIsReadToo) {
  put("proc/self/cgroup", "nonsense\n4:cpu:/x\n9:memory:/docker/x\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(control_group_memory(root_), 0U);
  put("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "7000\n");
  EXPECT_EQ(control_group_memory(root_), 7000U);
}

TEST(MachineMemory, ThereIsSomeAndModelsGetLess) {
  EXPECT_GT(machine_memory(), 1U << 20U);
  EXPECT_LT(safe_model_memory(), machine_memory());
}

}  // namespace
}  // namespace jarip
