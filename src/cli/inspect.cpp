#include "cli/inspect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/utf8.h"
#include "cli/open_library.h"
#include "cli/output.h"
#include "model/config.h"
#include "model/encoder_config.h"
#include "tensor/kv_format.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxValueCharacters = 80;
constexpr std::size_t kMaxElementCharacters = 24;
constexpr std::uint64_t kMaxElements = 8;  // of an array, shown
constexpr std::uint64_t kTokensPerRow = 1024;
constexpr std::string_view kIndent = "  ";

struct FormatUse {
  Format format;
  std::uint64_t n_tensors = 0;
  std::uint64_t n_bytes = 0;
  std::uint64_t n_weights = 0;
};

struct Memory {
  std::uint64_t weight_bytes = 0;
  std::uint64_t n_heads = 0;  // of keys and values that are kept, in all layers together
  std::uint32_t head_dim = 0;
  std::uint64_t n_ctx = 0;
  std::uint64_t state_bytes = 0;  // of recurrent layers, for each sequence

  [[nodiscard]] std::uint64_t kv_bytes_of(KvFormat format) const {  // a token
    return n_heads * (kv_head_layout(format, head_dim).n_bytes / kPageLanes);
  }
};

// Largest first.
std::vector<FormatUse> count_formats(const GgufFile& file) {
  std::vector<FormatUse> uses;
  for (const GgufTensor& tensor : file.tensors()) {
    auto use = std::ranges::find(uses, tensor.format, &FormatUse::format);
    if (use == uses.end()) use = uses.insert(uses.end(), FormatUse{.format = tensor.format});
    ++use->n_tensors;
    use->n_bytes += tensor.data.size();
    use->n_weights += tensor.n_elements;
  }
  std::ranges::sort(uses, [](const FormatUse& a, const FormatUse& b) {
    return a.n_bytes > b.n_bytes || (a.n_bytes == b.n_bytes && a.format < b.format);
  });
  return uses;
}

std::uint64_t sum_of(const std::vector<FormatUse>& uses, std::uint64_t FormatUse::* number) {
  std::uint64_t sum = 0;
  for (const FormatUse& use : uses) sum += use.*number;
  return sum;
}

// Error: why this build can't run the model.
Result<Memory> measure_memory(const GgufFile& file, const std::vector<FormatUse>& uses) {
  const std::uint64_t weight_bytes = sum_of(uses, &FormatUse::n_bytes);
  const auto family = file.read_string("general.architecture");
  if (family && find_encoder_family(*family) != nullptr) {  // keeps nothing between two texts
    JARIP_TRY(const EncoderConfig config, read_encoder_config(file));
    return Memory{.weight_bytes = weight_bytes, .n_ctx = config.shape.n_ctx_train};
  }
  JARIP_TRY(const ModelConfig config, read_config(file));
  return Memory{
      .weight_bytes = weight_bytes,
      .n_heads = std::uint64_t{config.n_layers - config.n_recurrent_layers} * config.n_kv_heads,
      .head_dim = config.head_dim,
      .n_ctx = config.n_ctx_train,
      .state_bytes = config.state_bytes()};
}

template <class... Body>
struct Cases : Body... {
  using Body::operator()...;
};

std::string scalar_as_text(const GgufScalar& scalar, std::size_t max_characters) {
  return std::visit(Cases{[&](std::string_view text) { return excerpt(text, max_characters); },
                          [](auto number) { return fmt::format("{}", number); }},
                    scalar);
}

std::string type_as_text(const GgufValue& value) {
  if (value.type != GgufType::kArray) return std::string(gguf_type_name(value.type));
  return fmt::format("{}[{}]", gguf_type_name(value.element_type), format_count(value.n_elements));
}

std::string value_as_text(const GgufValue& value) {
  const auto elements = first_elements(value, kMaxElements);
  if (value.type != GgufType::kArray) return scalar_as_text(elements[0], kMaxValueCharacters);
  std::vector<std::string> shown;
  shown.reserve(elements.size());
  for (const GgufScalar& element : elements) {
    shown.push_back(scalar_as_text(element, kMaxElementCharacters));
  }
  return fmt::format("{}{}", fmt::join(shown, ", "),
                     value.n_elements > elements.size() ? ", …" : "");
}

