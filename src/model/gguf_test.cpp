#include "model/gguf.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_writer.h"

namespace jarip {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

// One of everything: each scalar type, arrays, formats with and without blocks.
GgufWriter small_model() {
  const float weights[] = {1.0F, -2.0F, 0.5F, 4.0F};
  GgufWriter writer;
  writer.add_string("general.architecture", "llama")
      .add_u32("llama.block_count", 2)
      .add_u64("llama.context_length", 1ULL << 40U)
      .add_i32("llama.offset", -7)
      .add_f32("llama.rope.freq_base", 10000.5F)
      .add_f64("llama.scale", 0.125)
      .add_bool("llama.tied", true)
      .add_strings("tokenizer.ggml.tokens", {"a", "", "감", "\xff\xfe"})
      .add_ints("tokenizer.ggml.token_type", {1, -1, 3})
      .add_floats("tokenizer.ggml.scores", {0.5F, -1.0F})
      .add_f32_tensor("norm.weight", {4}, weights)
      .add_tensor("embed.weight", Format::kQ8_0, {64, 3})
      .add_tensor("cube.weight", Format::kF16, {2, 3, 4, 5});
  return writer;
}

Error refusal_of(const Bytes& bytes) {
  const auto file = GgufFile::parse(bytes);
  EXPECT_FALSE(file);
  return file ? Error{} : file.error();
}

TEST(Gguf, ReadsWhatWasWritten) {
  const Bytes bytes = small_model().finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->version(), 3U);
  EXPECT_EQ(file->alignment(), 32U);
  EXPECT_EQ(file->n_bytes(), bytes.size());
  EXPECT_EQ(file->values().size(), 10U);
  EXPECT_EQ(file->read_string("general.architecture"), "llama");
  EXPECT_EQ(file->read_uint("llama.block_count"), 2U);
  EXPECT_EQ(file->read_uint("llama.context_length"), 1ULL << 40U);
  EXPECT_EQ(file->read_float("llama.rope.freq_base"), 10000.5);
  EXPECT_EQ(file->read_float("llama.scale"), 0.125);
  EXPECT_EQ(file->read_bool("llama.tied"), true);
  EXPECT_EQ(file->read_strings("tokenizer.ggml.tokens"),
            (std::vector<std::string_view>{"a", "", "감", "\xff\xfe"}));
  EXPECT_EQ(file->read_ints("tokenizer.ggml.token_type"), (std::vector<std::int64_t>{1, -1, 3}));
  EXPECT_EQ(file->read_floats("tokenizer.ggml.scores"), (std::vector<float>{0.5F, -1.0F}));
}

TEST(Gguf, TensorsHaveTheirShapeFormatAndBytes) {
  const Bytes bytes = small_model().finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 3U);

  const GgufTensor* norm = file->find_tensor("norm.weight");
  ASSERT_NE(norm, nullptr);
  EXPECT_EQ(norm->n_dims, 1U);
  EXPECT_EQ(norm->n_elements, 4U);
  ASSERT_EQ(norm->data.size(), 16U);
  float second = 0;
  std::memcpy(&second, norm->data.data() + 4, sizeof(second));
  EXPECT_EQ(second, -2.0F);

  const GgufTensor* embed = file->find_tensor("embed.weight");
  ASSERT_NE(embed, nullptr);
  EXPECT_EQ(embed->format, Format::kQ8_0);
  EXPECT_EQ(embed->data.size(), 64U / 32 * 34 * 3);

  const GgufTensor* cube = file->find_tensor("cube.weight");
  ASSERT_NE(cube, nullptr);
  EXPECT_EQ(cube->n_dims, 4U);
  EXPECT_EQ(cube->shape[3], 5U);
  EXPECT_EQ(cube->n_elements, 120U);
  for (const GgufTensor& tensor : file->tensors()) {
    EXPECT_EQ(tensor.offset % 32, 0U);
    EXPECT_EQ(tensor.data.data(), bytes.data() + tensor.offset);
  }
  EXPECT_EQ(file->find_tensor("absent"), nullptr);
  EXPECT_EQ(file->find_value("absent"), nullptr);
}

