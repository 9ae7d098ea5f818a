#include "model/safetensors.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

std::vector<std::byte> file_of(std::string_view head, std::size_t n_data) {
  std::vector<std::byte> bytes;
  const std::uint64_t n = head.size();
  const auto append = [&](std::span<const std::byte> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  };
  append(std::as_bytes(std::span(&n, 1)));
  append(std::as_bytes(std::span(head)));
  for (std::size_t i = 0; i < n_data; ++i) bytes.push_back(static_cast<std::byte>(i));
  return bytes;
}

std::string error_of(std::string_view head, std::size_t n_data) {
  const auto bytes = file_of(head, n_data);
  const auto file = SafetensorsFile::parse(bytes);
  return file ? "" : file.error().message;
}

TEST(Safetensors, ReadsTensorsInTheirPlaces) {
  const auto bytes = file_of(R"({"__metadata__":{"format":"pt"},)"
                             R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
                             R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                             16);
  const auto file = SafetensorsFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 2);
  EXPECT_EQ(file->tensors()[0].name, "a");
  const SafeTensor& b = file->tensors()[1];
  EXPECT_EQ(b.format, Format::kBF16);
  EXPECT_EQ(b.shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(b.n_elements, 6);
  EXPECT_EQ(b.data.size(), 12);
  EXPECT_EQ(b.data[0], static_cast<std::byte>(4));
}

TEST(Safetensors, TakesTypesThatNothingReads) {
  const auto bytes = file_of(R"({"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8);
  const auto file = SafetensorsFile::parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_FALSE(file->tensors()[0].format);
}

TEST(Safetensors, RefusesWhatDoesNotFit) {
  struct Case {
    std::string_view head;
    std::size_t n_data;
    std::string_view told;
  };
  constexpr Case kCases[] = {
      {"[]", 0, "object"},
      {"{", 0, "JSON"},
      {R"({"a":1})", 0, "tensor a"},
      {R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, "dtype"},
      {R"({"a":{"dtype":"Q7","shape":[1],"data_offsets":[0,4]}})", 4, "Q7"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "shape"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "positive"},
      {R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", 0, "positive"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}})",
       4, "memory"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4, "outside"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "outside"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}})", 4,
       "outside"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "calls for 8"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "behind the last"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})", 5, "doesn't begin"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4, "doesn't begin"},
  };
  for (const Case& one : kCases) {
    const std::string told = error_of(one.head, one.n_data);
    EXPECT_TRUE(told.contains(one.told)) << one.head << ": " << told;
  }
}

TEST(Safetensors, RefusesAHeadPastTheFile) {
  auto bytes = file_of("{}", 0);
  bytes[1] = static_cast<std::byte>(1);
  EXPECT_FALSE(SafetensorsFile::parse(bytes));
  EXPECT_FALSE(SafetensorsFile::parse(std::span(bytes).first(7)));
}

TEST(Safetensors, ReadsTheIndexOfShards) {
  const auto shards = read_shard_index(
      R"({"metadata":{},"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"1.safetensors"}})");
  ASSERT_TRUE(shards) << shards.error().message;
  EXPECT_EQ(shards->at("1.safetensors"), (std::vector<std::string>{"a", "c"}));
  for (const char* wrong :
       {R"({"weight_map":{"a":"../1.safetensors"}})", R"({"weight_map":{"a":"/etc/passwd"}})",
        R"({"weight_map":{"a":1}})", R"({"weight_map":{}})", "{}", "[]"}) {
    EXPECT_FALSE(read_shard_index(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace jarip
