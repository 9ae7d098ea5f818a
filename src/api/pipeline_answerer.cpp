#include "api/pipeline_answerer.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

#include "app/prompt.h"

namespace jarip {
namespace {

// FNV-1a, 64 bits: tells configurations apart, protects nothing.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

}  // namespace

PipelineAnswerer::PipelineAnswerer(Pipeline& pipeline, LoadedModel& model)
    : pipeline_(pipeline), model_(model) {
  card_.name = model.name();
  card_.created = model.created();
  card_.n_vocab = model.model().config().n_vocab;
  card_.n_ctx = model.engine().n_ctx();
  card_.fingerprint =
      fmt::format("fp_{:016x}",
                  hash_of(fmt::format("{}/{}/{}/{}/{}/{}", JARIP_VERSION, card_.name, card_.created,
                                      card_.n_vocab, card_.n_ctx, model.arithmetic())));
}

std::vector<TokenId> PipelineAnswerer::tokenize(std::string_view text,
                                                const TokenizeOptions& options) const {
  const Tokenizer& tokenizer = model_.tokenizer();
  std::vector<TokenId> tokens = tokenizer.encode(
      text, options.parse_special ? SpecialTokens::kParse : SpecialTokens::kAsText);
  if (options.add_special) ensure_bos(tokens, tokenizer);
  return tokens;
}

std::string PipelineAnswerer::token_bytes(TokenId id) const {
  return std::string(model_.tokenizer().token_bytes(id));
}

}  // namespace jarip
