#include "app/answerer.h"

#include <fmt/format.h>

namespace jarip {
namespace {

// FNV-1a, 64 bits: tells configurations apart, protects nothing.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

}  // namespace

std::string fingerprint_of(const ModelCard& card, std::string_view arithmetic) {
  return fmt::format(
      "fp_{:016x}", hash_of(fmt::format("{}/{}/{}/{}/{}/{}", JARIP_VERSION, card.name, card.created,
                                        card.n_vocab, card.n_ctx, arithmetic)));
}

Error cant_write(const ModelCard& card) {
  return {ErrorCode::kUnsupported,
          fmt::format("\"{}\" {} and writes none; send this to a model made for it", card.name,
                      card.task == ModelTask::kRank ? "ranks texts (/v1/rerank)"
                                                    : "makes vectors of texts (/v1/embeddings)"),
          "model"};
}

}  // namespace jarip
