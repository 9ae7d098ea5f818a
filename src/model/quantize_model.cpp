#include "model/quantize_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/first_error.h"
#include "model/gguf_writer.h"
#include "tensor/dequantize.h"
#include "tensor/kernels.h"
#include "tensor/quantizer.h"

namespace jarip {
namespace {

constexpr std::uint32_t kQuantizationVersion = 2;
constexpr std::uint64_t kStretchWeights = 1U << 18U;
constexpr std::size_t kStretchesAtOnce = 32;  // between two calls of on_progress

// Matrices that are small, or that decide more than they multiply: routers, positions, the short
// convolutions of recurrent layers.
constexpr std::string_view kKept[] = {"_norm.weight",      "ffn_gate_inp",        "position_embd",
                                      "token_types",       "ssm_conv1d",          "shortconv",
                                      "attn_rel_b.weight", "per_layer_model_proj"};

bool is_quantized(const GgufTensor& tensor) {
  const auto is_in = [&](std::string_view part) { return tensor.name.contains(part); };
  return tensor.n_dims >= 2 && tensor.name.ends_with(".weight") && tensor.shape[1] > 1 &&
         std::ranges::none_of(kKept, is_in);
}

// What the formats of all tensors depend on.
struct Plan {
  const FileTypeRow* row;  // null: every tensor keeps its format
  std::uint32_t n_layers;
  std::uint32_t n_group;
  bool has_output;  // apart from the embedding