// JSON has no infinities, and a float is written as short as it reads back.
template <class Float>
json::value float_as_json(Float number) {
  const std::string text = fmt::format("{}", number);
  if (!std::isfinite(number)) return json::string(text);
  return std::strtod(text.c_str(), nullptr);
}

json::value scalar_as_json(const GgufScalar& scalar) {
  return std::visit(Cases{[](std::string_view text) -> json::value {
                            return json::string(replace_invalid(text));
                          },
                          [](float number) { return float_as_json(number); },
                          [](double number) { return float_as_json(number); },
                          [](auto number) -> json::value { return number; }},
                    scalar);
}

json::value value_as_json(const GgufValue& value) {
  const auto elements = first_elements(value, kMaxElements);
  if (value.type != GgufType::kArray) return scalar_as_json(elements[0]);
  json::array first;
  for (const GgufScalar& element : elements) first.push_back(scalar_as_json(element));
  return json::object{{"element_type", gguf_type_name(value.element_type)},
                      {"count", value.n_elements},
                      {"first", std::move(first)}};
}

std::span<const std::uint64_t> shape_of(const GgufTensor& tensor) {
  return std::span(tensor.shape).first(tensor.n_dims);
}

std::string text_of(const GgufFile& file, std::string_view key, std::string_view otherwise) {
  return excerpt(file.read_string(key).value_or(otherwise), kMaxValueCharacters);
}

std::string summary_as_text(const GgufFile& file, std::string_view path,
                            const std::vector<FormatUse>& uses) {
  const std::string parameters = format_count(sum_of(uses, &FormatUse::n_weights));
  return fmt::format(
      "model       {}\nfamily      {}\nfile        {} ({}, GGUF version {})\n"
      "parameters  {} in {} tensors\n",
      text_of(file, "general.name", "(no name)"), text_of(file, "general.architecture", "(none)"),
      path, format_bytes(file.n_bytes()), file.version(), parameters,
      format_count(file.tensors().size()));
}

std::string memory_as_text(const Result<Memory>& memory) {
  if (!memory) {
    return fmt::format("  can't run here: {}\n", excerpt(memory.error().message, 400));
  }
  const std::string weights = format_bytes(memory->weight_bytes);
  std::vector<std::vector<std::string>> rows = {{"weights", weights, weights}};
  const auto add_kv = [&](const std::string& what, std::uint64_t per_token, std::uint64_t n) {
    rows.push_back({fmt::format("{}, {} tokens", what, format_count(n)),
                    format_bytes(per_token * n),
                    format_bytes(memory->weight_bytes + per_token * n)});
  };
  for (const KvFormatRow& row : kKvFormats) {
    if (memory->n_heads == 0) break;
    const std::uint64_t per_token = memory->kv_bytes_of(row.format);
    const std::string cache = fmt::format("KV cache in {}", row.name);
    add_kv(cache, per_token, kTokensPerRow);
    add_kv(cache + ", full context", per_token, memory->n_ctx);
  }
  if (memory->state_bytes != 0) {
    rows.push_back({"state of a sequence", format_bytes(memory->state_bytes),
                    format_bytes(memory->weight_bytes + memory->state_bytes)});
  }
  return format_table({{"part"}, {"size", Align::kRight}, {"with weights", Align::kRight}}, rows,
                      kIndent);
}

std::string formats_as_text(const std::vector<FormatUse>& uses) {
  const auto n_bytes = static_cast<double>(sum_of(uses, &FormatUse::n_bytes));
  std::vector<std::vector<std::string>> rows;
  rows.reserve(uses.size());
  for (const FormatUse& use : uses) {
    rows.push_back({std::string(format_row(use.format).name), format_count(use.n_tensors),
                    format_count(use.n_weights), format_bytes(use.n_bytes),
                    fmt::format("{:.1f} %", 100.0 * static_cast<double>(use.n_bytes) / n_bytes)});
  }
  return format_table({{"format"},
                       {"tensors", Align::kRight},
                       {"weights", Align::kRight},
                       {"size", Align::kRight},
                       {"share", Align::kRight}},
                      rows, kIndent);
}

