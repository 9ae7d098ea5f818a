#include "model/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace jarip {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read as they are stored");

constexpr std::string_view kMagic = "GGUF";
constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr std::uint64_t kDefaultAlignment = 32;

// The least bytes that a record can take; a count that can't fit in the rest of the file is refused
// before anything is reserved for it.
constexpr std::uint64_t kMinValueBytes = 8 + 1 + 4 + 1;           // key, type, value
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name, dims, format, offset
constexpr std::uint64_t kStringLengthBytes = 8;

struct TypeRow {
  std::string_view name;
  std::uint32_t n_bytes;  // 0: not of a fixed size
  bool is_integer;
};

// In the order of GgufType's numbers.
constexpr TypeRow kTypeRows[] = {
    {"U8", 1, true},      {"I8", 1, true},     {"U16", 2, true},  {"I16", 2, true},
    {"U32", 4, true},     {"I32", 4, true},    {"F32", 4, false}, {"bool", 1, false},
    {"string", 0, false}, {"array", 0, false}, {"U64", 8, true},  {"I64", 8, true},
    {"F64", 8, false},
};

const TypeRow& type_row(GgufType type) { return kTypeRows[std::to_underlying(type)]; }

template <class T>
T load(std::span<const std::byte> bytes, std::size_t index = 0) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A cursor that can't leave its bytes.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] std::uint64_t n_left() const { return bytes_.size() - offset_; }

  // Nothing, and no move, when fewer bytes are left.
  [[nodiscard]] std::optional<std::span<const std::byte>> take(std::uint64_t n_bytes) {
    if (n_bytes > n_left()) return std::nullopt;
    const auto taken = bytes_.subspan(offset_, n_bytes);
    offset_ += n_bytes;
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
  std::uint64_t offset_ = 0;
};

// index is as sort_by_name() made it.
template <class Item, class Name>
const Item* find_by_name(std::span<const Item> items, std::span<const std::uint32_t> index,
                         std::string_view wanted, Name name) {
  const auto found = std::ranges::lower_bound(
      index, wanted, {}, [&](std::uint32_t i) -> std::string_view { return items[i].*name; });
  if (found == index.end() || items[*found].*name != wanted) return nullptr;
  return &items[*found];
}

// Positions of items in order of their names, equal names in file order.
template <class Item, class Name>
std::vector<std::uint32_t> sort_by_name(std::span<const Item> items, Name name) {
  std::vector<std::uint32_t> index(items.size());
  std::iota(index.begin(), index.end(), 0U);
  std::ranges::sort(index, {}, [&](std::uint32_t i) { return std::pair(items[i].*name, i); });
  return index;
}

}  // namespace

std::string_view gguf_type_name(GgufType type) { return type_row(type).name; }

// Reads a file front to back, once; every error says where it stood.
class GgufParser {
 public:
  explicit GgufParser(std::span<const std::byte> bytes) : bytes_(bytes), reader_(bytes) {
    file_.n_bytes_ = bytes.size();
  }

  Result<GgufFile> parse() {
    JARIP_CHECK(parse_header());
    for (std::uint64_t i = 0; i < n_values_; ++i) JARIP_CHECK(parse_value(i));
    JARIP_CHECK(index_values());
    JARIP_CHECK(parse_alignment());
    for (std::uint64_t i = 0; i < n_tensors_; ++i) JARIP_CHECK(parse_tensor(i));
    JARIP_CHECK(index_tensors());
    JARIP_CHECK(place_data());
    JARIP_CHECK(refuse_overlaps());
    return std::move(file_);
  }

 private:
  // What the parser reads now, for errors. The name is empty until it is read.
  struct Place {
    std::string_view kind = "header";
    std::uint64_t index = 0;
    std::string_view name;

    [[nodiscard]] std::string describe() const {
      if (kind == "header") return "the header";
      if (name.empty()) return fmt::format("{} number {}", kind, index + 1);
      return fmt::format("{} {}", kind, name);
    }
  };

  std::unexpected<Error> refuse_at(std::uint64_t offset, ErrorCode code, std::string_view what) {
    std::string where = place_.describe();
    return fail(code, fmt::format("{}, at offset {} in {}", what, offset, where), std::move(where));
  }
  std::unexpected<Error> corrupt_at(std::uint64_t offset, std::string_view what) {
    return refuse_at(offset, ErrorCode::kCorrupt, what);
  }

