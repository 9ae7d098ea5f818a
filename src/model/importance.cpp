#include "model/importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/gguf.h"
#include "model/gguf_writer.h"

namespace jarip {
namespace {

constexpr std::string_view kSums = ".in_sum2";
constexpr std::string_view kCounts = ".counts";
// What a column that hardly matters counts for, of the mean of all.
constexpr float kLeastPart = 1e-4F;

std::unexpected<Error> refuse(std::string_view name, std::string_view why) {
  return fail(ErrorCode::kCorrupt,
              fmt::format("the importance matrix is damaged: {} {}", name, why), std::string(name));
}

Result<std::vector<float>> read_floats(const GgufTensor& tensor) {
  if (tensor.format != Format::kF32) return refuse(tensor.name, "isn't F32");
  std::vector<float> values(tensor.n_elements);
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  const auto is_good = [](float value) { return std::isfinite(value) && value >= 0; };
  if (!std::ranges::all_of(values, is_good)) {
    return refuse(tensor.name, "holds a number that is negative or not finite");
  }
  return values;
}

}  // namespace

Result<Importance> Importance::load(const std::filesystem::path& path) {
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  const auto type = file.read_string("general.type");
  if (!type || *type != "imatrix") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no importance matrix; `jarip imatrix` makes one", path.native()),
                "imatrix");
  }
  Importance importance;
  for (const GgufTensor& sums : file.tensors()) {
    if (!sums.name.ends_with(kSums)) continue;
    const std::string name(sums.name.substr(0, sums.name.size() - kSums.size()));
    const GgufTensor* counts = file.find_tensor(name + std::string(kCounts));
    if (counts == nullptr) return refuse(sums.name, "has no counts beside it");
    Entry entry;
    JARIP_TRY(entry.sums, read_floats(sums));
    JARIP_TRY(entry.counts, read_floats(*counts));
    if (entry.sums.size() % entry.counts.size() != 0)
      return refuse(sums.name, "doesn't fit its counts");
    importance.entries_.emplace(name, std::move(entry));
  }
  if (importance.entries_.empty()) return refuse(path.native(), "holds no sums");
  importance.n_chunks =
      static_cast<std::uint32_t>(file.read_uint("imatrix.chunk_count").value_or(0));
  importance.chunk_size =
      static_cast<std::uint32_t>(file.read_uint("imatrix.chunk_size").value_or(0));
  if (const auto datasets = file.read_strings("imatrix.datasets")) {
    importance.datasets.assign(datasets->begin(), datasets->end());
  }
  return importance;
}

Result<void> Importance::save(const std::filesystem::path& path) const {
  GgufWriter writer;
  const std::vector<std::string_view> names(datasets.begin(), datasets.end());
  writer.add_string("general.type", "imatrix")
      .add_strings("imatrix.datasets", names)
      .add_u32("imatrix.chunk_count", n_chunks)
      .add_u32("imatrix.chunk_size", chunk_size);
  for (const auto& [name, entry] : entries_) {
    const std::uint64_t n_matrices = entry.counts.size();
    writer.add_f32_tensor(name + std::string(kSums), {entry.sums.size() / n_matrices, n_matrices},
                          entry.sums);
    writer.add_f32_tensor(name + std::string(kCounts), {1, n_matrices}, entry.counts);
  }
  return writer.write_to(path);
}

Importance::Entry& Importance::entry(std::string_view tensor, std::uint64_t n_cols,
                                     std::uint64_t n_matrices) {
  const auto found = entries_.find(tensor);
  if (found != entries_.end()) return found->second;
  Entry entry{.sums = std::vector<float>(n_cols * n_matrices),
              .counts = std::vector<float>(n_matrices)};
  return entries_.emplace(tensor, std::move(entry)).first->second;
}

std::vector<float> Importance::means(std::string_view tensor, std::uint64_t n_cols,
                                     std::uint64_t n_matrices) const {
  const auto found = entries_.find(tensor);
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  if (entry.sums.size() != n_cols * n_matrices || entry.counts.size() != n_matrices) return {};
  std::vector<float> means(entry.sums.size(), 1.0F);
  for (std::uint64_t matrix = 0; matrix < n_matrices; ++matrix) {
    const auto sums = std::span(entry.sums).subspan(matrix * n_cols, n_cols);
    double total = 0;
    for (const float sum : sums) total += static_cast<double>(sum);
    if (!(total > 0)) continue;  // an expert that was never asked: all columns alike
    const auto mean = static_cast<float>(total / static_cast<double>(n_cols));
    for (std::uint64_t i = 0; i < n_cols; ++i) {
      means[matrix * n_cols + i] = std::max(sums[i] / mean, kLeastPart);
    }
  }
  return means;
}

}  // namespace jarip
