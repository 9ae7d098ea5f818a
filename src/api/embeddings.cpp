#include "api/embeddings.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

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

struct Draft {
  std::string model;
  std::uint32_t n_vocab = 0;
};

Result<void> read_model(Json value, Path /*path*/, Draft& draft) {
  draft.model = std::string(value.get_string());
  return {};
}

Result<void> check_text(Json value, Path path) {
  return check_value({path, JsonType::kString, FieldUse::kUsed, {.min = 1}}, value, path);
}

// A text, its token ids, or a list of several of one of these.
Result<void> read_input(Json value, Path path, Draft& draft) {
  if (value.is_string()) return check_text(value, path);
  const auto* list = value.if_array();
  if (list == nullptr || list->empty() || list->size() > kMaxTexts) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be a text, a list of token ids, or a list of 1 to {} of these",
                            path, kMaxTexts),
                std::string(path));
  }
  if (list->front().is_number()) {
    JARIP_CHECK(read_tokens(value, path, draft.n_vocab));
    return {};
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json::value& item = (*list)[i];
    const std::string item_path = join_path(path, i);
    if (const auto* tokens = item.if_array(); tokens != nullptr && !tokens->empty()) {
      JARIP_CHECK(read_tokens(item, item_path, draft.n_vocab));
    } else if (!item.is_string()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} must be a text or a list of token ids", item_path), item_path);
    } else {
      JARIP_CHECK(check_text(item, item_path));
    }
  }
  return {};
}

Result<void> read_encoding(Json value, Path path, Draft& /*draft*/) {
  if (value.get_string() == "float" || value.get_string() == "base64") return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be float or base64", path),
              std::string(path));
}

Result<void> read_nothing(Json /*value*/, Path /*path*/, Draft& /*draft*/) { return {}; }

constexpr Field<Draft> kEmbeddingFields[] = {
    used_field<Draft>("model", JsonType::kString, {1, 256}, read_model).required(),
    used_field<Draft>("input", JsonType::kAny, {}, read_input)
        .about("A text, its token ids, or a list of several of one of these.")
        .schema(R"({"anyOf":[{"type":"string","minLength":1},{"type":"array","minItems":1,)"
                R"("maxItems":2048,"items":{"anyOf":[{"type":"string","minLength":1},)"
                R"({"type":"integer","minimum":0},)"
                R"({"type":"array","minItems":1,"items":{"type":"integer","minimum":0}}]}}]})")
        .required(),
    used_field<Draft>("encoding_format", JsonType::kString, {}, read_encoding)
        .schema(R"({"enum":["float","base64",null]})"),
    used_field<Draft>("dimensions", JsonType::kInteger, {1, kMaxDimensions}, read_nothing),
    no_effect_field<Draft>("user", JsonType::kString),
};

Result<void> read_documents(Json value, Path path, Draft& /*draft*/) {
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
  }
  return {};
}

constexpr Field<Draft> kRerankFields[] = {
    used_field<Draft>("model", JsonType::kString, {1, 256}, read_model),
    used_field<Draft>("query", JsonType::kString, {.min = 1}, read_nothing).required(),
    used_field<Draft>("documents", JsonType::kList, {1, kMaxTexts}, read_documents)
        .schema(R"({"type":"array","minItems":1,"maxItems":2048,"items":{"anyOf":[)"
                R"({"type":"string"},{"type":"object","additionalProperties":false,)"
                R"("required":["text"],"properties":{"text":{"type":"string"}}}]}})")
        .required(),
    used_field<Draft>("top_n", JsonType::kInteger, {1, kMaxTexts}, read_nothing),
    used_field<Draft>("return_documents", JsonType::kBool, {}, read_nothing),
};

Result<std::string> refuse(std::string_view body, FieldTable<Draft> fields,
                           const Answerer& answerer, std::string_view what) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  const ModelCard& card = answerer.card();
  Draft draft;
  draft.n_vocab = card.n_vocab;
  JARIP_CHECK(read_object<Draft>(object, {fields}, {}, draft));
  if (!draft.model.empty() && draft.model != card.name) {
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no model \"{}\" here; the one loaded is \"{}\"", draft.model,
                            card.name),
                "model");
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("\"{}\" writes text and was not trained to {}; numbers taken from it "
                          "would mean nothing. Send this to a server that runs a model made for "
                          "it",
                          card.name, what),
              "model");
}

}  // namespace

Result<std::string> embeddings_json(std::string_view body, const Answerer& answerer) {
  return refuse(body, kEmbeddingFields, answerer, "embed");
}

Result<std::string> rerank_json(std::string_view body, const Answerer& answerer) {
  return refuse(body, kRerankFields, answerer, "rank documents");
}

void describe_embeddings(SchemaSet& schemas) {
  schemas.add_object<Draft>("EmbeddingsRequest", {kEmbeddingFields});
  schemas.add_object<Draft>("RerankRequest", {kRerankFields});
}

}  // namespace jarip