  Result<std::span<const std::byte>> take(std::uint64_t n_bytes, std::string_view what) {
    if (const auto taken = reader_.take(n_bytes)) return *taken;
    return corrupt_at(reader_.offset(),
                      fmt::format("the {} takes {} bytes and the file ends after {}", what, n_bytes,
                                  reader_.n_left()));
  }

  template <class T>
  Result<T> read(std::string_view what) {
    JARIP_TRY(const auto bytes, take(sizeof(T), what));
    return load<T>(bytes);
  }

  Result<std::span<const std::byte>> read_string(std::string_view what) {
    JARIP_TRY(const auto length, read<std::uint64_t>(what));
    return take(length, what);
  }

  Result<std::string_view> read_name(std::uint64_t max_bytes);
  Result<GgufType> read_type(std::string_view what);
  Result<std::uint64_t> read_count(std::string_view what, std::uint64_t max);
  Result<void> parse_header();
  Result<void> parse_value(std::uint64_t index);
  Result<void> parse_array(GgufValue& value);
  Result<void> check_bools(std::span<const std::byte> bytes, std::uint64_t offset);
  Result<void> parse_alignment();
  Result<void> parse_tensor(std::uint64_t index);
  Result<void> parse_shape(GgufTensor& tensor);
  Result<void> parse_format(GgufTensor& tensor);
  Result<void> index_values();
  Result<void> index_tensors();
  Result<void> place_data();
  Result<void> refuse_overlaps();

  std::uint64_t offset_of(std::string_view name) const {
    return static_cast<std::uint64_t>(name.data() - as_text(bytes_).data());
  }

  static std::uint64_t data_bytes(const GgufTensor& tensor) {
    const FormatRow& row = format_row(tensor.format);
    return tensor.n_elements / row.block_size * row.block_bytes;
  }

  std::span<const std::byte> bytes_;
  Reader reader_;
  GgufFile file_;
  Place place_;
  std::uint64_t n_tensors_ = 0;
  std::uint64_t n_values_ = 0;
};

Result<std::uint64_t> GgufParser::read_count(std::string_view what, std::uint64_t max) {
  const std::uint64_t offset = reader_.offset();
  JARIP_TRY(const auto count, read<std::uint64_t>(what));
  if (count > max) {
    return refuse_at(offset, ErrorCode::kTooLarge,
                     fmt::format("the {} is {}, above the limit of {}", what, count, max));
  }
  return count;
}

Result<void> GgufParser::parse_header() {
  if (bytes_.empty()) return fail(ErrorCode::kCorrupt, "the file is empty", "the header");
  if (!as_text(bytes_).starts_with(kMagic)) {
    return corrupt_at(0, "not a GGUF file: it does not begin with the letters GGUF");
  }
  JARIP_CHECK(take(kMagic.size(), "magic"));
  JARIP_TRY(const auto version, read<std::uint32_t>("version"));
  if (version > 0xFFFF && std::byteswap(version) <= 0xFFFF) {
    return refuse_at(4, ErrorCode::kUnsupported,
                     "big-endian GGUF files are not supported; convert the model to little-endian");
  }
  if (version != 2 && version != 3) {
    return refuse_at(4, ErrorCode::kUnsupported,
                     fmt::format("GGUF version {} is not supported, only 2 and 3", version));
  }
  file_.version_ = version;

  JARIP_TRY(n_tensors_, read_count("number of tensors", GgufLimits::kMaxTensors));
  JARIP_TRY(n_values_, read_count("number of keys", GgufLimits::kMaxValues));
  const std::uint64_t n_least = n_tensors_ * kMinTensorBytes + n_values_ * kMinValueBytes;
  if (n_least > reader_.n_left()) {
    return corrupt_at(8, fmt::format("{} tensors and {} keys can't fit in the {} bytes that follow",
                                     n_tensors_, n_values_, reader_.n_left()));
  }
  file_.values_.reserve(n_values_);
  file_.tensors_.reserve(n_tensors_);
  return {};
}

// Names go into messages, tables and tests: printable ASCII, as the spec has it for keys.
Result<std::string_view> GgufParser::read_name(std::uint64_t max_bytes) {
  const std::uint64_t offset = reader_.offset();
  JARIP_TRY(const auto length, read<std::uint64_t>("name's length"));
  if (length == 0) return corrupt_at(offset, "the name is empty");
  if (length > max_bytes) {
    return corrupt_at(offset,
                      fmt::format("the name has {} bytes, at most {} may be", length, max_bytes));
  }
  JARIP_TRY(const auto bytes, take(length, "name"));
  const auto name = as_text(bytes);
  const auto bad = std::ranges::find_if(name, [](char c) { return c < 0x20 || c > 0x7e; });
  if (bad != name.end()) {
    return corrupt_at(offset + kStringLengthBytes + (bad - name.begin()),
                      "the name has a byte that is not printable ASCII");
  }
  return name;
}

