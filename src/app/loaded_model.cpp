#include "app/loaded_model.h"

#include <fmt/format.h>

#include <utility>

#include "app/answer.h"
#include "app/loading.h"
#include "model/embedding_model.h"
#include "model/gguf.h"

namespace jarip {
namespace {

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

}  // namespace

std::string arithmetic_of(const LoadedModelOptions& options) {
  if (options.path == ComputePath::kReference) return "reference";
  return fmt::format("optimized/{}", kv_format_name(options.kv_format));
}

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(const std::filesystem::path& path,
                                                       std::string name,
                                                       const LoadedModelOptions& options) {
  JARIP_TRY(const unsigned n_threads, thread_count(options.n_threads));
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  JARIP_TRY(const bool embeds, is_embedding_model(file));
  if (embeds) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} makes vectors or scores of texts and writes none; `jarip serve` "
                            "answers /v1/embeddings or /v1/rerank with it",
                            name),
                "model");
  }
  std::unique_ptr<LoadedModel> loaded(new LoadedModel());
  loaded->name_ = std::move(name);
  loaded->created_ = modified_at(path);
  loaded->arithmetic_ = arithmetic_of(options);

  JARIP_TRY(Tokenizer tokenizer, Tokenizer::from_gguf(file));
  loaded->tokenizer_ = std::make_unique<Tokenizer>(std::move(tokenizer));
  JARIP_CHECK(loaded->read_template(file));
  loaded->infill_tokens_ = find_infill_tokens(file, *loaded->tokenizer_);

  auto on_progress = options.on_progress;
  LoadOptions load_options{.path = options.path, .kv_format = options.kv_format};
  if (on_progress) {
    load_options.on_progress = report_progress;
    load_options.progress_context = &on_progress;
  }
  loaded->pool_ = std::make_unique<ThreadPool>(n_threads);
  JARIP_TRY(loaded->model_, load_model(file, *loaded->pool_, load_options));
  if (loaded->tokenizer_->n_vocab() > loaded->model_->config().n_vocab) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("the tokenizer has {} tokens, but the model only {}",
                            loaded->tokenizer_->n_vocab(), loaded->model_->config().n_vocab),
                "tokenizer.ggml.tokens");
  }
  JARIP_TRY(loaded->engine_, Engine::create(*loaded->model_, options.engine));
  return loaded;
}

// A template that can't be run is no reason not to complete plain text, so it only becomes the
// reason for which messages are refused.
Result<void> LoadedModel::read_template(const GgufFile& file) {
  if (file.find_value(kTemplateKey) == nullptr) {
    why_no_template_ = "the model file has no chat template; it can only complete plain text";
    return {};
  }
  JARIP_TRY(const std::string_view source, file.read_string(kTemplateKey));
  Result<ChatTemplate> compiled = ChatTemplate::compile(source);
  if (compiled) {
    chat_template_ = std::make_unique<ChatTemplate>(*std::move(compiled));
    answer_shape_ = find_answer_shape(*chat_template_, source, *tokenizer_);
  } else {
    why_no_template_ =
        fmt::format("the model's chat template can't be used: {}", compiled.error().message);
  }
  return {};
}

Result<std::shared_ptr<const Grammar>> LoadedModel::compile_grammar(const GrammarSource& source) {
  std::call_once(made_grammars_, [this] {
    std::vector<GrammarToken> tokens;
    std::vector<std::uint32_t> control;
    for (TokenId id = 0; id < tokenizer_->n_vocab(); ++id) {
      const TokenText text = text_of(id, *tokenizer_);
      if (text.is_control) {
        control.push_back(id);
      } else {
        tokens.push_back({id, text.bytes});
      }
    }
    grammars_ = std::make_unique<GrammarCache>(
        std::make_shared<const TokenTrie>(model_->config().n_vocab, tokens, control));
  });
  return grammars_->get(source);
}

Result<const ChatTemplate*> LoadedModel::require_chat_template() const {
  if (chat_template_ == nullptr) {
    return fail(ErrorCode::kUnsupported, why_no_template_, "messages");
  }
  return chat_template_.get();
}

Result<const InfillTokens*> LoadedModel::require_infill_tokens() const {
  if (!infill_tokens_) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} can't fill gaps: its vocabulary has no tokens for what stands "
                            "before and after one; models made for code completion do",
                            name_),
                "input_suffix");
  }
  return &*infill_tokens_;
}

}  // namespace jarip
