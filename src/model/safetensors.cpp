#include "model/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstring>
#include <limits>
#include <utility>

#include "base/utf8.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMaxIndexBytes = 1U << 26U;
constexpr std::size_t kMaxDepth = 8;

struct ElementType {
  std::string_view name;
  std::uint32_t n_bytes;
  std::optional<Format> format = std::nullopt;
};

constexpr ElementType kTypes[] = {
    {"F32", 4, Format::kF32},
    {"F16", 2, Format::kF16},
    {"BF16", 2, Format::kBF16},
    {"BOOL", 1},
    {"U8", 1},
    {"I8", 1},
    {"F8_E4M3", 1},
    {"F8_E5M2", 1},
    {"F8_E8M0", 1},
    {"I16", 2},
    {"U16", 2},
    {"I32", 4},
    {"U32", 4},
    {"F64", 8},
    {"I64", 8},
    {"U64", 8},
};

std::unexpected<Error> corrupt(std::string message, std::string where = {}) {
  return fail(ErrorCode::kCorrupt, std::move(message), std::move(where));
}

std::string shown(std::string_view name) { return replace_invalid(name.substr(0, 100)); }

Result<json::value> parse_json(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  json::value value = json::parse(text, error, {}, options);
  if (error) return corrupt(fmt::format("{} isn't JSON: {}", what, error.message()));
  if (!value.is_object()) return corrupt(fmt::format("{} isn't an object of JSON", what));
  return value;
}

std::optional<std::uint64_t> whole_number(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) {
    return static_cast<std::uint64_t>(value.get_int64());
  }
  return std::nullopt;
}

// One tensor's entry, and where its data begins and ends in the data section.
class EntryReader {
 public:
  EntryReader(std::string_view name, const json::value& entry) : name_(name), entry_(entry) {}

  Result<SafeTensor> read(std::span<const std::byte> section) {
    if (name_.empty() || name_.size() > SafetensorsLimits::kMaxNameBytes) {
      return wrong("has a name of no or too many bytes");
    }
    if (!entry_.is_object()) return wrong("is described by no object");
    SafeTensor tensor;
    tensor.name = name_;
    JARIP_TRY(const ElementType* type, read_type());
    tensor.type = type->name;
    tensor.format = type->format;
    JARIP_CHECK(read_shape(tensor));
    JARIP_CHECK(read_data(*type, section, tensor));
    return tensor;
  }

 private:
  std::unexpected<Error> wrong(std::string_view what) const {
    return corrupt(fmt::format("tensor {} {}", shown(name_), what), shown(name_));
  }

  Result<const ElementType*> read_type() {
    const json::value* value = entry_.get_object().if_contains("dtype");
    if (value == nullptr || !value->is_string()) return wrong("has no dtype");
    const std::string_view name = value->get_string();
    const auto* const found = std::ranges::find(kTypes, name, &ElementType::name);
    if (found != std::end(kTypes)) return found;
    return fail(ErrorCode::kUnsupported,
                fmt::format("tensor {} is of type {}; F32, F16 and BF16 can be read here",
                            shown(name_), shown(name)),
                shown(name_));
  }

  Result<void> read_shape(SafeTensor& tensor) const {
    const json::value* value = entry_.get_object().if_contains("shape");
    if (value == nullptr || !value->is_array() ||
        value->get_array().size() > SafetensorsLimits::kMaxDims) {
      return wrong("has no shape, or one of too many dimensions");
    }
    tensor.n_elements = 1;
    for (const json::value& dimension : value->get_array()) {
      const auto n = whole_number(dimension);
      if (!n || *n == 0) return wrong("has a dimension that is no positive number");
      if (*n > std::numeric_limits<std::uint64_t>::max() / 16 / tensor.n_elements) {
        return wrong("has a shape beyond all memory");
      }
      tensor.n_elements *= *n;
      tensor.shape.push_back(*n);
    }
    return {};
  }

  Result<void> read_data(const ElementType& type, std::span<const std::byte> section,
                         SafeTensor& tensor) const {
    const json::value* value = entry_.get_object().if_contains("data_offsets");
    if (value == nullptr || !value->is_array() || value->get_array().size() != 2) {
      return wrong("has no data_offsets");
    }
    const auto begin = whole_number(value->get_array()[0]);
    const auto end = whole_number(value->get_array()[1]);
    if (!begin || !end || *begin > *end || *end > section.size()) {
      return wrong(fmt::format("lies outside of the {} bytes of data", section.size()));
    }
    if (*end - *begin != tensor.n_elements * type.n_bytes) {
      return wrong(fmt::format("has {} bytes; its shape calls for {}", *end - *begin,
                               tensor.n_elements * type.n_bytes));
    }
    tensor.data = section.subspan(*begin, *end - *begin);
    return {};
  }

  std::string_view name_;
  const json::value& entry_;
};