TEST(Gguf, ReadsVersionTwoOtherAlignmentsAndFilesWithoutTensors) {
  EXPECT_TRUE(GgufFile::parse(small_model().set_version(2).finish()));

  GgufWriter wide;
  wide.set_alignment(4096).add_tensor("a", Format::kF32, {3}).add_tensor("b", Format::kF32, {5});
  const Bytes bytes = wide.finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->alignment(), 4096U);
  EXPECT_EQ(file->tensors()[0].offset, 4096U);
  EXPECT_EQ(file->tensors()[1].offset, 8192U);

  const Bytes vocabulary = GgufWriter().add_strings("tokenizer.ggml.tokens", {"a"}).finish();
  EXPECT_TRUE(GgufFile::parse(vocabulary));
  EXPECT_TRUE(GgufFile::parse(GgufWriter().finish()));
}

TEST(Gguf, FindsEveryKeyAmongMany) {
  GgufWriter writer;
  for (std::uint32_t i = 0; i < 500; ++i) writer.add_u32(fmt::format("k{}", i * 7919 % 500), i);
  const Bytes bytes = writer.finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  for (std::uint32_t i = 0; i < 500; ++i) {
    EXPECT_EQ(file->read_uint(fmt::format("k{}", i * 7919 % 500)), i);
  }
  EXPECT_EQ(file->find_value("k500"), nullptr);
}

TEST(Gguf, AnAbsentKeyOrAnotherTypeIsAnErrorThatNamesTheKey) {
  const Bytes bytes = small_model().finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file);
  const auto expect = [](const auto& result, std::string_view message) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt);
    EXPECT_TRUE(result.error().message.starts_with(message)) << result.error().message;
    EXPECT_TRUE(result.error().where.starts_with("key ")) << result.error().where;
  };
  expect(file->read_uint("no.such"), "the model file has no key no.such");
  expect(file->read_uint("general.architecture"),
         "key general.architecture is of type string where an integer is needed, at offset");
  expect(file->read_uint("llama.tied"), "key llama.tied is of type bool where an integer");
  expect(file->read_uint("llama.offset"), "key llama.offset holds a number that is negative");
  expect(file->read_float("llama.block_count"), "key llama.block_count is of type U32 where F32");
  expect(file->read_bool("llama.block_count"), "key llama.block_count is of type U32 where a bool");
  expect(file->read_string("tokenizer.ggml.tokens"),
         "key tokenizer.ggml.tokens is of type array of string where a string");
  expect(file->read_strings("general.architecture"), "key general.architecture is of type string");
  expect(file->read_strings("tokenizer.ggml.scores"),
         "key tokenizer.ggml.scores is of type array of F32 where an array of strings");
  expect(file->read_ints("tokenizer.ggml.scores"), "key tokenizer.ggml.scores is of type");
  expect(file->read_floats("tokenizer.ggml.token_type"), "key tokenizer.ggml.token_type is");
}

