#include "app/model_source.h"

#include <gtest/gtest.h>

#include <map>

#include "app/model_catalogue.h"
#include "model/library.h"

namespace jarip {
namespace {

const Hub kHub{};

std::string url_of(std::string_view text, const Hub& hub = kHub) {
  const auto source = parse_model_source(text, hub);
  if (!source) return source.error().message;
  const auto* at = std::get_if<UrlSource>(&*source);
  return at == nullptr ? "a repository" : at->url;
}

std::string repository_of(std::string_view text, const Hub& hub = kHub) {
  const auto source = parse_model_source(text, hub);
  if (!source) return source.error().message;
  const auto* at = std::get_if<RepositorySource>(&*source);
  return at == nullptr ? "a url" : at->repository + "|" + at->revision + "|" + at->format;
}

TEST(ModelSource, FilesOfTheHub) {
  EXPECT_EQ(url_of("hf:o/r/m.gguf"), "https://huggingface.co/o/r/resolve/main/m.gguf");
  EXPECT_EQ(url_of("hf:o/r@v2/sub/한 m.gguf"),
            "https://huggingface.co/o/r/resolve/v2/sub/%ED%95%9C%20m.gguf");
  EXPECT_EQ(url_of("hf.co/o/r/m.gguf"), "https://huggingface.co/o/r/resolve/main/m.gguf");
  // As the browser shows it.
  EXPECT_EQ(url_of("https://huggingface.co/o/r/blob/main/a/m.gguf?download=true"),
            "https://huggingface.co/o/r/resolve/main/a/m.gguf");
}

TEST(ModelSource, RepositoriesOfTheHub) {
  EXPECT_EQ(repository_of("hf:o/r"), "o/r|main|");
  EXPECT_EQ(repository_of("hf:o/r:Q4_K_M"), "o/r|main|Q4_K_M");
  EXPECT_EQ(repository_of("hf:o/r@abc:q8_0"), "o/r|abc|q8_0");
  EXPECT_EQ(repository_of("https://hf.co/o/r/"), "o/r|main|");
  EXPECT_EQ(repository_of("https://huggingface.co/o/r/tree/dev"), "o/r|dev|");
}

TEST(ModelSource, AMirrorTakesTheHubsPlace) {
  const std::map<std::string, std::string> values = {{"HF_ENDPOINT", "http://mirror:90/hub//"},
                                                     {"HF_TOKEN", "secret"}};
  const Hub hub = hub_of([&](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  });
  EXPECT_EQ(hub.token, "secret");
  EXPECT_EQ(url_of("hf:o/r/m.gguf", hub), "http://mirror:90/hub/o/r/resolve/main/m.gguf");
  EXPECT_EQ(url_of("http://mirror:90/hub/o/r/blob/main/m.gguf", hub),
            "http://mirror:90/hub/o/r/resolve/main/m.gguf");
  EXPECT_EQ(url_of("https://huggingface.co/o/r/blob/main/m.gguf", hub),
            "http://mirror:90/hub/o/r/resolve/main/m.gguf");
}

TEST(ModelSource, OtherAddressesStayAsTheyAre) {
  const auto source = parse_model_source("https://example.com/x%20y/m.gguf?a=b", kHub);
  ASSERT_TRUE(source);
  EXPECT_EQ(std::get<UrlSource>(*source).url, "https://example.com/x%20y/m.gguf?a=b");
  EXPECT_FALSE(std::get<UrlSource>(*source).is_at_hub);
  EXPECT_EQ(name_of_url("https://example.com/x/My-Model.gguf?a=b/c"), "My-Model");
}

TEST(ModelSource, WhatNamesNothingIsRefused) {
  for (const std::string_view text :
       {"", "model", "o/r", "hf:", "hf:o", "hf:o/", "hf:/r", "hf:o/..", "hf:../../etc/m.gguf",
        "hf:o/r/readme.md", "hf:o/r:Q4/m.gguf", "hf:o/r:", "hf:o/r@", "ftp://a/m.gguf",
        "https://huggingface.co/o", "https://huggingface.co/o/r/raw/main/m.gguf"}) {
    const auto source = parse_model_source(text, kHub);
    ASSERT_FALSE(source) << text;
    EXPECT_EQ(source.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

constexpr std::string_view kListing = R"({"id": "o/r", "siblings": [
    {"rfilename": "README.md"}, {"rfilename": "mmproj-model-Q4_K_M.gguf"},
    {"rfilename": "model-Q8_0.gguf"}, {"rfilename": "model-Q4_K_M.gguf"},
    {"rfilename": "model-Q4_0_4_4.gguf"}, {"rfilename": "model-IQ4_XS.gguf"},
    {"rfilename": "big/model-BF16-00001-of-00002.gguf"}, {"other": 1}, 7]})";

Result<std::string> choose(std::string_view format, std::string_view listing = kListing) {
  return choose_file({.repository = "o/r", .revision = "main", .format = std::string(format)},
                     listing);
}

TEST(ChooseFile, TakesTheFormatThatIsAskedFor) {
  EXPECT_EQ(choose("q8_0"), "model-Q8_0.gguf");
  EXPECT_EQ(choose("IQ4_XS"), "model-IQ4_XS.gguf");
  EXPECT_EQ(choose(""), "model-Q4_K_M.gguf");
  EXPECT_EQ(choose("", R"({"siblings": [{"rfilename": "only.gguf"}]})"), "only.gguf");
}

TEST(ChooseFile, SaysWhatThereIsInstead) {
  const auto none = choose("Q4_0");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find("model-Q8_0.gguf"), std::string::npos);
  EXPECT_EQ(none.error().message.find("mmproj"), std::string::npos);
  EXPECT_EQ(choose("BF16").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(choose("", R"({"siblings": [{"rfilename": "a.safetensors"}]})").error().code,
            ErrorCode::kNotFound);
  for (const std::string_view broken : {"", "[]", "{}", R"({"siblings": 3})", "<html>"}) {
    EXPECT_EQ(choose("", broken).error().code, ErrorCode::kCorrupt) << broken;
  }
}

TEST(Catalogue, NamesAreModelNamesAndItIsSorted) {
  std::uint64_t before = 0;
  for (const CatalogueModel& model : model_catalogue()) {
    EXPECT_TRUE(is_model_name(model.name)) << model.name;
    EXPECT_EQ(find_in_catalogue(model.name), &model);
    EXPECT_TRUE(model.file.ends_with(".gguf"));
    EXPECT_GE(model.n_memory_bytes(), before) << model.name;
    before = model.n_memory_bytes();
  }
  EXPECT_EQ(find_in_catalogue("nothing"), nullptr);
}

TEST(Catalogue, TheBestFitsTheMachine) {
  constexpr std::uint64_t kGiB = 1ULL << 30U;
  EXPECT_EQ(&best_for_memory(kGiB / 8, false), &model_catalogue().front());
  EXPECT_EQ(&best_for_memory(64 * kGiB, false), &model_catalogue().back());
  EXPECT_TRUE(best_for_memory(64 * kGiB, true).speaks_korean);
  for (std::uint64_t room = kGiB / 2; room < 16 * kGiB; room += kGiB / 4) {
    EXPECT_TRUE(best_for_memory(room, true).is_commercial) << room;
  }
}

}  // namespace
}  // namespace jarip