Result<std::vector<SafeTensor>> parse_tensors(std::span<const std::byte> bytes) {
  std::uint64_t n_head = 0;
  if (bytes.size() < sizeof n_head) return corrupt("the file is too short for a safetensors file");
  std::memcpy(&n_head, bytes.data(), sizeof n_head);
  bytes = bytes.subspan(sizeof n_head);
  if (n_head > bytes.size()) {
    return corrupt(
        fmt::format("the head is said to have {} bytes and the file has {} behind its "
                    "length; it was cut, or is no safetensors file",
                    n_head, bytes.size()));
  }
  if (n_head > SafetensorsLimits::kMaxHeadBytes) {
    return fail(ErrorCode::kTooLarge, fmt::format("the head has {} bytes; {} are read at most",
                                                  n_head, SafetensorsLimits::kMaxHeadBytes));
  }
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), n_head);
  const auto section = bytes.subspan(n_head);
  JARIP_TRY(const json::value value, parse_json(head, "the head"));
  const json::object& entries = value.get_object();
  if (entries.size() > SafetensorsLimits::kMaxTensors) {
    return fail(ErrorCode::kTooLarge, fmt::format("the file has {} tensors; {} are read at most",
                                                  entries.size(), SafetensorsLimits::kMaxTensors));
  }
  std::vector<SafeTensor> tensors;
  tensors.reserve(entries.size());
  for (const auto& [name, entry] : entries) {
    if (name == "__metadata__") continue;
    JARIP_TRY(tensors.emplace_back(), EntryReader(name, entry).read(section));
  }
  std::ranges::sort(tensors, {}, [](const SafeTensor& one) { return one.data.data(); });
  const std::byte* at = section.data();
  for (const SafeTensor& tensor : tensors) {
    if (tensor.data.data() != at) {
      return corrupt(
          fmt::format("tensor {} doesn't begin where the one before it ends", shown(tensor.name)),
          shown(tensor.name));
    }
    at += tensor.data.size();
  }
  if (at != section.data() + section.size()) {
    return corrupt("there are bytes behind the last tensor that belong to none");
  }
  return tensors;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.ends_with(".safetensors") &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7F && c != '/'; });
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes) {
  SafetensorsFile file;
  JARIP_TRY(file.tensors_, parse_tensors(bytes));
  return file;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  JARIP_TRY(MappedFile mapped, MappedFile::open(path));
  auto file = parse(mapped.bytes());
  if (!file) {
    file.error().message = fmt::format("{}: {}", path.native(), file.error().message);
    return file;
  }
  file->file_ = std::move(mapped);
  return file;
}

Result<std::map<std::string, std::vector<std::string>>> read_shard_index(std::string_view text) {
  constexpr std::string_view kWhat = "model.safetensors.index.json";
  if (text.size() > kMaxIndexBytes) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("{} is larger than {} bytes", kWhat, kMaxIndexBytes));
  }
  JARIP_TRY(const json::value value, parse_json(text, kWhat));
  const json::value* names = value.get_object().if_contains("weight_map");
  if (names == nullptr || !names->is_object()) {
    return corrupt(fmt::format("{} has no weight_map", kWhat), "weight_map");
  }
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [tensor, file] : names->get_object()) {
    if (!file.is_string() || !is_plain_name(std::string_view(file.get_string()))) {
      return corrupt(fmt::format("{} puts tensor {} into what is no name of a .safetensors file",
                                 kWhat, shown(tensor)),
                     shown(tensor));
    }
    shards[std::string(std::string_view(file.get_string()))].emplace_back(tensor);
    if (shards.size() > SafetensorsLimits::kMaxFiles) {
      return fail(ErrorCode::kTooLarge,
                  fmt::format("{} names more than {} files", kWhat, SafetensorsLimits::kMaxFiles));
    }
  }
  if (shards.empty()) return corrupt(fmt::format("{} names no files", kWhat), "weight_map");
  return shards;
}

Result<void> SafetensorsModel::add(SafetensorsFile file, std::string_view file_name) {
  const SafetensorsFile& kept = files_.emplace_back(std::move(file));
  for (const SafeTensor& tensor : kept.tensors()) {
    if (!tensors_.emplace(tensor.name, &tensor).second) {
      return corrupt(fmt::format("tensor {} is in two files, {} and one before it",
                                 shown(tensor.name), file_name),
                     shown(tensor.name));
    }
    n_bytes_ += tensor.data.size();
  }
  return {};
}

Result<SafetensorsModel> SafetensorsModel::open_file(const std::filesystem::path& path) {
  SafetensorsModel model;
  model.files_.reserve(1);
  JARIP_TRY(SafetensorsFile file, SafetensorsFile::open(path));
  JARIP_CHECK(model.add(std::move(file), path.filename().native()));
  return model;
}

Result<SafetensorsModel> SafetensorsModel::open_folder(const std::filesystem::path& folder) {
  const std::filesystem::path single = folder / "model.safetensors";
  const std::filesystem::path index_path = folder / "model.safetensors.index.json";
  std::error_code ignored;
  if (!std::filesystem::exists(index_path, ignored)) return open_file(single);
  JARIP_TRY(const MappedFile index, MappedFile::open(index_path));
  JARIP_TRY(const auto shards,
            read_shard_index(
                {reinterpret_cast<const char*>(index.bytes().data()), index.bytes().size()}));
  SafetensorsModel model;
  model.files_.reserve(shards.size());  // the map points into the files
  for (const auto& [file_name, names] : shards) {
    JARIP_TRY(SafetensorsFile file, SafetensorsFile::open(folder / file_name));
    JARIP_CHECK(model.add(std::move(file), file_name));
    for (const std::string& name : names) {
      const SafeTensor* tensor = model.find(name);
      const auto held = model.files_.back().tensors();
      if (tensor == nullptr || tensor < held.data() || tensor >= held.data() + held.size()) {
        return corrupt(fmt::format("{} isn't in {}, where model.safetensors.index.json puts it",
                                   shown(name), file_name),
                       shown(name));
      }
    }
  }
  return model;
}

const SafeTensor* SafetensorsModel::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second;
}

void SafetensorsModel::release(std::span<const std::byte> part) const {
  for (const SafetensorsFile& file : files_) {
    const auto held = file.tensors();
    if (held.empty()) continue;
    const std::byte* begin = held.front().data.data();
    const std::byte* end = held.back().data.data() + held.back().data.size();
    if (part.data() >= begin && part.data() < end) return file.release(part);
  }
}

}  // namespace jarip