TEST(Gguf, IntegersOfEveryWidthAndSignConvertWhenTheyFit) {
  GgufWriter writer;
  const auto add = [&](std::string_view key, GgufType type, auto number) {
    writer.add_value(key, type, ByteWriter().number(number).bytes());
    writer.add_array(fmt::format("{}s", key), type, 1, ByteWriter().number(number).bytes());
  };
  add("u8", GgufType::kU8, std::uint8_t{200});
  add("i8", GgufType::kI8, std::int8_t{100});
  add("u16", GgufType::kU16, std::uint16_t{60000});
  add("i16", GgufType::kI16, std::int16_t{30000});
  add("u32", GgufType::kU32, std::uint32_t{4000000000});
  add("i32", GgufType::kI32, std::int32_t{2000000000});
  add("u64", GgufType::kU64, kHuge);
  add("i64", GgufType::kI64, std::int64_t{1} << 62U);
  const Bytes bytes = writer.finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  const std::pair<std::string_view, std::uint64_t> cases[] = {
      {"u8", 200},         {"i8", 100},         {"u16", 60000}, {"i16", 30000},
      {"u32", 4000000000}, {"i32", 2000000000}, {"u64", kHuge}, {"i64", 1ULL << 62U}};
  for (const auto& [key, number] : cases) {
    EXPECT_EQ(file->read_uint(key), number) << key;
    const auto list = file->read_ints(fmt::format("{}s", key));
    if (number == kHuge) {
      EXPECT_FALSE(list);
    } else {
      ASSERT_TRUE(list) << key;
      EXPECT_EQ((*list)[0], static_cast<std::int64_t>(number)) << key;
    }
  }
}

TEST(Gguf, FirstElementsShowAnyValueWithoutKnowingItsKey) {
  const Bytes bytes = small_model().finish();
  const auto file = GgufFile::parse(bytes);
  ASSERT_TRUE(file);
  const auto first = [&](std::string_view key, std::uint64_t n) {
    return first_elements(*file->find_value(key), n);
  };
  using Scalars = std::vector<GgufScalar>;
  EXPECT_EQ(first("general.architecture", 1), Scalars{std::string_view("llama")});
  EXPECT_EQ(first("llama.block_count", 9), Scalars{std::uint64_t{2}});
  EXPECT_EQ(first("llama.offset", 9), Scalars{std::int64_t{-7}});
  EXPECT_EQ(first("llama.rope.freq_base", 9), Scalars{10000.5F});
  EXPECT_EQ(first("llama.scale", 9), Scalars{0.125});
  EXPECT_EQ(first("llama.tied", 9), Scalars{true});
  EXPECT_EQ(first("tokenizer.ggml.tokens", 3),
            (Scalars{std::string_view("a"), std::string_view(""), std::string_view("감")}));
  EXPECT_EQ(first("tokenizer.ggml.token_type", 2), (Scalars{std::int64_t{1}, std::int64_t{-1}}));
  EXPECT_EQ(first("tokenizer.ggml.scores", 0), Scalars{});
}

// Values and records that are wrong on purpose, and what the person reads.
struct BadFile {
  std::string_view name;
  std::function<Bytes()> make;
  ErrorCode code;
  std::string_view message;
};

Bytes header(std::uint32_t version, std::uint64_t n_tensors, std::uint64_t n_values,
             std::string_view rest = {}) {
  return ByteWriter()
      .text("GGUF")
      .number(version)
      .number(n_tensors)
      .number(n_values)
      .text(rest)
      .bytes();
}

Bytes one_value(GgufType type, const ByteWriter& value) {
  return GgufWriter().add_value("k", type, value.bytes()).finish();
}

Bytes one_record(std::uint32_t ggml_type, const std::vector<std::uint64_t>& shape,
                 std::uint64_t offset) {
  return GgufWriter().add_tensor_record("t", ggml_type, shape, offset).finish();
}

