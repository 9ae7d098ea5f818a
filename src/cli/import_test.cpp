#include "cli/import.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "cli/open_library.h"
#include "model/gguf_writer.h"

namespace jarip {
namespace {

class ImportTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "import_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    home_ = name;
    ::setenv("JARIP_HOME", home_.c_str(), 1);
    ASSERT_TRUE(GgufWriter().add_u32("k", 1).write_to(home_ / "tiny.gguf"));
  }
  void TearDown() override { std::filesystem::remove_all(home_); }

  std::string imported(const std::string& file, const std::string& name) {
    testing::internal::CaptureStdout();
    const auto result = run_import({.file = file, .name = name});
    const std::string output = testing::internal::GetCapturedStdout();
    EXPECT_EQ(result.has_value(), !output.empty());
    return result ? output : result.error().message;
  }

  std::filesystem::path home_;
};

TEST_F(ImportTest, FillsTheLibraryOfTheOwnersFolder) {
  EXPECT_EQ(imported(home_ / "tiny.gguf", ""), "tiny imported (41 B)\n");
  EXPECT_EQ(imported(home_ / "tiny.gguf", "other"), "other imported (41 B)\n");
  EXPECT_EQ(imported(home_ / "tiny.gguf", ""), "tiny is there already (41 B)\n");
  EXPECT_EQ(open_library()->resolve("other"), home_ / "models" / "other.gguf");
}

TEST_F(ImportTest, AFailureSaysWhyAndAnswersNothing) {
  EXPECT_EQ(imported(home_ / "gone.gguf", ""),
            "there is no file " + (home_ / "gone.gguf").native());
}

}  // namespace
}  // namespace jarip