Result<GgufType> GgufParser::read_type(std::string_view what) {
  const std::uint64_t offset = reader_.offset();
  JARIP_TRY(const auto number, read<std::uint32_t>(what));
  if (number >= std::size(kTypeRows)) {
    return corrupt_at(offset, fmt::format("the {} {} is none that GGUF has", what, number));
  }
  return static_cast<GgufType>(number);
}

Result<void> GgufParser::parse_value(std::uint64_t index) {
  place_ = {.kind = "key", .index = index, .name = {}};
  GgufValue value;
  JARIP_TRY(value.key, read_name(GgufLimits::kMaxKeyBytes));
  place_.name = value.key;
  JARIP_TRY(value.type, read_type("value type"));
  value.offset = reader_.offset();
  switch (value.type) {
    case GgufType::kArray:
      JARIP_CHECK(parse_array(value));
      break;
    case GgufType::kString: {
      JARIP_TRY(value.bytes, read_string("string"));
      break;
    }
    default: {
      JARIP_TRY(value.bytes, take(type_row(value.type).n_bytes, "value"));
      if (value.type == GgufType::kBool) JARIP_CHECK(check_bools(value.bytes, value.offset));
    }
  }
  file_.values_.push_back(value);
  return {};
}

Result<void> GgufParser::parse_array(GgufValue& value) {
  JARIP_TRY(value.element_type, read_type("element type"));
  if (value.element_type == GgufType::kArray) {
    return refuse_at(value.offset, ErrorCode::kUnsupported, "arrays of arrays are not supported");
  }
  JARIP_TRY(value.n_elements, read_count("number of elements", GgufLimits::kMaxArrayElements));
  const std::uint64_t offset = reader_.offset();
  if (value.element_type != GgufType::kString) {
    JARIP_TRY(value.bytes, take(value.n_elements * type_row(value.element_type).n_bytes, "array"));
    if (value.element_type == GgufType::kBool) return check_bools(value.bytes, offset);
    return {};
  }
  for (std::uint64_t i = 0; i < value.n_elements; ++i) JARIP_CHECK(read_string("string"));
  value.bytes = bytes_.subspan(offset, reader_.offset() - offset);
  return {};
}

Result<void> GgufParser::check_bools(std::span<const std::byte> bytes, std::uint64_t offset) {
  const auto bad = std::ranges::find_if(bytes, [](std::byte byte) { return byte > std::byte{1}; });
  if (bad == bytes.end()) return {};
  return corrupt_at(offset + (bad - bytes.begin()),
                    fmt::format("a bool is {}, neither 0 nor 1", std::to_integer<int>(*bad)));
}

Result<void> GgufParser::index_values() {
  auto& index = file_.value_index_;
  index = sort_by_name(std::span<const GgufValue>(file_.values_), &GgufValue::key);
  for (std::size_t i = 1; i < index.size(); ++i) {
    const GgufValue& value = file_.values_[index[i]];
    if (value.key != file_.values_[index[i - 1]].key) continue;
    place_ = {.kind = "key", .index = index[i], .name = value.key};
    return corrupt_at(offset_of(value.key), "the key is there twice");
  }
  return {};
}

Result<void> GgufParser::parse_alignment() {
  file_.alignment_ = kDefaultAlignment;
  const GgufValue* value = file_.find_value(kAlignmentKey);
  if (value == nullptr) return {};
  JARIP_TRY(file_.alignment_, file_.read_uint(kAlignmentKey));
  if (!std::has_single_bit(file_.alignment_) || file_.alignment_ < GgufLimits::kMinAlignment ||
      file_.alignment_ > GgufLimits::kMaxAlignment) {
    place_ = {.kind = "key", .index = 0, .name = value->key};
    return corrupt_at(
        value->offset,
        fmt::format("the alignment is {}, not a power of two from {} to {}", file_.alignment_,
                    GgufLimits::kMinAlignment, GgufLimits::kMaxAlignment));
  }
  return {};
}

