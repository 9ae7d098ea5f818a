#include "api/models.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <iterator>

#include "api/field_table.h"
#include "api/json_body.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxName = 256;  // as the field tables of the dialects have it

struct NameDraft {
  std::string model;
};

constexpr Field<NameDraft> kNameFields[] = {
    used_field<NameDraft>(
        "model", JsonType::kString, {1, kMaxName},
        [](const json::value& value, std::string_view, NameDraft& draft) -> Result<void> {
          draft.model = std::string(value.get_string());
          return {};
        })
        .about("The model's name, as /v1/models tells it.")
        .required(),
};

}  // namespace

std::string model_json(const ModelStatus& model, std::string_view default_model) {
  std::string out = fmt::format(
      R"({{"id":{},"object":"model","created":{},"owned_by":"jarip","state":"{}","size":{})",
      json_string(model.card.name), model.card.created, model_state_name(model.state),
      model.n_bytes);
  const auto to = std::back_inserter(out);
  if (model.state != ModelState::kUnusable) {
    fmt::format_to(to, R"(,"task":"{}","family":{},"context_length":{},"memory":{})",
                   task_name(model.outline.task), json_string_of_bytes(model.outline.family),
                   model.outline.n_ctx, model.outline.memory.total());
    if (!model.outline.format.empty()) {
      fmt::format_to(to, R"(,"format":{})", json_string(model.outline.format));
    }
  }
  if (model.state == ModelState::kLoading) {
    fmt::format_to(to, R"(,"progress":{:.3f})", model.progress);
  }
  if (!model.problem.empty()) {
    fmt::format_to(to, R"(,"problem":{})", json_string_of_bytes(model.problem));
  }
  if (model.card.name == default_model) out += R"(,"default":true)";
  return out + "}";
}

std::string models_json(std::span<const ModelStatus> models, std::string_view default_model) {
  std::string out = R"({"object":"list","data":[)";
  for (const ModelStatus& model : models) {
    if (&model != models.data()) out += ',';
    out += model_json(model, default_model);
  }
  return out + "]}";
}

Result<ModelCard> card_for(std::string_view body, ModelPool& pool) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  // Of another type or length, it is refused when the whole request is read.
  std::string_view name;
  const auto* field = object.if_contains("model");
  if (field != nullptr && field->is_string() && field->get_string().size() <= kMaxName) {
    name = field->get_string();
  }
  if (!name.empty() && !pool.knows(name)) JARIP_CHECK(pool.refresh());
  return pool.find(name);
}

Result<std::string> read_model_name(std::string_view body) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  NameDraft draft;
  JARIP_CHECK(read_object<NameDraft>(object, {kNameFields}, {}, draft));
  return std::move(draft.model);
}

void describe_model_requests(SchemaSet& schemas) {
  schemas.add_object<NameDraft>("ModelRequest", {kNameFields});
}

}  // namespace jarip
