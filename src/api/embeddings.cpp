#include "api/embeddings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <iterator>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "api/common_fields.h"
#include "api/field_table.h"
#include "api/json_body.h"

namespace jarip {
namespace {

namespace json = boost::json;

using Json = const json::value&;
using Path = std::string_view;

constexpr std::size_t kMaxTexts = 2048;
constexpr double kMaxDimensions = 65536;

using Input = std::variant<std::string, std::vector<TokenId>>;

struct Draft {
  std::string model;
  std::uint32_t n_vocab = 0;
  std::string user;
  // Of embeddings.
  std::vector<Input> inputs;
  bool is_list = false;
  bool as_base64 = false;
  std::optional<std::uint32_t> dimensions;
  // Of ranking.
  std::string query;
  std::vector<std::string> documents;
  std::size_t top_n = kMaxTexts;
  bool returns_documents = false;
};

Result<void> read_model(Json value, Path /*path*/, Draft& draft) {
  draft.model = std::string(value.get_string());
  return {};
}

Result<void> read_user(Json value, Path /*path*/, Draft& draft) {
  draft.user = std::string(value.get_string());
  return {};
}

Result<void> read_text(Json value, Path path, Draft& draft) {
  JARIP_CHECK(check_value({path, JsonType::kString, FieldUse::kUsed, {.min = 1}}, value, path));
  draft.inputs.emplace_back(std::string(value.get_string()));
  return {};
}

Result<void> read_ids(Json value, Path path, Draft& draft) {
  JARIP_TRY(std::vector<TokenId> tokens, read_tokens(value, path, draft.n_vocab));
  draft.inputs.emplace_back(std::move(tokens));
  return {};
}

// A text, its token ids, or a list of several of one of these.
Result<void> read_input(Json value, Path path, Draft& draft) {
  if (value.is_string()) return read_text(value, path, draft);
  const auto* list = value.if_array();
  const bool is_ids = list != nullptr && !list->empty() && list->front().is_number();
  if (is_ids) return read_ids(value, path, draft);
  if (list == nullptr || list->empty() || list->size() > kMaxTexts) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be a text, a list of token ids, or a list of 1 to {} of these",
                            path, kMaxTexts),
                std::string(path));
  }
  draft.is_list = true;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json::value& item = (*list)[i];
    const std::string item_path = join_path(path, i);
    if (const auto* tokens = item.if_array(); tokens != nullptr && !tokens->empty()) {
      JARIP_CHECK(read_ids(item, item_path, draft));
    } else if (!item.is_string()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} must be a text or a list of token ids", item_path), item_path);
    } else {
      JARIP_CHECK(read_text(item, item_path, draft));
    }
  }
  return {};
}

Result<void> read_encoding(Json value, Path path, Draft& draft) {
  draft.as_base64 = value.get_string() == "base64";
  if (draft.as_base64 || value.get_string() == "float") return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be float or base64", path),
              std::string(path));
}

Result<void> read_dimensions(Json value, Path /*path*/, Draft& draft) {
  draft.dimensions = read_uint32(value);
  return {};
}

constexpr Field<Draft> kEmbeddingFields[] = {
    used_field<Draft>("model", JsonType::kString, {1, 256}, read_model).required(),
    used_field<Draft>("input", JsonType::kAny, {}, read_input)
        .about(
            "A text, its token ids, or a list of several of these. Ids are read as they are: what "
            "the model puts around a text is only added to texts.")
        .schema(R"({"anyOf":[{"type":"string","minLength":1},{"type":"array","minItems":1,)"
                R"("maxItems":2048,"items":{"anyOf":[{"type":"string","minLength":1},)"
                R"({"type":"integer","minimum":0},)"
                R"({"type":"array","minItems":1,"items":{"type":"integer","minimum":0}}]}}]})")
        .required(),
    used_field<Draft>("encoding_format", JsonType::kString, {}, read_encoding)
        .schema(R"({"enum":["float","base64",null]})"),
    used_field<Draft>("dimensions", JsonType::kInteger, {1, kMaxDimensions}, read_dimensions)
        .about("Cut vectors to this many numbers and to length 1 again, for models trained so."),
    used_field<Draft>("user", JsonType::kString, {0, kMaxUserBytes}, read_user)
        .about("Whose share of the machine this takes, where there are no keys."),
};