Result<void> GgufParser::parse_tensor(std::uint64_t index) {
  place_ = {.kind = "tensor", .index = index, .name = {}};
  GgufTensor tensor;
  JARIP_TRY(tensor.name, read_name(GgufLimits::kMaxTensorNameBytes));
  place_.name = tensor.name;
  JARIP_CHECK(parse_shape(tensor));
  JARIP_CHECK(parse_format(tensor));

  const std::uint64_t offset = reader_.offset();
  JARIP_TRY(tensor.offset, read<std::uint64_t>("data offset"));
  if (tensor.offset % file_.alignment_ != 0) {
    return corrupt_at(offset, fmt::format("the data offset {} is not a multiple of {}",
                                          tensor.offset, file_.alignment_));
  }
  file_.tensors_.push_back(tensor);
  return {};
}

Result<void> GgufParser::parse_shape(GgufTensor& tensor) {
  const std::uint64_t offset = reader_.offset();
  JARIP_TRY(tensor.n_dims, read<std::uint32_t>("number of dimensions"));
  if (tensor.n_dims < 1 || tensor.n_dims > GgufLimits::kMaxDims) {
    return corrupt_at(offset, fmt::format("the number of dimensions is {}, not 1 to {}",
                                          tensor.n_dims, GgufLimits::kMaxDims));
  }
  tensor.n_elements = 1;
  for (std::uint32_t i = 0; i < tensor.n_dims; ++i) {
    const std::uint64_t at = reader_.offset();
    JARIP_TRY(tensor.shape[i], read<std::uint64_t>("dimension"));
    if (tensor.shape[i] == 0) return corrupt_at(at, fmt::format("dimension {} is 0", i));
    if (__builtin_mul_overflow(tensor.n_elements, tensor.shape[i], &tensor.n_elements)) {
      return corrupt_at(at, "the product of the dimensions is beyond 64 bits");
    }
  }
  return {};
}

Result<void> GgufParser::parse_format(GgufTensor& tensor) {
  const std::uint64_t offset = reader_.offset();
  JARIP_TRY(const auto number, read<std::uint32_t>("tensor format"));
  const FormatRow* row = find_format(number);
  if (row == nullptr) {
    const auto name = ggml_type_name(number);
    if (name.empty()) {
      return corrupt_at(offset, fmt::format("the tensor format {} is none that GGUF has", number));
    }
    return refuse_at(offset, ErrorCode::kUnsupported,
                     fmt::format("the tensor format {} is not supported; those that are: {}", name,
                                 format_names()));
  }
  tensor.format = row->format;
  if (tensor.shape[0] % row->block_size != 0) {
    return corrupt_at(offset, fmt::format("a row of {} weights is not a multiple of {}'s block, {}",
                                          tensor.shape[0], row->name, row->block_size));
  }
  std::uint64_t n_bytes = 0;
  if (__builtin_mul_overflow(tensor.n_elements / row->block_size, row->block_bytes, &n_bytes)) {
    return corrupt_at(offset, "the size of the data is beyond 64 bits");
  }
  return {};
}

Result<void> GgufParser::index_tensors() {
  auto& index = file_.tensor_index_;
  index = sort_by_name(std::span<const GgufTensor>(file_.tensors_), &GgufTensor::name);
  for (std::size_t i = 1; i < index.size(); ++i) {
    const GgufTensor& tensor = file_.tensors_[index[i]];
    if (tensor.name != file_.tensors_[index[i - 1]].name) continue;
    place_ = {.kind = "tensor", .index = index[i], .name = tensor.name};
    return corrupt_at(offset_of(tensor.name), "the name is there twice");
  }
  return {};
}

// Offsets in the records count from the data section, which begins at the next aligned byte.
Result<void> GgufParser::place_data() {
  if (file_.tensors_.empty()) return {};
  const std::uint64_t records_end = reader_.offset();
  const std::uint64_t start =
      (records_end + file_.alignment_ - 1) / file_.alignment_ * file_.alignment_;
  for (std::uint64_t i = 0; i < n_tensors_; ++i) {
    GgufTensor& tensor = file_.tensors_[i];
    place_ = {.kind = "tensor", .index = i, .name = tensor.name};
    const std::uint64_t n_bytes = data_bytes(tensor);
    if (__builtin_add_overflow(tensor.offset, start, &tensor.offset)) {
      return corrupt_at(records_end, "the data offset is beyond 64 bits");
    }
    if (tensor.offset > bytes_.size() || n_bytes > bytes_.size() - tensor.offset) {
      return corrupt_at(
          tensor.offset,
          fmt::format("the data takes {} bytes and the file ends at {}", n_bytes, bytes_.size()));
    }
    tensor.data = bytes_.subspan(tensor.offset, n_bytes);
  }
  return {};
}

