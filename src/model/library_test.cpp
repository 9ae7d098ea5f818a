#include "model/library.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "model/gguf.h"
#include "model/gguf_writer.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;

GgufWriter tiny_model(std::uint32_t version = 0) {
  GgufWriter writer;
  writer.add_string("general.architecture", "llama")
      .add_u32("general.version", version)
      .add_tensor("t", Format::kF32, {1000});
  return writer;
}

class ModelLibraryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "library_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    home_ = name;
  }
  void TearDown() override { fs::remove_all(home_); }

  fs::path write_model(std::string_view name, std::uint32_t version = 0) {
    const fs::path path = home_ / name;
    EXPECT_TRUE(tiny_model(version).write_to(path));
    return path;
  }
  Result<ImportedModel> import(const fs::path& file, std::string name = {}) {
    return ModelLibrary(home_).import_file({.file = file, .name = std::move(name)});
  }
  std::vector<std::string> listed() {
    std::vector<std::string> names;
    const auto models = ModelLibrary(home_).list();
    EXPECT_TRUE(models);
    for (const LibraryModel& model : models.value()) names.push_back(model.name);
    return names;
  }
  std::vector<std::string> files_in_folder() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(home_ / "models")) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  fs::path home_;
};

using Names = std::vector<std::string>;

TEST(ModelName, FollowsThePattern) {
  for (const std::string_view good : {"a", "7b", "SmolLM2-135M-Instruct.Q4_1", "a..b", "a_"}) {
    EXPECT_TRUE(is_model_name(good)) << good;
  }
  EXPECT_TRUE(is_model_name(std::string(128, 'a')));
  for (const std::string_view bad : {"", ".", "..", ".hidden", "-n", "_a", "a/b", "../a", "a b",
                                     "a\n", "감", "a\\b", "a:b", "~"}) {
    EXPECT_FALSE(is_model_name(bad)) << bad;
  }
  EXPECT_FALSE(is_model_name(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_model_name(std::string(129, 'a')));
}

TEST_F(ModelLibraryTest, AFolderThatIsNotThereIsAnEmptyLibrary) {
  EXPECT_EQ(listed(), Names{});
  EXPECT_FALSE(fs::exists(home_ / "models"));
}

TEST_F(ModelLibraryTest, ImportsUnderTheFilesNameOrAnother) {
  const fs::path file = write_model("tiny.Q8_0.gguf");
  const auto imported = import(file);
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported->model.name, "tiny.Q8_0");
  EXPECT_EQ(imported->model.path, home_ / "models" / "tiny.Q8_0.gguf");
  EXPECT_EQ(imported->model.n_bytes, fs::file_size(file));
  EXPECT_FALSE(imported->was_there);
  ASSERT_TRUE(import(file, "other"));
  EXPECT_EQ(listed(), (Names{"other", "tiny.Q8_0"}));
  EXPECT_TRUE(GgufFile::open(home_ / "models" / "other.gguf"));
  EXPECT_EQ(files_in_folder().size(), 2U);
}

TEST_F(ModelLibraryTest, ListsOnlyFilesThatAreModelsByName) {
  ASSERT_TRUE(import(write_model("b.gguf")));
  ASSERT_TRUE(import(write_model("a.gguf")));
  const fs::path models = home_ / "models";
  fs::create_directory(models / "folder.gguf");
  for (const char* name : {".import-c.1.0", ".gguf", "notes.txt", "two words.gguf"}) {
    std::ofstream(models / name) << "x";
  }
  EXPECT_EQ(listed(), (Names{"a", "b"}));
}

TEST_F(ModelLibraryTest, ResolvesNamesFirstThenPaths) {
  const fs::path file = write_model("tiny.gguf");
  const ModelLibrary library(home_);
  EXPECT_EQ(library.resolve(file.native()), file);
  ASSERT_TRUE(import(file));
  EXPECT_EQ(library.resolve("tiny"), home_ / "models" / "tiny.gguf");
  EXPECT_EQ(library.resolve("tiny.gguf"), home_ / "models" / "tiny.gguf");
}

TEST_F(ModelLibraryTest, AMissingModelNamesThoseThereAre) {
  const ModelLibrary library(home_);
  const auto first = library.resolve("gone");
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(first.error().message,
            "there is no model \"gone\": no model is there yet: `jarip pull` fetches one, "
            "`jarip import FILE` adds a file");

  ASSERT_TRUE(import(write_model("b.gguf")));
  ASSERT_TRUE(import(write_model("a.gguf")));
  EXPECT_EQ(library.resolve("gone").error().message,
            "there is no model \"gone\": the models are a, b; `jarip pull` and "
            "`jarip import FILE` add others");
  for (const std::string_view odd : {"", "/no/such.gguf", "../models/a", "a/../b", "/"}) {
    const auto missing = library.resolve(odd);
    ASSERT_FALSE(missing) << odd;
    EXPECT_TRUE(missing.error().message.starts_with("there is no model file")) << odd;
  }
}