Result<void> read_query(Json value, Path /*path*/, Draft& draft) {
  draft.query = std::string(value.get_string());
  return {};
}

Result<void> read_documents(Json value, Path path, Draft& draft) {
  const json::array& list = value.get_array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string item_path = join_path(path, i);
    const auto* object = list[i].if_object();
    const auto* text = object == nullptr ? &list[i] : object->if_contains("text");
    if (text == nullptr || !text->is_string() || (object != nullptr && object->size() != 1)) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{} must be a text, or an object with a text and nothing else", item_path),
          item_path);
    }
    draft.documents.emplace_back(text->get_string());
  }
  return {};
}

Result<void> read_top_n(Json value, Path /*path*/, Draft& draft) {
  draft.top_n = read_uint32(value);
  return {};
}

Result<void> read_returns_documents(Json value, Path /*path*/, Draft& draft) {
  draft.returns_documents = value.get_bool();
  return {};
}

constexpr Field<Draft> kRerankFields[] = {
    used_field<Draft>("model", JsonType::kString, {1, 256}, read_model),
    used_field<Draft>("query", JsonType::kString, {.min = 1}, read_query).required(),
    used_field<Draft>("documents", JsonType::kList, {1, kMaxTexts}, read_documents)
        .schema(R"({"type":"array","minItems":1,"maxItems":2048,"items":{"anyOf":[)"
                R"({"type":"string"},{"type":"object","additionalProperties":false,)"
                R"("required":["text"],"properties":{"text":{"type":"string"}}}]}})")
        .required(),
    used_field<Draft>("top_n", JsonType::kInteger, {1, kMaxTexts}, read_top_n)
        .about("Only the best so many. Absent: all."),
    used_field<Draft>("return_documents", JsonType::kBool, {}, read_returns_documents)
        .about("Each result with its text. Absent: false."),
    used_field<Draft>("user", JsonType::kString, {0, kMaxUserBytes}, read_user)
        .about("Whose share of the machine this takes, where there are no keys."),
};

Result<Draft> read_body(std::string_view body, FieldTable<Draft> fields, const ModelCard& card) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  draft.n_vocab = card.n_vocab;
  JARIP_CHECK(read_object<Draft>(object, {fields}, {}, draft));
  if (!draft.model.empty() && draft.model != card.name) {
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no model \"{}\" here; the one loaded is \"{}\"", draft.model,
                            card.name),
                "model");
  }
  return draft;
}

// The embedder of a model that is made for what is asked: to rank, or else to embed.
Result<const LoadedEmbedder*> embedder_for(bool ranking, const Answerer& answerer) {
  const LoadedEmbedder* embedder = answerer.embedder();
  if (embedder != nullptr && embedder->ranks() == ranking) return embedder;
  const std::string_view name = answerer.card().name;
  const std::string_view what = ranking ? "rank documents" : "embed";
  const std::string_view does = embedder == nullptr ? "writes text"
                                : ranking           ? "embeds texts (/v1/embeddings)"
                                                    : "ranks documents (/v1/rerank)";
  return fail(ErrorCode::kUnsupported,
              fmt::format("\"{}\" {} and was not trained to {}; numbers taken from it would mean "
                          "nothing. Send this to a server that runs a model made for it",
                          name, does, what),
              "model");
}

Result<void> check_length(const EmbedText& text, const std::string& path,
                          const EmbeddingFacts& facts) {
  if (text.tokens.size() <= facts.n_ctx) return {};
  return fail(ErrorCode::kContextOverflow,
              fmt::format("{} has {} tokens (n_prompt_tokens), but the model reads at most {} "
                          "(n_ctx) at once",
                          path, text.tokens.size(), facts.n_ctx),
              path);
}

// Little-endian f32, as OpenAI's clients read them.
std::string base64_of(std::span<const float> vector) {
  static_assert(std::endian::native == std::endian::little);
  const auto bytes = std::as_bytes(vector);
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()),
                                static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