Result<void> GgufParser::refuse_overlaps() {
  std::vector<const GgufTensor*> by_offset;
  by_offset.reserve(file_.tensors_.size());
  for (const GgufTensor& tensor : file_.tensors_) by_offset.push_back(&tensor);
  std::ranges::sort(by_offset, {},
                    [](const GgufTensor* tensor) { return std::pair(tensor->offset, tensor); });
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const GgufTensor& before = *by_offset[i - 1];
    if (before.offset + before.data.size() <= by_offset[i]->offset) continue;
    place_ = {.kind = "tensor", .index = 0, .name = by_offset[i]->name};
    return corrupt_at(by_offset[i]->offset,
                      fmt::format("the data overlaps that of tensor {}", before.name));
  }
  return {};
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes) {
  return GgufParser(bytes).parse();
}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
  JARIP_TRY(auto mapped, MappedFile::open(path));
  auto file = parse(mapped.bytes());
  if (!file) {
    Error error = std::move(file).error();
    error.message = fmt::format("{}: {}", path.native(), error.message);
    return std::unexpected(std::move(error));
  }
  file->file_ = std::move(mapped);
  return file;
}

const GgufValue* GgufFile::find_value(std::string_view key) const {
  return find_by_name(values(), std::span(value_index_), key, &GgufValue::key);
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  return find_by_name(tensors(), std::span(tensor_index_), name, &GgufTensor::name);
}

namespace {

std::string describe_type(const GgufValue& value) {
  if (value.type != GgufType::kArray) return std::string(gguf_type_name(value.type));
  return fmt::format("array of {}", gguf_type_name(value.element_type));
}

std::unexpected<Error> refuse_type(const GgufValue& value, std::string_view wanted) {
  return fail(ErrorCode::kCorrupt,
              fmt::format("key {} is of type {} where {} is needed, at offset {}", value.key,
                          describe_type(value), wanted, value.offset),
              fmt::format("key {}", value.key));
}

Result<const GgufValue*> require_value(const GgufFile& file, std::string_view key) {
  if (const GgufValue* value = file.find_value(key)) return value;
  return fail(ErrorCode::kCorrupt, fmt::format("the model file has no key {}", key),
              fmt::format("key {}", key));
}

Result<const GgufValue*> require_array(const GgufFile& file, std::string_view key,
                                       std::string_view wanted) {
  JARIP_TRY(const GgufValue* value, require_value(file, key));
  if (value->type != GgufType::kArray) return refuse_type(*value, wanted);
  return value;
}

// Calls body with the integer at index in its own width and sign. The type is an integer's.
template <class Body>
void with_integer(GgufType type, std::span<const std::byte> bytes, std::size_t index, Body body) {
  switch (type) {
    case GgufType::kU8:
      return body(load<std::uint8_t>(bytes, index));
    case GgufType::kI8:
      return body(load<std::int8_t>(bytes, index));
    case GgufType::kU16:
      return body(load<std::uint16_t>(bytes, index));
    case GgufType::kI16:
      return body(load<std::int16_t>(bytes, index));
    case GgufType::kU32:
      return body(load<std::uint32_t>(bytes, index));
    case GgufType::kI32:
      return body(load<std::int32_t>(bytes, index));
    case GgufType::kU64:
      return body(load<std::uint64_t>(bytes, index));
    default:
      return body(load<std::int64_t>(bytes, index));
  }
}

// The type is neither a string's nor an array's.
GgufScalar load_scalar(GgufType type, std::span<const std::byte> bytes, std::size_t index) {
  if (type == GgufType::kF32) return load<float>(bytes, index);
  if (type == GgufType::kF64) return load<double>(bytes, index);
  if (type == GgufType::kBool) return bytes[index] != std::byte{0};
  GgufScalar scalar;
  with_integer(type, bytes, index, [&](auto number) {
    using Widest =
        std::conditional_t<std::is_signed_v<decltype(number)>, std::int64_t, std::uint64_t>;
    scalar = static_cast<Widest>(number);
  });
  return scalar;
}

// The parser walked these lengths, so none leaves the bytes.
std::vector<std::string_view> first_strings(const GgufValue& value, std::uint64_t max_elements) {
  const std::uint64_t n = std::min(value.n_elements, max_elements);
  std::vector<std::string_view> strings;
  strings.reserve(n);
  auto rest = value.bytes;
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto length = load<std::uint64_t>(rest);
    strings.push_back(as_text(rest.subspan(kStringLengthBytes, length)));
    rest = rest.subspan(kStringLengthBytes + length);
  }
  return strings;
}

