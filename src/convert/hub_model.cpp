#include "convert/hub_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/utf8.h"
#include "convert/hub_config.h"
#include "convert/hub_folder.h"
#include "convert/hub_tokenizer.h"
#include "model/file_types.h"
#include "model/tokenizer.h"
#include "tensor/dequantize.h"

namespace jarip {
namespace {

constexpr std::uint32_t kQuantizationVersion = 2;

// Whose models answer yes or no: Qwen3-Reranker, and the words that it was trained with.
constexpr std::string_view kRankingDecoder = "qwen3";
constexpr std::string_view kRankingPrompt =
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and "
    "the Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n"
    "<|im_start|>user\n<Instruct>: Given a web search query, retrieve relevant passages that "
    "answer "
    "the query\n<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n"
    "<think>\n\n</think>\n\n";
constexpr std::string_view kLabels[] = {"yes", "no"};

Result<const HubFamily*> find_family(const JsonFields& fields) {
  const boost::json::value* classes = fields.find("architectures");
  if (classes == nullptr || !classes->is_array() || classes->get_array().empty() ||
      !classes->get_array()[0].is_string()) {
    return fields.corrupt("architectures", "is missing; it says what class the model is of");
  }
  const std::string_view name = classes->get_array()[0].get_string();
  if (const HubFamily* family = find_hub_family(name)) return family;
  std::vector<std::string_view> known;
  for (const HubFamily& family : hub_families()) known.push_back(family.name);
  return fields.refuse("architectures",
                       fmt::format("is {}; models of these classes can be converted: {}",
                                   replace_invalid(name.substr(0, 100)), fmt::join(known, ", ")));
}

Result<void> refuse_quantized(const JsonFields& fields, const HubFamily& family) {
  constexpr std::string_view kName = "quantization_config";
  JARIP_TRY(const auto settings, fields.fields(kName));
  if (!settings) return {};
  JARIP_TRY(const auto method, settings->text("quant_method"));
  if (method == "mxfp4" && family.architecture == "gpt-oss") return {};
  return fields.refuse(kName, fmt::format("says that the weights are quantized ({}); convert the "
                                          "model that they were made of",
                                          settings->shown("quant_method")));
}

Result<Pooling> choose_pooling(const HubFolder& folder, const JsonFields& config,
                               const HubFamily& family, std::optional<Pooling> given) {
  const std::string_view model_class = config.find("architectures")->get_array()[0].get_string();
  if (model_class.ends_with("ForSequenceClassification")) return Pooling::kRank;
  if (given == Pooling::kRank && family.architecture != kRankingDecoder) {
    return fail(
        ErrorCode::kUnsupported,
        "a model ranks by its classifier, of classes such as BertForSequenceClassification, "
        "or by its yes and no as Qwen3-Reranker does; this one has neither",
        "pooling");
  }
  if (given) return *given;
  JARIP_TRY(const Pooling pooling, folder.read_pooling());
  if (pooling == Pooling::kNone && family.is_encoder) {
    return fail(ErrorCode::kUnsupported,
                "modules.json, which says how a text becomes one vector, isn't there; say it with "
                "--pooling mean, first or last, as the model's page tells",
                "pooling");
  }
  return pooling;
}

std::uint32_t file_type_of(std::span<const WeightView> views) {
  std::map<Format, std::uint64_t> sums;
  for (const WeightView& view : views) {
    if (view.shape.size() > 1) sums[view.format] += view.n_elements();
  }
  const auto most = std::ranges::max_element(sums, {}, [](const auto& sum) { return sum.second; });
  const Format format = most == sums.end() ? Format::kF32 : most->first;
  if (format == Format::kMXFP4) return file_type_row(FileType::kMXFP4).number;
  return std::ranges::find(file_types(), format, &FileTypeRow::matrix)->number;
}

Result<std::uint64_t> count_tokens(std::span<const WeightView> views) {
  constexpr std::string_view kName = "token_embd.weight";
  const auto found = std::ranges::find(views, kName, &WeightView::name);
  if (found == views.end() || found->shape.size() != 2 || found->shape[1] > 1U << 22U) {
    return fail(ErrorCode::kCorrupt, "the embedding is missing, or is no matrix",
                std::string(kName));
  }
  return found->shape[1];
}

// The rows of the output matrix for the labels, in place of all of it.
Result<void> keep_labels(const GgufFile& metadata, std::vector<WeightView>& views) {
  JARIP_TRY(const Tokenizer tokenizer, Tokenizer::from_gguf(metadata));
  auto output = std::ranges::find(views, "output.weight", &WeightView::name);
  const bool is_tied = output == views.end();
  if (is_tied) output = std::ranges::find(views, "token_embd.weight", &WeightView::name);
  const std::uint64_t n_cols = output->shape[0];
  WeightView labels;
  labels.name = "cls.output.weight";
  labels.shape = {n_cols, std::size(kLabels)};
  std::vector<float> row(n_cols);
  for (const std::string_view label : kLabels) {
    const auto id = tokenizer.find_token(label);
    if (!id || output->shape.size() != 2 || *id >= output->shape[1]) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("the tokenizer has no token \"{}\", by which a model ranks", label),
                  "pooling");
    }
    std::vector<std::byte> bytes(row_bytes(output->format, n_cols));
    read_weights(*output, *id * n_cols, n_cols, bytes);
    dequantize_row(output->format, bytes, row);
    labels.own.insert(labels.own.end(), row.begin(), row.end());
  }
  if (!is_tied) views.erase(output);
  views.push_back(std::move(labels));
  return {};
}