std::string metadata_as_text(const GgufFile& file) {
  std::vector<std::vector<std::string>> rows;
  for (const GgufValue& value : file.values()) {
    rows.push_back({std::string(value.key), type_as_text(value), value_as_text(value)});
  }
  return format_table({{"key"}, {"type"}, {"value"}}, rows, kIndent);
}

std::string tensors_as_text(const GgufFile& file) {
  std::vector<std::vector<std::string>> rows;
  for (const GgufTensor& tensor : file.tensors()) {
    rows.push_back({std::string(tensor.name), fmt::format("{}", fmt::join(shape_of(tensor), " x ")),
                    std::string(format_row(tensor.format).name), format_count(tensor.data.size()),
                    format_count(tensor.offset)});
  }
  return format_table(
      {{"name"}, {"shape"}, {"format"}, {"bytes", Align::kRight}, {"offset", Align::kRight}}, rows,
      kIndent);
}

json::value memory_as_json(const Result<Memory>& memory) {
  if (!memory) return json::object{{"error", replace_invalid(memory.error().message)}};
  json::object kv;
  for (const KvFormatRow& row : kKvFormats) {
    const std::uint64_t per_token = memory->kv_bytes_of(row.format);
    kv[row.name] = json::object{{"per_1024_tokens", per_token * kTokensPerRow},
                                {"full_context", per_token * memory->n_ctx}};
  }
  json::object out{
      {"weights", memory->weight_bytes}, {"context_length", memory->n_ctx}, {"kv", std::move(kv)}};
  if (memory->state_bytes != 0) out["state"] = memory->state_bytes;
  return out;
}

json::array formats_as_json(const std::vector<FormatUse>& uses) {
  json::array rows;
  for (const FormatUse& use : uses) {
    rows.push_back(json::object{{"format", format_row(use.format).name},
                                {"tensors", use.n_tensors},
                                {"weights", use.n_weights},
                                {"bytes", use.n_bytes}});
  }
  return rows;
}

json::array tensors_as_json(const GgufFile& file) {
  json::array rows;
  for (const GgufTensor& tensor : file.tensors()) {
    json::array shape;
    for (const std::uint64_t n : shape_of(tensor)) shape.push_back(n);
    rows.push_back(json::object{{"name", tensor.name},
                                {"shape", std::move(shape)},
                                {"format", format_row(tensor.format).name},
                                {"bytes", tensor.data.size()},
                                {"offset", tensor.offset}});
  }
  return rows;
}

}  // namespace

std::string inspect_as_text(const GgufFile& file, std::string_view path) {
  const auto uses = count_formats(file);
  std::string text = summary_as_text(file, path, uses);
  text += "\nMemory\n" + memory_as_text(measure_memory(file, uses));
  text += "\nFormats\n" + formats_as_text(uses);
  text += "\nMetadata\n" + metadata_as_text(file);
  text += "\nTensors (first dimension contiguous)\n" + tensors_as_text(file);
  return text;
}

std::string inspect_as_json(const GgufFile& file, std::string_view path) {
  const auto uses = count_formats(file);
  json::object metadata;
  for (const GgufValue& value : file.values()) metadata[value.key] = value_as_json(value);
  const json::object answer{{"path", replace_invalid(path)},
                            {"bytes", file.n_bytes()},
                            {"gguf_version", file.version()},
                            {"alignment", file.alignment()},
                            {"parameters", sum_of(uses, &FormatUse::n_weights)},
                            {"memory", memory_as_json(measure_memory(file, uses))},
                            {"formats", formats_as_json(uses)},
                            {"metadata", std::move(metadata)},
                            {"tensors", tensors_as_json(file)}};
  return json::serialize(answer) + "\n";
}

Result<void> run_inspect(const InspectOptions& options) {
  JARIP_TRY(const ModelLibrary library, open_library());
  JARIP_TRY(const auto path, library.resolve(options.model));
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  return print(options.json ? inspect_as_json(file, path.native())
                            : inspect_as_text(file, path.native()));
}

}  // namespace jarip
