// A model ready to answer: file, tokenizer, chat template, weights, threads and engine, together
// because they live and die together. Owned by the command that loaded it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "app/answer_shape.h"
#include "app/infill.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/engine.h"
#include "grammar/grammar_cache.h"
#include "model/chat_template.h"
#include "model/model.h"
#include "model/tokenizer.h"

namespace jarip {

struct LoadedModelOptions {
  unsigned n_threads = 0;  // 0: the cores available to the process
  ComputePath path = ComputePath::kOptimized;
  KvFormat kv_format = KvFormat::kF16;
  EngineOptions engine;
  std::function<void(float)> on_progress;  // fraction of loading done, 0 to 1; may be empty
};

// What of the options decides about an answer's bytes, in words: two models with the same file and
// the same words answer alike.
[[nodiscard]] std::string arithmetic_of(const LoadedModelOptions& options);

class LoadedModel {
 public:
  // name: what clients call it. Errors: those of GgufFile, Tokenizer, load_model and Engine.
  [[nodiscard]] static Result<std::unique_ptr<LoadedModel>> load(const std::filesystem::path& path,
                                                                 std::string name,
                                                                 const LoadedModelOptions& options);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Tokenizer& tokenizer() const { return *tokenizer_; }
  [[nodiscard]] const ChatTemplate* chat_template() const { return chat_template_.get(); }
  // The template, or why there is none to answer messages with: kUnsupported.
  [[nodiscard]] Result<const ChatTemplate*> require_chat_template() const;
  // Compiled for the model's vocabulary, or as it was compiled before. Any thread. Errors: those of
  // compile_source().
  [[nodiscard]] Result<std::shared_ptr<const Grammar>> compile_grammar(const GrammarSource& source);
  // What the template shows of answers; null without a template.
  [[nodiscard]] const AnswerShape* answer_shape() const {
    return answer_shape_ ? &*answer_shape_ : nullptr;
  }
  // What it takes to fill gaps, or why this model can't: kUnsupported.
  [[nodiscard]] Result<const InfillTokens*> require_infill_tokens() const;
  [[nodiscard]] const Model& model() const { return *model_; }
  [[nodiscard]] const std::string& arithmetic() const { return arithmetic_; }
  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] std::int64_t created() const { return created_; }  // the file's time, Unix seconds

 private:
  LoadedModel() = default;
  Result<void> read_template(const GgufFile& file);

  std::string name_;
  std::int64_t created_ = 0;
  std::string arithmetic_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatTemplate> chat_template_;  // null when the file has none, or none we can run
  std::optional<AnswerShape> answer_shape_;
  std::string why_no_template_;
  std::optional<InfillTokens> infill_tokens_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Engine> engine_;
  std::once_flag made_grammars_;
  std::unique_ptr<GrammarCache> grammars_;  // made with the first grammar: few answers need one
};

}  // namespace jarip
