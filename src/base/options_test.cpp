#include "base/options.h"

#include <gtest/gtest.h>

#include <map>

namespace jarip {
namespace {

enum class Colour { kRed, kBlue };

// One option of each kind, as a command would declare them.
struct Everything {
  std::uint16_t port = 8484;
  std::optional<std::uint64_t> seed;
  float temperature = 1;
  bool json = false;
  std::string host = "127.0.0.1";
  std::vector<std::string> stop;
  std::uint64_t cache = 64U << 20U;
  Colour colour = Colour::kRed;
  std::string model;
  std::optional<std::string> prompt;
  OptionSet set;

  Everything() {
    set.add_number<std::uint16_t>({.name = "port", .letter = 'p', .value_name = "N"}, port,
                                  {0, 65535});
    set.add_number<std::uint64_t>({.name = "seed", .value_name = "N"}, seed, {0, UINT64_MAX});
    set.add_number({.name = "temperature", .value_name = "X"}, temperature, {0, 10});
    set.add_switch({.name = "json", .reach = Reach::kFlag}, json);
    set.add_text({.name = "host", .value_name = "ADDRESS"}, host);
    set.add_texts({.name = "stop", .value_name = "TEXT", .reach = Reach::kFlag}, stop);
    set.add_bytes({.name = "kv-cache", .value_name = "BYTES"}, cache, {1U << 20U, 1ULL << 40U});
    set.add_choice<Colour>({.name = "colour", .value_name = "WORD"}, colour,
                           {{"red", Colour::kRed}, {"blue", Colour::kBlue}});
    set.add_argument("MODEL", {}, model);
    set.add_argument("PROMPT", {}, prompt);
  }

  Result<void> parse(const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& variables = {},
                     std::string_view settings = "") {
    const auto file = SettingsFile::parse(settings, "config.toml");
    if (!file) return std::unexpected(file.error());
    return set.parse({.arguments = arguments,
                      .environment = [&](const char* name) -> const char* {
                        const auto found = variables.find(name);
                        return found == variables.end() ? nullptr : found->second.c_str();
                      },
                      .settings = &*file,
                      .section = "serve"});
  }
};

TEST(OptionsTest, EveryKindOfValueIsRead) {
  Everything e;
  const auto done = e.parse({"-p", "80", "--seed=18446744073709551615", "--temperature", "0.5",
                             "--json", "--host", "::1", "--stop", "a", "--stop", "-b", "--kv-cache",
                             "2g", "--colour", "blue", "m.gguf", "- a prompt"});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(e.port, 80);
  EXPECT_EQ(e.seed, UINT64_MAX);
  EXPECT_EQ(e.temperature, 0.5F);
  EXPECT_TRUE(e.json);
  EXPECT_EQ(e.host, "::1");
  EXPECT_EQ(e.stop, (std::vector<std::string>{"a", "-b"}));
  EXPECT_EQ(e.cache, 2ULL << 30U);
  EXPECT_EQ(e.colour, Colour::kBlue);
  EXPECT_EQ(e.model, "m.gguf");
  EXPECT_EQ(e.prompt, "- a prompt");
}

TEST(OptionsTest, DefaultsStayWhenNothingIsSaid) {
  Everything e;
  ASSERT_TRUE(e.parse({"m"}));
  EXPECT_EQ(e.port, 8484);
  EXPECT_EQ(e.seed, std::nullopt);
  EXPECT_FALSE(e.json);
  EXPECT_EQ(e.prompt, std::nullopt);
}

TEST(OptionsTest, FlagBeforeEnvironmentBeforeSettingsBeforeDefault) {
  const std::map<std::string, std::string> variables = {{"JARIP_PORT", "2"},
                                                        {"JARIP_KV_CACHE", "3M"}};
  const std::string_view settings =
      "port = 4\nkv-cache = '4M'\nhost = \"general\"\n[serve]\nhost = \"section\"\n";
  Everything flag;
  ASSERT_TRUE(flag.parse({"m", "--port", "1"}, variables, settings));
  EXPECT_EQ(flag.port, 1);
  EXPECT_EQ(flag.cache, 3U << 20U);
  EXPECT_EQ(flag.host, "section");
  Everything file;
  ASSERT_TRUE(file.parse({"m"}, {}, settings));
  EXPECT_EQ(file.port, 4);
  EXPECT_EQ(file.cache, 4U << 20U);
}

TEST(OptionsTest, AnEmptyVariableIsAsGoodAsUnset) {
  Everything e;
  ASSERT_TRUE(e.parse({"m"}, {{"JARIP_PORT", ""}}, "port = 5\n"));
  EXPECT_EQ(e.port, 5);
}

TEST(OptionsTest, WhatBelongsToOneCallIsNotTakenFromEnvironmentOrSettings) {
  Everything e;
  ASSERT_TRUE(e.parse({"m"}, {{"JARIP_JSON", "true"}, {"JARIP_PROMPT", "x"}}, "json = true\n"));
  EXPECT_FALSE(e.json);
  EXPECT_EQ(e.prompt, std::nullopt);
}

TEST(OptionsTest, WrongValuesAreRefusedByOptionValueAndRange) {
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } cases[] = {
      {{"m", "--port", "65536"}, "--port is \"65536\", but must be a whole number from 0 to 65535"},
      {{"m", "--port", "-1"}, "--port is \"-1\", but must be a whole number from 0 to 65535"},
      {{"m", "--port", "1.5"}, "--port is \"1.5\", but must be a whole number from 0 to 65535"},
      {{"m", "--port="}, "--port needs a value"},
      {{"m", "--temperature", "nan"},
       "--temperature is \"nan\", but must be a number from 0 to 10"},
      {{"m", "--temperature", "10.1"},
       "--temperature is \"10.1\", but must be a number from 0 to 10"},
      {{"m", "--kv-cache", "17179869184G"},
       "--kv-cache is \"17179869184G\", but must be a number of bytes from 1M to 1T"},
      {{"m", "--kv-cache", "3MB"},
       "--kv-cache is \"3MB\", but must be a number of bytes from 1M to 1T"},
      {{"m", "--colour", "green"}, "--colour is \"green\", but must be one of red, blue"},
      {{"m", "--stop", ""}, "--stop is \"\", but must be a text that isn't empty"},
      {{"m", "--port", "1", "-p", "2"}, "--port is given more than once"},
      {{}, "MODEL is missing"},
      {{"m", "p", "more"}, "\"more\" is one argument too many"},
      {{"m", "--prot", "1"}, "there is no option --prot; did you mean --port?"},
      {{"m", "--quite-unlike"}, "there is no option --quite-unlike"},
  };
  for (const auto& test : cases) {
    Everything e;
    const auto done = e.parse(test.arguments);
    ASSERT_FALSE(done) << test.message;
    EXPECT_EQ(done.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(done.error().message, test.message);
  }
}

TEST(OptionsTest, AMissingValueOrASurplusOneIsAnErrorThatNamesTheOption) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"m", "--port"}, {"m", "--json=maybe"}}) {
    Everything e;
    const auto done = e.parse(arguments);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find(arguments[1].substr(0, 6)), std::string::npos)
        << done.error().message;
  }
}