const std::vector<BadFile>& bad_headers() {
  static const std::vector<BadFile> kCases = {
      {"empty", [] { return Bytes{}; }, ErrorCode::kCorrupt, "the file is empty"},
      {"short magic", [] { return ByteWriter().text("GG").bytes(); }, ErrorCode::kCorrupt,
       "not a GGUF file: it does not begin with the letters GGUF, at offset 0 in the header"},
      {"another file", [] { return ByteWriter().text("PK\x03\x04 and so on").bytes(); },
       ErrorCode::kCorrupt, "not a GGUF file"},
      {"no version", [] { return ByteWriter().text("GGUF\x03").bytes(); }, ErrorCode::kCorrupt,
       "the version takes 4 bytes and the file ends after 1, at offset 4 in the header"},
      {"version 1", [] { return header(1, 0, 0); }, ErrorCode::kUnsupported,
       "GGUF version 1 is not supported, only 2 and 3, at offset 4"},
      {"version 4", [] { return header(4, 0, 0); }, ErrorCode::kUnsupported, "GGUF version 4"},
      {"big-endian", [] { return header(0x03000000, 0, 0); }, ErrorCode::kUnsupported,
       "big-endian GGUF files are not supported"},
      {"tensors past the limit", [] { return header(3, kHuge, 0); }, ErrorCode::kTooLarge,
       "the number of tensors is 18446744073709551615, above the limit of 65536, at offset 8"},
      {"keys past the limit", [] { return header(3, 0, 65537); }, ErrorCode::kTooLarge,
       "the number of keys is 65537, above the limit of 65536, at offset 16"},
      {"counts past the file", [] { return header(3, 2, 1, "0123456789"); }, ErrorCode::kCorrupt,
       "2 tensors and 1 keys can't fit in the 10 bytes that follow, at offset 8 in the header"},
  };
  return kCases;
}

const std::vector<BadFile>& bad_values() {
  static const std::vector<BadFile> kCases = {
      {"empty key", [] { return GgufWriter().add_u32("", 1).finish(); }, ErrorCode::kCorrupt,
       "the name is empty, at offset 24 in key number 1"},
      {"long key", [] { return GgufWriter().add_u32(std::string(65536, 'k'), 1).finish(); },
       ErrorCode::kCorrupt, "the name has 65536 bytes, at most 65535 may be, at offset 24"},
      {"key with a newline", [] { return GgufWriter().add_u32("a\nb", 1).finish(); },
       ErrorCode::kCorrupt, "the name has a byte that is not printable ASCII, at offset 33"},
      {"key past the end",
       [] { return header(3, 0, 1, std::string_view("\xff\0\0\0\0\0\0\0kkkkkkkk", 16)); },
       ErrorCode::kCorrupt, "the name takes 255 bytes and the file ends after 8, at offset 32"},
      {"key twice", [] { return GgufWriter().add_u32("k", 1).add_u32("k", 2).finish(); },
       ErrorCode::kCorrupt, "the key is there twice, at offset 49 in key k"},
      {"unknown type", [] { return one_value(GgufType{13}, ByteWriter().number(0)); },
       ErrorCode::kCorrupt, "the value type 13 is none that GGUF has, at offset 33 in key k"},
      {"cut number", [] { return one_value(GgufType::kU64, ByteWriter().number(0)); },
       ErrorCode::kCorrupt, "the value takes 8 bytes and the file ends after 4, at offset 37"},
      {"string of 2^64 - 1",
       [] { return one_value(GgufType::kString, ByteWriter().number(kHuge).text("abc")); },
       ErrorCode::kCorrupt,
       "the string takes 18446744073709551615 bytes and the file ends after 3"},
      {"bool of 2", [] { return one_value(GgufType::kBool, ByteWriter().number('\x02')); },
       ErrorCode::kCorrupt, "a bool is 2, neither 0 nor 1, at offset 37 in key k"},
      {"array of arrays",
       [] {
         const auto inner = ByteWriter().number(std::uint32_t{4}).number(std::uint64_t{0});
         return GgufWriter().add_array("k", GgufType::kArray, 1, inner.bytes()).finish();
       },
       ErrorCode::kUnsupported, "arrays of arrays are not supported, at offset 37 in key k"},
      {"array of unknown type",
       [] { return GgufWriter().add_array("k", GgufType{99}, 0, {}).finish(); },
       ErrorCode::kCorrupt, "the element type 99 is none that GGUF has, at offset 37"},
      {"array past the limit",
       [] { return GgufWriter().add_array("k", GgufType::kU8, (1U << 24U) + 1, {}).finish(); },
       ErrorCode::kTooLarge, "the number of elements is 16777217, above the limit of 16777216"},
      {"array past the end",
       [] { return GgufWriter().add_array("k", GgufType::kF64, 1U << 24U, {}).finish(); },
       ErrorCode::kCorrupt, "the array takes 134217728 bytes and the file ends after 0"},
      {"array of strings past the end",
       [] {
         const auto one = ByteWriter().string("one");
         return GgufWriter().add_array("k", GgufType::kString, 2, one.bytes()).finish();
       },
       ErrorCode::kCorrupt, "the string takes 8 bytes and the file ends after 0, at offset 60"},
      {"bool of 7 in an array",
       [] {
         const auto bools = ByteWriter().number('\1').number('\7').number('\0');
         return GgufWriter().add_array("k", GgufType::kBool, 3, bools.bytes()).finish();
       },
       ErrorCode::kCorrupt, "a bool is 7, neither 0 nor 1, at offset 50 in key k"},
      {"alignment of 24", [] { return GgufWriter().add_u32("general.alignment", 24).finish(); },
       ErrorCode::kCorrupt,
       "the alignment is 24, not a power of two from 8 to 2097152, at offset 53 in key "
       "general.alignment"},
      {"alignment of 0", [] { return GgufWriter().add_u32("general.alignment", 0).finish(); },
       ErrorCode::kCorrupt, "the alignment is 0"},
      {"alignment of 4", [] { return GgufWriter().add_u32("general.alignment", 4).finish(); },
       ErrorCode::kCorrupt, "the alignment is 4"},
      {"alignment of 2^31",
       [] { return GgufWriter().add_u32("general.alignment", 1U << 31U).finish(); },
       ErrorCode::kCorrupt, "the alignment is 2147483648"},
      {"alignment as text",
       [] { return GgufWriter().add_string("general.alignment", "32").finish(); },
       ErrorCode::kCorrupt, "key general.alignment is of type string where an integer is needed"},
  };
  return kCases;
}