TEST_F(ModelLibraryTest, AnErrorNamesNotMoreThanADozenModels) {
  const fs::path file = write_model("m.gguf");
  for (int i = 10; i < 30; ++i) ASSERT_TRUE(import(file, fmt::format("m{}", i)));
  const auto missing = ModelLibrary(home_).resolve("gone");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("m21 and 8 more;"), std::string::npos)
      << missing.error().message;
}

TEST_F(ModelLibraryTest, TheSameModelAgainIsNoErrorAndAnotherUnderItsNameIs) {
  const fs::path file = write_model("m.gguf", 1);
  ASSERT_TRUE(import(file));
  const auto again = import(file);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->was_there);
  const auto itself = import(home_ / "models" / "m.gguf");
  ASSERT_TRUE(itself) << itself.error().message;
  EXPECT_TRUE(itself->was_there);

  const auto other = import(write_model("other.gguf", 2), "m");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(other.error().message.starts_with("another model has the name m already"));
  EXPECT_EQ(GgufFile::open(home_ / "models" / "m.gguf")->read_uint("general.version"), 1U);
  EXPECT_EQ(files_in_folder(), Names{"m.gguf"});
}

TEST_F(ModelLibraryTest, RefusesNamesOffThePatternAndWritesNothing) {
  const fs::path file = write_model("m.gguf");
  for (const char* name : {"../m", "a/b", ".m", "두나", "..", "a b"}) {
    const auto imported = import(file, name);
    ASSERT_FALSE(imported) << name;
    EXPECT_EQ(imported.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(imported.error().message.find(kModelNamePattern), std::string::npos);
  }
  EXPECT_FALSE(import(write_model("my model.gguf")));
  EXPECT_FALSE(fs::exists(home_ / "models"));
}

TEST_F(ModelLibraryTest, RefusesWhatIsNoModelAndWritesNothing) {
  std::ofstream(home_ / "text.gguf") << "hello";
  const auto text = import(home_ / "text.gguf");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::kCorrupt);

  const auto missing = import(home_ / "missing.gguf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);

  ASSERT_TRUE(tiny_model().add_u32("split.count", 3).write_to(home_ / "part.gguf"));
  const auto part = import(home_ / "part.gguf");
  ASSERT_FALSE(part);
  EXPECT_EQ(part.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(part.error().message.find("one of the 3 parts"), std::string::npos);
  EXPECT_FALSE(fs::exists(home_ / "models"));
}

TEST_F(ModelLibraryTest, AHomeThatCannotBeWrittenSaysSo) {
  const fs::path file = write_model("m.gguf");
  // A file in the folder's place refuses every user, the superuser too.
  const ModelLibrary library(file);
  const auto imported = library.import_file({.file = file});
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, ErrorCode::kIo);
  EXPECT_EQ(imported.error().where, "JARIP_HOME");
  EXPECT_NE(imported.error().message.find("set JARIP_HOME to a folder that you can write to"),
            std::string::npos);
  EXPECT_FALSE(library.list());
}

TEST_F(ModelLibraryTest, AFailedCopyLeavesNothingBehind) {
  const fs::path file = write_model("m.gguf");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto imported = import(file);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, ErrorCode::kIo);
  EXPECT_EQ(files_in_folder(), Names{});
}

TEST_F(ModelLibraryTest, ClearsWhatDeadImportsLeftAndSparesLivingOnes) {
  const fs::path models = home_ / "models";
  fs::create_directories(models);
  std::ofstream(models / ".import-dead.1.0") << "x";
  std::ofstream(models / ".import-living.2.0") << "x";
  const int living = ::open((models / ".import-living.2.0").c_str(), O_RDONLY);
  ASSERT_EQ(::flock(living, LOCK_EX), 0);
  ASSERT_TRUE(import(write_model("m.gguf")));
  ::close(living);
  EXPECT_FALSE(fs::exists(models / ".import-dead.1.0"));
  EXPECT_TRUE(fs::exists(models / ".import-living.2.0"));
}

TEST_F(ModelLibraryTest, ProgressEndsAtTheSizeOfTheFile) {
  const fs::path file = write_model("m.gguf");
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  const auto imported = ModelLibrary(home_).import_file(
      {.file = file, .on_progress = [&](std::uint64_t n_done, std::uint64_t n_bytes) {
         EXPECT_GT(n_done, last);
         last = n_done;
         total = n_bytes;
       }});
  ASSERT_TRUE(imported);
  EXPECT_EQ(last, fs::file_size(file));
  EXPECT_EQ(total, last);
}

TEST_F(ModelLibraryTest, ImportsAtOnceUnderOneNameLeaveOneModelAndNoPartials) {
  const fs::path one = write_model("one.gguf", 1);
  const fs::path two = write_model("two.gguf", 2);
  std::vector<Result<ImportedModel>> results(8, fail(ErrorCode::kInternal, "not run"));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < results.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = import(i % 2 == 0 ? one : two, "m"); });
    }
  }
  EXPECT_EQ(files_in_folder(), Names{"m.gguf"});
  const auto winner = GgufFile::open(home_ / "models" / "m.gguf")->read_uint("general.version");
  ASSERT_TRUE(winner);
  for (std::size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].has_value(), i % 2 == *winner - 1) << i;
  }
}

}  // namespace
}  // namespace jarip