  [[nodiscard]] Format format_of(const GgufTensor& tensor) const;
};

std::uint32_t number_of(const GgufFile& file, std::string_view key, std::uint32_t otherwise) {
  const auto architecture = file.read_string("general.architecture");
  if (!architecture) return otherwise;
  const auto value = file.read_uint(fmt::format("{}.{}", *architecture, key));
  return value && *value > 0 && *value <= 1U << 20U ? static_cast<std::uint32_t>(*value)
                                                    : otherwise;
}

Plan make_plan(const ModelSource& source, std::optional<FileType> format) {
  const GgufFile& file = source.metadata();
  const std::uint32_t n_heads = number_of(file, "attention.head_count", 1);
  const std::uint32_t n_kv_heads = number_of(file, "attention.head_count_kv", n_heads);
  return {.row = format ? &file_type_row(*format) : nullptr,
          .n_layers = number_of(file, "block_count", 1),
          .n_group = std::max(n_heads / n_kv_heads, 1U),
          .has_output = source.find_tensor("output.weight") != nullptr};
}

// "blk.3.…": 3.
std::uint32_t layer_of(std::string_view name) {
  std::uint32_t layer = 0;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

Format Plan::format_of(const GgufTensor& tensor) const {
  if (row == nullptr || !is_quantized(tensor)) return tensor.format;
  const std::string_view name = tensor.name;
  Format format = row->matrix;
  if (name == "output.weight" || (name == "token_embd.weight" && !has_output)) {
    format = row->output;
  } else if ((name.contains(".attn_v.") || name.contains(".ffn_down")) &&
             matters_more(layer_of(name), n_layers)) {
    format = row->favoured;
  }
  return format_at(
      row->type, format,
      {.name = name, .n_layers = n_layers, .n_group = n_group, .n_cols = tensor.shape[0]});
}

struct Target {
  const GgufTensor* source;
  Format format;
  std::vector<float> importance;  // [n_matrices, n_cols], or empty
  std::uint64_t offset = 0;       // in the file
};

// A stretch of one matrix: what one task converts and writes.
struct Stretch {
  std::uint32_t target;
  std::uint64_t first;  // weight of the tensor; where a block begins
  std::uint64_t n_weights;
};

bool is_of_quantization(std::string_view key) {
  return key == "general.file_type" || key == "general.quantization_version" ||
         key.starts_with("quantize.imatrix.");
}

// row: null where all stays as it is.
void add_metadata(GgufWriter& writer, const GgufFile& file, const FileTypeRow* row) {
  if (file.find_value("general.alignment") != nullptr) {
    writer.set_alignment(static_cast<std::uint32_t>(file.alignment()));
  }
  for (const GgufValue& value : file.values()) {
    if (value.key == "general.alignment" || (row != nullptr && is_of_quantization(value.key))) {
      continue;
    }
    if (value.type == GgufType::kArray) {
      writer.add_array(value.key, value.element_type, value.n_elements, value.bytes);
    } else if (value.type == GgufType::kString) {
      writer.add_value(
          value.key, value.type,
          ByteWriter().number<std::uint64_t>(value.bytes.size()).raw(value.bytes).bytes());
    } else {
      writer.add_value(value.key, value.type, value.bytes);
    }
  }
  if (row == nullptr) return;
  writer.add_u32("general.file_type", row->number)
      .add_u32("general.quantization_version", kQuantizationVersion);
}

void add_importance(GgufWriter& writer, const Importance& importance) {
  writer
      .add_u32("quantize.imatrix.entries_count",
               static_cast<std::uint32_t>(importance.entries().size()))
      .add_u32("quantize.imatrix.chunks_count", importance.n_chunks);
  if (!importance.datasets.empty()) {
    writer.add_string("quantize.imatrix.dataset", importance.datasets.front());
  }
}

class ModelQuantizer {
 public:
  ModelQuantizer(const QuantizeRequest& request, ThreadPool& pool, const Kernels& kernels)
      : request_(request), pool_(pool), kernels_(kernels) {}

  Result<QuantizeReport> run() {
    lay_out();
    JARIP_TRY(NewFile file, NewFile::create(request_.path, report_.n_bytes, request_.existing));
    JARIP_CHECK(file.write_at(0, head_));
    for (std::size_t done = 0; done < stretches_.size();) {
      const std::size_t n = std::min(kStretchesAtOnce, stretches_.size() - done);
      JARIP_CHECK(write_some(file, std::span(stretches_).subspan(done, n)));
      done += n;
      const float part = static_cast<float>(done) / static_cast<float>(stretches_.size());
      if (request_.on_progress && !request_.on_progress(part)) {
        return fail(ErrorCode::kCancelled, "stopped; nothing was written");
      }
    }
    JARIP_CHECK(file.publish());
    return report_;
  }

 private:
  void lay_out() {
    const ModelSource& source = *request_.source;
    const Plan plan = make_plan(source, request_.format);
    GgufWriter writer;
    add_metadata(writer, source.metadata(), plan.row);
    if (request_.importance != nullptr) add_importance(writer, *request_.importance);
    const std::uint64_t alignment = source.metadata().alignment();
    std::uint64_t end = 0;  // of the data section so far
    for (const GgufTensor& tensor : source.tensors()) {
      end = (end + alignment - 1) / alignment * alignment;
      Target target{
          .source = &tensor, .format = plan.format_of(tensor), .importance = {}, .offset = end};
      if (target.format != tensor.format) count(target);
      const std::vector<std::uint64_t> shape(tensor.shape, tensor.shape + tensor.n_dims);
      writer.add_tensor_record(tensor.name, format_row(target.format).ggml_type, shape, end);
      cut(target);
      end += row_bytes(target.format, tensor.n_elements);
      report_.n_weights += tensor.n_elements;
      targets_.push_back(std::move(target));
    }
    head_ = writer.head();
    for (Target& target : targets_) target.offset += head_.size();
    report_.n_bytes = head_.size() + end;
  }

  void count(Target& target) {
    const GgufTensor& tensor = *target.source;
    ++report_.n_matrices;
    if (format_row(tensor.format).block_size > 1) ++report_.n_requantized;
    if (request_.importance == nullptr) return;
    target.importance =
        request_.importance->means(tensor.name, tensor.shape[0], n_matrices(tensor));
    if (target.importance.empty()) ++report_.n_without_importance;
  }

  static std::uint64_t n_matrices(const GgufTensor& tensor) {
    return tensor.shape[2] * tensor.shape[3];
  }

  // No stretch crosses the end of a matrix: each may have an importance of its own.
  void cut(const Target& target) {
    const GgufTensor& tensor = *target.source;
    const std::uint64_t n_each = tensor.n_elements / n_matrices(tensor);
    for (std::uint64_t begin = 0; begin < tensor.n_elements; begin += n_each) {
      for (std::uint64_t done = 0; done < n_each; done += kStretchWeights) {
        stretches_.push_back({.target = static_cast<std::uint32_t>(targets_.size()),
                              .first = begin + done,
                              .n_weights = std::min(kStretchWeights, n_each - done)});
      }
    }
  }

  Result<void> write_some(const NewFile& file, std::span<const Stretch> stretches) {
    FirstError error;
    pool_.run(static_cast<std::uint32_t>(stretches.size()), [&](std::uint32_t task, unsigned) {
      if (error.is_set()) return;
      auto written = write_stretch(file, stretches[task]);
      if (!written) error.set(std::move(written).error());
    });
    return error.result();
  }

  Result<void> write_stretch(const NewFile& file, const Stretch& stretch) const {
    const Target& target = targets_[stretch.target];
    const GgufTensor& tensor = *target.source;
    const std::uint64_t offset = target.offset + row_bytes(target.format, stretch.first);
    std::vector<std::byte> scratch;
    JARIP_TRY(const auto bytes,
              request_.source->read(tensor, stretch.first, stretch.n_weights, scratch));
    if (target.format == tensor.format) {
      JARIP_CHECK(file.write_at(offset, bytes));
    } else {
      JARIP_TRY(const std::vector<std::byte> blocks, convert(target, stretch, bytes));
      JARIP_CHECK(file.write_at(offset, blocks));
    }
    request_.source->release(tensor, stretch.first, stretch.n_weights);
    return {};
  }

  [[nodiscard]] Result<std::vector<std::byte>> convert(const Target& target, const Stretch& stretch,
                                                       std::span<const std::byte> bytes) const {
    const GgufTensor& tensor = *target.source;
    std::vector<float> values(stretch.n_weights);
    dequantize_row(tensor.format, bytes, values);
    if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("tensor {} holds a weight that is not a finite number", tensor.name),
                  std::string(tensor.name));
    }
    const std::uint64_t n_cols = tensor.shape[0];
    const std::uint64_t n_each = tensor.n_elements / n_matrices(tensor);
    std::span<const float> importance = target.importance;
    if (!importance.empty())
      importance = importance.subspan(stretch.first / n_each * n_cols, n_cols);
    std::vector<std::byte> blocks(row_bytes(target.format, stretch.n_weights));
    quantize(kernels_,
             {.format = target.format,
              .values = values,
              .importance = importance,
              .first_column = stretch.first % n_cols},
             blocks);
    return blocks;
  }

  const QuantizeRequest& request_;
  ThreadPool& pool_;
  const Kernels& kernels_;
  std::vector<std::byte> head_;
  std::vector<Target> targets_;
  std::vector<Stretch> stretches_;
  QuantizeReport report_;
};

}  // namespace

Result<QuantizeReport> quantize_model(const QuantizeRequest& request, ThreadPool& pool) {
  const auto n_parts = request.source->metadata().read_uint("split.count");
  if (n_parts && *n_parts > 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the model is in {} files; join them into one first", *n_parts),
                "split.count");
  }
  JARIP_TRY(const Kernels* kernels, select_kernels());
  return ModelQuantizer(request, pool, *kernels).run();
}

}  // namespace jarip