const std::vector<BadFile>& bad_tensors() {
  static const std::vector<BadFile> kCases = {
      {"empty name", [] { return GgufWriter().add_tensor("", Format::kF32, {1}).finish(); },
       ErrorCode::kCorrupt, "the name is empty, at offset 24 in tensor number 1"},
      {"long name",
       [] { return GgufWriter().add_tensor(std::string(65, 't'), Format::kF32, {1}).finish(); },
       ErrorCode::kCorrupt, "the name has 65 bytes, at most 64 may be"},
      {"name twice",
       [] {
         return GgufWriter()
             .add_tensor("t", Format::kF32, {1})
             .add_tensor("t", Format::kF32, {1})
             .finish();
       },
       ErrorCode::kCorrupt, "the name is there twice, at offset 65 in tensor t"},
      {"no dimensions", [] { return one_record(0, {}, 0); }, ErrorCode::kCorrupt,
       "the number of dimensions is 0, not 1 to 4, at offset 33 in tensor t"},
      {"five dimensions", [] { return one_record(0, {1, 1, 1, 1, 1}, 0); }, ErrorCode::kCorrupt,
       "the number of dimensions is 5, not 1 to 4"},
      {"a dimension of 0", [] { return one_record(0, {4, 0}, 0); }, ErrorCode::kCorrupt,
       "dimension 1 is 0, at offset 45 in tensor t"},
      {"product of 2^64", [] { return one_record(0, {1ULL << 32U, 1ULL << 32U}, 0); },
       ErrorCode::kCorrupt, "the product of the dimensions is beyond 64 bits, at offset 45"},
      {"size of 2^65", [] { return one_record(0, {1ULL << 63U}, 0); }, ErrorCode::kCorrupt,
       "the size of the data is beyond 64 bits"},
      {"unsupported format", [] { return one_record(16, {256}, 0); }, ErrorCode::kUnsupported,
       "the tensor format IQ2_XXS is not supported; those that are: F32, F16, BF16, Q8_0, Q4_0, "
       "Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4, at offset 45 in "
       "tensor t"},
      {"removed format", [] { return one_record(4, {32}, 0); }, ErrorCode::kCorrupt,
       "the tensor format 4 is none that GGUF has"},
      {"unknown format", [] { return one_record(12345, {32}, 0); }, ErrorCode::kCorrupt,
       "the tensor format 12345 is none that GGUF has"},
      {"row of half a block", [] { return one_record(8, {48, 2}, 0); }, ErrorCode::kCorrupt,
       "a row of 48 weights is not a multiple of Q8_0's block, 32, at offset 53 in tensor t"},
      {"row of half a superblock", [] { return one_record(10, {384}, 0); }, ErrorCode::kCorrupt,
       "a row of 384 weights is not a multiple of Q2_K's block, 256, at offset 45 in tensor t"},
      {"blocks past the end", [] { return one_record(39, {64, 3}, 0); }, ErrorCode::kCorrupt,
       "the data takes 102 bytes and the file ends at"},
      {"crooked offset", [] { return one_record(0, {1}, 8); }, ErrorCode::kCorrupt,
       "the data offset 8 is not a multiple of 32, at offset 49 in tensor t"},
      {"offset past the end", [] { return one_record(0, {1}, 1ULL << 40U); }, ErrorCode::kCorrupt,
       "the data takes 4 bytes and the file ends at 64, at offset 1099511627840 in tensor t"},
      {"offset that wraps", [] { return one_record(0, {1}, kHuge - 31); }, ErrorCode::kCorrupt,
       "the data offset is beyond 64 bits"},
      {"data past the end",
       [] { return GgufWriter().add_tensor("t", Format::kF32, {8}, Bytes(28)).finish(); },
       ErrorCode::kCorrupt, "the data takes 32 bytes and the file ends at 92, at offset 64"},
      {"overlap",
       [] {
         return GgufWriter()
             .add_tensor("a", Format::kF32, {64})
             .add_tensor_record("b", 0, {8}, 224)
             .finish();
       },
       ErrorCode::kCorrupt, "the data overlaps that of tensor a, at offset 320 in tensor b"},
      {"same place",
       [] {
         return GgufWriter()
             .add_tensor_record("a", 0, {8}, 0)
             .add_tensor("b", Format::kF32, {8})
             .finish();
       },
       ErrorCode::kCorrupt, "the data overlaps that of tensor a"},
  };
  return kCases;
}