template <class T>
Result<T> load_integer(const GgufValue& value, GgufType type, std::size_t index) {
  std::optional<T> number;
  with_integer(type, value.bytes, index, [&](auto stored) {
    if (std::in_range<T>(stored)) number = static_cast<T>(stored);
  });
  if (number) return *number;
  return fail(ErrorCode::kCorrupt,
              fmt::format("key {} holds a number that is negative or too large, at offset {}",
                          value.key, value.offset),
              fmt::format("key {}", value.key));
}

}  // namespace

std::vector<GgufScalar> first_elements(const GgufValue& value, std::uint64_t max_elements) {
  if (value.type == GgufType::kString) return {as_text(value.bytes)};
  if (value.type != GgufType::kArray) return {load_scalar(value.type, value.bytes, 0)};
  if (value.element_type == GgufType::kString) {
    const auto strings = first_strings(value, max_elements);
    return {strings.begin(), strings.end()};
  }
  const std::uint64_t n = std::min(value.n_elements, max_elements);
  std::vector<GgufScalar> elements;
  elements.reserve(n);
  for (std::uint64_t i = 0; i < n; ++i) {
    elements.push_back(load_scalar(value.element_type, value.bytes, i));
  }
  return elements;
}

Result<std::uint64_t> GgufFile::read_uint(std::string_view key) const {
  JARIP_TRY(const GgufValue* value, require_value(*this, key));
  if (!type_row(value->type).is_integer) return refuse_type(*value, "an integer");
  return load_integer<std::uint64_t>(*value, value->type, 0);
}

Result<double> GgufFile::read_float(std::string_view key) const {
  JARIP_TRY(const GgufValue* value, require_value(*this, key));
  if (value->type == GgufType::kF32) return load<float>(value->bytes);
  if (value->type == GgufType::kF64) return load<double>(value->bytes);
  return refuse_type(*value, "F32 or F64");
}

Result<bool> GgufFile::read_bool(std::string_view key) const {
  JARIP_TRY(const GgufValue* value, require_value(*this, key));
  if (value->type != GgufType::kBool) return refuse_type(*value, "a bool");
  return value->bytes[0] != std::byte{0};
}

Result<std::string_view> GgufFile::read_string(std::string_view key) const {
  JARIP_TRY(const GgufValue* value, require_value(*this, key));
  if (value->type != GgufType::kString) return refuse_type(*value, "a string");
  return as_text(value->bytes);
}

Result<std::vector<std::string_view>> GgufFile::read_strings(std::string_view key) const {
  constexpr std::string_view kWanted = "an array of strings";
  JARIP_TRY(const GgufValue* value, require_array(*this, key, kWanted));
  if (value->element_type != GgufType::kString) return refuse_type(*value, kWanted);
  return first_strings(*value, value->n_elements);
}

Result<std::vector<std::int64_t>> GgufFile::read_ints(std::string_view key) const {
  constexpr std::string_view kWanted = "an array of integers";
  JARIP_TRY(const GgufValue* value, require_array(*this, key, kWanted));
  if (!type_row(value->element_type).is_integer) return refuse_type(*value, kWanted);
  std::vector<std::int64_t> numbers;
  numbers.reserve(value->n_elements);
  for (std::uint64_t i = 0; i < value->n_elements; ++i) {
    JARIP_TRY(const auto number, load_integer<std::int64_t>(*value, value->element_type, i));
    numbers.push_back(number);
  }
  return numbers;
}

Result<std::vector<float>> GgufFile::read_floats(std::string_view key) const {
  constexpr std::string_view kWanted = "an array of F32 or F64";
  JARIP_TRY(const GgufValue* value, require_array(*this, key, kWanted));
  if (value->element_type != GgufType::kF32 && value->element_type != GgufType::kF64) {
    return refuse_type(*value, kWanted);
  }
  std::vector<float> numbers(value->n_elements);
  for (std::uint64_t i = 0; i < value->n_elements; ++i) {
    numbers[i] = value->element_type == GgufType::kF32
                     ? load<float>(value->bytes, i)
                     : static_cast<float>(load<double>(value->bytes, i));
  }
  return numbers;
}

}  // namespace jarip