std::string write_embeddings(std::string_view model, EmbedResult result, std::size_t n_texts,
                             std::size_t n_dimensions, bool as_base64) {
  std::string out = R"({"object":"list","data":[)";
  const auto to = std::back_inserter(out);
  const std::size_t n = result.rows.size() / n_texts;
  for (std::size_t i = 0; i < n_texts; ++i) {
    const auto vector = std::span(result.rows).subspan(i * n, n_dimensions);
    set_unit_length(vector);
    fmt::format_to(to, R"({}{{"object":"embedding","index":{},"embedding":)", i == 0 ? "" : ",", i);
    if (as_base64) {
      fmt::format_to(to, R"("{}"}})", base64_of(vector));
    } else {
      fmt::format_to(to, "[{}]}}", fmt::join(vector, ","));
    }
  }
  fmt::format_to(to, R"(],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})",
                 json_string(model), result.n_tokens, result.n_tokens);
  return out;
}

std::string write_ranking(std::string_view model, const EmbedResult& result, const Draft& draft) {
  std::vector<std::size_t> order(result.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // The first of equals goes first.
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return result.rows[a] != result.rows[b] ? result.rows[a] > result.rows[b] : a < b;
  });
  order.resize(std::min(order.size(), draft.top_n));
  std::string out = fmt::format(R"({{"object":"list","model":{},"results":[)", json_string(model));
  const auto to = std::back_inserter(out);
  for (const std::size_t i : order) {
    fmt::format_to(to, R"({}{{"index":{},"relevance_score":{})", i == order.front() ? "" : ",", i,
                   probability_of(result.rows[i]));
    if (draft.returns_documents) {
      fmt::format_to(to, R"(,"document":{{"text":{}}})", json_string(draft.documents[i]));
    }
    out += '}';
  }
  fmt::format_to(to, R"(],"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})", result.n_tokens,
                 result.n_tokens);
  return out;
}

}  // namespace

Result<EmbeddingPlan> plan_embeddings(std::string_view body, const Answerer& answerer) {
  JARIP_TRY(Draft draft, read_body(body, kEmbeddingFields, answerer.card()));
  JARIP_TRY(const LoadedEmbedder* embedder, embedder_for(false, answerer));
  if (draft.dimensions) JARIP_CHECK(embedder->check_dimensions(*draft.dimensions));
  EmbeddingPlan plan;
  for (std::size_t i = 0; i < draft.inputs.size(); ++i) {
    Input& input = draft.inputs[i];
    const auto* text = std::get_if<std::string>(&input);
    plan.request.texts.push_back(
        text != nullptr ? embedder->text(*text)
                        : EmbedText{.tokens = std::get<std::vector<TokenId>>(std::move(input))});
    JARIP_CHECK(check_length(plan.request.texts.back(),
                             draft.is_list ? join_path("input", i) : "input", embedder->facts()));
  }
  plan.user = std::move(draft.user);
  plan.write = [model = answerer.card().name, n_texts = plan.request.texts.size(),
                n_dimensions = draft.dimensions.value_or(embedder->facts().n_outputs),
                as_base64 = draft.as_base64](EmbedResult result) {
    return write_embeddings(model, std::move(result), n_texts, n_dimensions, as_base64);
  };
  return plan;
}

Result<EmbeddingPlan> plan_ranking(std::string_view body, const Answerer& answerer) {
  JARIP_TRY(Draft draft, read_body(body, kRerankFields, answerer.card()));
  JARIP_TRY(const LoadedEmbedder* embedder, embedder_for(true, answerer));
  EmbeddingPlan plan;
  for (std::size_t i = 0; i < draft.documents.size(); ++i) {
    plan.request.texts.push_back(embedder->pair(draft.query, draft.documents[i]));
    JARIP_CHECK(
        check_length(plan.request.texts.back(), join_path("documents", i), embedder->facts()));
  }
  plan.user = draft.user;
  plan.write = [model = answerer.card().name, draft = std::move(draft)](EmbedResult result) {
    return write_ranking(model, result, draft);
  };
  return plan;
}

void describe_embeddings(SchemaSet& schemas) {
  schemas.add_object<Draft>("EmbeddingsRequest", {kEmbeddingFields});
  schemas.add_object<Draft>("RerankRequest", {kRerankFields});
}

}  // namespace jarip