Result<void> check_classifier(std::span<const WeightView> views) {
  const auto found = std::ranges::find(views, "cls.output.weight", &WeightView::name);
  if (found == views.end() || (found->shape.size() == 2 && found->shape[1] == 1)) return {};
  return fail(ErrorCode::kUnsupported,
              "the classifier has several labels; models that rank by one can run here",
              "classifier");
}

}  // namespace

Result<std::unique_ptr<HubModel>> HubModel::open(const std::filesystem::path& path,
                                                 std::optional<Pooling> pooling) {
  JARIP_TRY(const HubFolder folder, HubFolder::open(path));
  JARIP_TRY(const JsonFile config_file, folder.read_json("config.json"));
  JARIP_TRY(const JsonFields whole, config_file.fields());
  JARIP_TRY(const HubFamily* family, find_family(whole));
  JARIP_CHECK(refuse_quantized(whole, *family));
  JARIP_TRY(const Pooling chosen, choose_pooling(folder, whole, *family, pooling));
  // Of models that read pictures too, the part that reads text.
  JARIP_TRY(const auto part, whole.fields("text_config"));
  const HubConfig config(part.value_or(whole), *family);

  GgufWriter writer;
  writer.add_string("general.architecture", family->architecture)
      .add_string("general.name", folder.name());
  JARIP_TRY(ConvertedConfig converted, family->is_encoder
                                           ? convert_encoder_config(config, chosen, writer)
                                           : convert_config(config, chosen, writer));
  JARIP_TRY(SafetensorsModel weights, folder.open_weights());
  std::unique_ptr<HubModel> model(new HubModel(std::move(weights)));
  JARIP_TRY(model->views_, find_views(model->weights_, *family, converted.facts));
  std::ranges::move(converted.tensors, std::back_inserter(model->views_));
  JARIP_CHECK(check_classifier(model->views_));
  JARIP_TRY(const std::uint64_t n_vocab, count_tokens(model->views_));
  writer.add_u32("general.file_type", file_type_of(model->views_))
      .add_u32("general.quantization_version", kQuantizationVersion)
      .add_u32(config.key("vocab_size"), static_cast<std::uint32_t>(n_vocab));
  JARIP_CHECK(convert_tokenizer(folder, n_vocab, writer));
  const bool by_words = chosen == Pooling::kRank && !family->is_encoder;
  if (by_words) {
    writer.add_string("tokenizer.chat_template.rerank", kRankingPrompt)
        .add_strings(config.key("classifier.output_labels"), {kLabels[0], kLabels[1]});
  }
  model->head_ = writer.head();
  JARIP_TRY(model->metadata_, GgufFile::parse(model->head_));
  if (by_words) JARIP_CHECK(keep_labels(model->metadata_, model->views_));
  JARIP_CHECK(model->list_tensors());
  return model;
}

Result<void> HubModel::list_tensors() {
  for (const WeightView& view : views_) {
    GgufTensor& tensor = tensors_.emplace_back();
    tensor.name = view.name;
    tensor.format = view.format;
    tensor.n_dims = static_cast<std::uint32_t>(view.shape.size());
    std::ranges::copy(view.shape, tensor.shape);
    tensor.n_elements = view.n_elements();
    if (view.name.size() > GgufLimits::kMaxTensorNameBytes) {
      return fail(ErrorCode::kCorrupt, fmt::format("tensor {} has too long a name", view.name));
    }
  }
  return {};
}

Result<std::span<const std::byte>> HubModel::read(const GgufTensor& tensor, std::uint64_t first,
                                                  std::uint64_t n,
                                                  std::vector<std::byte>& scratch) const {
  const WeightView& view = views_[static_cast<std::size_t>(&tensor - tensors_.data())];
  scratch.resize(row_bytes(view.format, n));
  read_weights(view, first, n, scratch);
  return std::span<const std::byte>(scratch);
}

void HubModel::release(const GgufTensor& tensor, std::uint64_t first, std::uint64_t n) const {
  const WeightView& view = views_[static_cast<std::size_t>(&tensor - tensors_.data())];
  if (view.lies_in_order()) {
    const std::uint64_t per_part = view.n_elements() / view.parts.size();
    const SafeTensor& part = *view.parts[first / per_part];
    const std::uint64_t each = format_row(*part.format).block_bytes;
    const std::uint64_t begin = first % per_part;
    weights_.release(part.data.subspan(begin * each, std::min(n, per_part - begin) * each));
  } else if (first + n == tensor.n_elements) {
    // Stretches take what they need from anywhere; what is read once more is fetched again.
    for (const SafeTensor* part : view.parts) weights_.release(part->data);
  }
}

}  // namespace jarip