void expect_refused(const std::vector<BadFile>& cases) {
  for (const BadFile& bad : cases) {
    const Error error = refusal_of(bad.make());
    EXPECT_EQ(error.code, bad.code) << bad.name << ": " << error.message;
    EXPECT_TRUE(error.message.starts_with(bad.message)) << bad.name << ": " << error.message;
    EXPECT_EQ(error.message.find('\n'), std::string::npos) << bad.name;
    EXPECT_FALSE(error.where.empty()) << bad.name;
  }
}

TEST(Gguf, RefusesBadHeaders) { expect_refused(bad_headers()); }
TEST(Gguf, RefusesBadValues) { expect_refused(bad_values()); }
TEST(Gguf, RefusesBadTensors) { expect_refused(bad_tensors()); }

TEST(Gguf, RefusesAFileCutAnywhere) {
  const Bytes whole = small_model().finish();
  ASSERT_TRUE(GgufFile::parse(whole));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const Error error = refusal_of(Bytes(whole.begin(), whole.begin() + n));
    EXPECT_NE(error.code, ErrorCode::kInternal) << n;
    EXPECT_FALSE(error.message.empty()) << n;
  }
}

// Every read of a file that parsed, so that a sanitizer sees every byte the parser vouched for.
std::uint64_t touch_everything(const GgufFile& file) {
  std::uint64_t sum = 0;
  for (const GgufValue& value : file.values()) {
    for (const std::byte byte : value.bytes) sum += std::to_integer<std::uint64_t>(byte);
    sum += file.read_uint(value.key).value_or(0);
    sum += file.read_float(value.key).has_value();
    sum += file.read_bool(value.key).has_value();
    sum += file.read_string(value.key).value_or("").size();
    const auto strings = file.read_strings(value.key);
    if (strings) {
      for (const std::string_view text : *strings) {
        for (const char c : text) sum += static_cast<unsigned char>(c);
      }
    }
    sum += file.read_ints(value.key).has_value();
    sum += file.read_floats(value.key).has_value();
    sum += first_elements(value, 5).size();
  }
  for (const GgufTensor& tensor : file.tensors()) {
    for (const std::byte byte : tensor.data) sum += std::to_integer<std::uint64_t>(byte);
  }
  return sum;
}

