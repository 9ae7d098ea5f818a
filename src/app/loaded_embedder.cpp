#include "app/loaded_embedder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "app/loading.h"
#include "app/prompt.h"
#include "base/exact_math.h"
#include "model/encoder_config.h"
#include "model/gguf.h"

namespace jarip {
namespace {

constexpr std::string_view kTemplateKey = "tokenizer.chat_template.rerank";
constexpr std::size_t kMaxTemplateBytes = 1U << 16U;
constexpr std::string_view kQuery = "{query}";
constexpr std::string_view kDocument = "{document}";

// Models whose vectors may be cut (Kusupati et al., "Matryoshka Representation Learning", 2022), as
// their cards say; files don't. By a part of general.name in small letters.
struct Matryoshka {
  std::string_view name;
  std::uint32_t least;
};
constexpr std::array kMatryoshkas = {
    Matryoshka{"qwen3 embedding", 32},      Matryoshka{"nomic embed text v1.5", 64},
    Matryoshka{"arctic embed m v1.5", 256}, Matryoshka{"arctic embed m v2", 256},
    Matryoshka{"arctic embed l v2", 256},   Matryoshka{"jina embeddings v3", 32},
    Matryoshka{"mxbai embed large", 64},
};

// "Qwen3-Embedding-0.6B" as "qwen3 embedding 0.6b".
std::string plain_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    out += c == '-' || c == '_'   ? ' '
           : c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A'))
                                  : c;
  }
  return out;
}

}  // namespace

void set_unit_length(std::span<float> vector) {
  double squares = 0;
  for (const float value : vector)
    squares += static_cast<double>(value) * static_cast<double>(value);
  if (squares == 0) return;
  const double length = std::sqrt(squares);
  for (float& value : vector) value = static_cast<float>(static_cast<double>(value) / length);
}

float probability_of(float score) {
  return static_cast<float>(1 / (1 + exact_exp(-static_cast<double>(score))));
}

Result<std::unique_ptr<LoadedEmbedder>> LoadedEmbedder::load(const std::filesystem::path& path,
                                                             std::string name,
                                                             const LoadedEmbedderOptions& options) {
  JARIP_TRY(const unsigned n_threads, thread_count(options.n_threads));
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  std::unique_ptr<LoadedEmbedder> loaded(new LoadedEmbedder());
  loaded->name_ = std::move(name);
  loaded->created_ = modified_at(path);
  JARIP_TRY(Tokenizer tokenizer, Tokenizer::from_gguf(file));
  loaded->tokenizer_ = std::make_unique<Tokenizer>(std::move(tokenizer));

  auto on_progress = options.on_progress;
  EmbeddingLoadOptions load_options{.n_ctx = options.n_ctx};
  if (on_progress) {
    load_options.on_progress = report_progress;
    load_options.progress_context = &on_progress;
  }
  loaded->pool_ = std::make_unique<ThreadPool>(n_threads);
  JARIP_TRY(loaded->model_, load_embedding_model(file, *loaded->pool_, load_options));
  if (loaded->tokenizer_->n_vocab() > loaded->facts().n_vocab) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("the tokenizer has {} tokens, but the model only {}",
                            loaded->tokenizer_->n_vocab(), loaded->facts().n_vocab),
                "tokenizer.ggml.tokens");
  }
  JARIP_CHECK(loaded->read_rank_template(file));
  loaded->embedder_ = std::make_unique<Embedder>(*loaded->model_, options.embedder);
  return loaded;
}

// Decoders rank what a template makes of query and document; encoders read the two side by side.
Result<void> LoadedEmbedder::read_rank_template(const GgufFile& file) {
  if (!ranks() || find_encoder_family(facts().family) != nullptr) return {};
  JARIP_TRY(const std::string_view source, file.read_string(kTemplateKey));
  const std::size_t query = source.find(kQuery);
  const std::size_t document = source.find(kDocument);
  if (source.size() > kMaxTemplateBytes || query == std::string_view::npos ||
      document == std::string_view::npos || document < query) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} doesn't say where a query and then a document go", kTemplateKey),
                std::string(kTemplateKey));
  }
  rank_template_ = source;
  return {};
}

EmbedText LoadedEmbedder::text(std::string_view text) const {
  EmbedText out{.tokens = encode_text(text, *tokenizer_)};
  if (const auto closing = tokenizer_->closing()) out.tokens.push_back(*closing);
  return out;
}

EmbedText LoadedEmbedder::pair(std::string_view query, std::string_view document) const {
  if (rank_template_) {
    const std::string_view source = *rank_template_;
    const std::size_t at_query = source.find(kQuery);
    const std::size_t after_query = at_query + kQuery.size();
    const std::size_t at_document = source.find(kDocument);
    const std::vector<RenderedSegment> segments = {
        {std::string(source.substr(0, at_query)), false},
        {std::string(query), true},
        {std::string(source.substr(after_query, at_document - after_query)), false},
        {std::string(document), true},
        {std::string(source.substr(at_document + kDocument.size())), false}};
    return {.tokens = encode_segments(segments, *tokenizer_)};
  }
  EmbedText out = text(query);
  if (const auto closing = tokenizer_->closing(); closing && tokenizer_->closes_twice()) {
    out.tokens.push_back(*closing);
  }
  out.second = static_cast<std::uint32_t>(out.tokens.size());
  const std::vector<TokenId> rest = tokenizer_->encode(document);
  out.tokens.insert(out.tokens.end(), rest.begin(), rest.end());
  if (const auto closing = tokenizer_->closing()) out.tokens.push_back(*closing);
  return out;
}

Result<void> LoadedEmbedder::check_dimensions(std::uint32_t n) const {
  const std::uint32_t all = facts().n_outputs;
  if (n == all) return {};
  const std::string name = plain_name(facts().name);
  const auto* const row = std::ranges::find_if(
      kMatryoshkas, [&](const Matryoshka& known) { return name.contains(known.name); });
  if (row == kMatryoshkas.end()) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("dimensions is {}, but \"{}\" wasn't trained to have its vectors cut: "
                            "leave it out, or ask for all {}",
                            n, name_, all),
                "dimensions");
  }
  if (n < row->least || n > all) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("dimensions is {}; \"{}\" gives {} to {}", n, name_, row->least, all),
                "dimensions");
  }
  return {};
}

}  // namespace jarip