TEST(OptionsTest, ErrorsNameTheVariableOrTheLine) {
  Everything e;
  const auto variable = e.parse({"m"}, {{"JARIP_PORT", "x"}});
  ASSERT_FALSE(variable);
  EXPECT_EQ(variable.error().message,
            "JARIP_PORT is \"x\", but must be a whole number from 0 to 65535");
  EXPECT_EQ(variable.error().where, "port");
  const auto setting = e.parse({"m"}, {}, "# mine\nport = x\n");
  ASSERT_FALSE(setting);
  EXPECT_EQ(setting.error().message,
            "port on line 2 of config.toml is \"x\", but must be a whole number from 0 to 65535");
}

TEST(OptionsTest, AfterTwoDashesEverythingIsAnArgument) {
  Everything e;
  const auto done = e.parse({"m", "--", "--port"});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(e.prompt, "--port");
}

TEST(OptionsTest, DeclarationsCarryWhatHelpAndDocsSay) {
  const Everything e;
  const Option* cache = e.set.find("kv-cache");
  ASSERT_NE(cache, nullptr);
  EXPECT_EQ(cache->environment_name(), "JARIP_KV_CACHE");
  EXPECT_EQ(cache->initial, "64M");
  EXPECT_EQ(cache->allowed, "1M to 1T");
  EXPECT_EQ(e.set.find("colour")->initial, "red");
  EXPECT_EQ(e.set.find("nothing"), nullptr);
}

TEST(NearestWordTest, ForgivesTwoSlipsAndNoMore) {
  const std::vector<std::string_view> words = {"serve", "run", "tokenize"};
  EXPECT_EQ(nearest_word("sevre", words), "serve");
  EXPECT_EQ(nearest_word("tokenise", words), "tokenize");
  EXPECT_EQ(nearest_word("rn", words), "run");
  EXPECT_EQ(nearest_word("banana", words), "");
  EXPECT_EQ(nearest_word(std::string(1000, 'r'), words), "");
}

}  // namespace
}  // namespace jarip