TEST(Gguf, SurvivesThousandsOfMutations) {
  const Bytes whole = small_model().finish();
  std::mt19937_64 random(20240607);
  int n_refused = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = whole;
    const auto n_changes = 1 + random() % 4;
    for (std::uint64_t i = 0; i < n_changes; ++i) {
      // Half of the changes hit interesting numbers, the other half any bit.
      std::byte& byte = bytes[random() % bytes.size()];
      constexpr std::uint8_t kEdges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
      byte = random() % 2 == 0 ? std::byte{kEdges[random() % std::size(kEdges)]}
                               : byte ^ std::byte{static_cast<std::uint8_t>(1U << random() % 8)};
    }
    if (random() % 8 == 0) bytes.resize(random() % (bytes.size() + 1));
    bytes.shrink_to_fit();  // so that a sanitizer sees a read past the end
    const auto file = GgufFile::parse(bytes);
    if (file) {
      touch_everything(*file);
    } else {
      ++n_refused;
      ASSERT_FALSE(file.error().message.empty());
    }
  }
  EXPECT_GT(n_refused, 1000);
  EXPECT_LT(n_refused, 20000);
}

TEST(Gguf, OpenPutsThePathInFrontOfEveryRefusal) {
  const auto path = std::filesystem::temp_directory_path() / "gguf_test_not_a_model.gguf";
  std::ofstream(path) << "hello, this is no model";
  const auto file = GgufFile::open(path);
  std::filesystem::remove(path);
  ASSERT_FALSE(file);
  EXPECT_TRUE(file.error().message.starts_with(path.native() + ": not a GGUF file"))
      << file.error().message;

  const auto missing = GgufFile::open(path);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

class GgufDefaultModel : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("JARIP_TEST_MODEL");
    if (path == nullptr) GTEST_SKIP() << "JARIP_TEST_MODEL does not name a model file";
    auto mapped = MappedFile::open(path);
    ASSERT_TRUE(mapped) << mapped.error().message;
    mapped_ = std::move(*mapped);
    path_ = path;
  }

  std::filesystem::path path_;
  MappedFile mapped_;
};

TEST_F(GgufDefaultModel, StaysReadableWhenTheFileObjectMoves) {
  auto opened = GgufFile::open(path_);
  ASSERT_TRUE(opened) << opened.error().message;
  const GgufFile file = std::move(*opened);
  EXPECT_EQ(file.read_string("general.architecture"), "llama");
  const auto tokens = file.read_strings("tokenizer.ggml.tokens");
  ASSERT_TRUE(tokens);
  EXPECT_EQ(tokens->size(), 49152U);
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->shape[0], 576U);
  EXPECT_EQ(embedding->shape[1], 49152U);
}

TEST_F(GgufDefaultModel, IsRefusedWhenCutAtEveryTwentieth) {
  const auto whole = mapped_.bytes();
  ASSERT_TRUE(GgufFile::parse(whole));
  for (std::size_t part = 0; part < 20; ++part) {
    const auto file = GgufFile::parse(whole.first(whole.size() / 20 * part));
    ASSERT_FALSE(file) << part;
    EXPECT_EQ(file.error().code, ErrorCode::kCorrupt) << file.error().message;
    EXPECT_FALSE(file.error().where.empty()) << file.error().message;
  }
}

}  // namespace
}  // namespace jarip
