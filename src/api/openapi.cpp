#include "api/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "api/anthropic_request.h"
#include "api/embeddings.h"
#include "api/infill.h"
#include "api/json_body.h"
#include "api/models.h"
#include "api/openai_request.h"
#include "api/openapi_replies.h"
#include "api/responses_request.h"
#include "api/schema_set.h"
#include "api/token_tools.h"
#include "api/tool_fields.h"

namespace jarip {
namespace {

constexpr std::string_view kPathParameter =
    R"("parameters":[{"name":"name","in":"path","required":true,"schema":{"type":"string"}}],)";

std::string content_json(std::string_view schema) {
  return fmt::format(
      R"("content":{{"application/json":{{"schema":{{"$ref":"#/components/schemas/{}"}}}}}})",
      schema);
}

std::string reply_json(const ApiOperation& operation) {
  if (operation.reply.empty()) return R"("content":{"text/plain":{"schema":{"type":"string"}}})";
  if (!operation.can_stream) return content_json(operation.reply);
  return fmt::format(
      R"("content":{{"application/json":{{"schema":{{"$ref":"#/components/schemas/{}"}}}},)"
      R"("text/event-stream":{{"schema":{{"type":"string"}}}}}})",
      operation.reply);
}

std::string operation_json(const ApiOperation& operation) {
  const std::string errors = fmt::format(
      R"({{"description":"What is wrong, and what to do.",{}}})",
      content_json(operation.error_shape == ErrorShape::kAnthropic ? "AnthropicError" : "Error"));
  std::string method(operation.method);
  std::ranges::transform(method, method.begin(),
                         [](char c) { return static_cast<char>(c + ('a' - 'A')); });
  const std::string body = operation.request.empty()
                               ? ""
                               : fmt::format(R"("requestBody":{{"required":true,{}}},)",
                                             content_json(operation.request));
  return fmt::format(
      R"("{}":{{"summary":{},{}{}"responses":{{"200":{{"description":"Done.",{}}},)"
      R"({}"4XX":{},"5XX":{}}}}})",
      method, json_string(operation.summary),
      operation.path.ends_with('/') ? kPathParameter : std::string_view(), body,
      reply_json(operation),
      operation.reply == "Health"
          ? fmt::format(R"("503":{{"description":"Not ready.",{}}},)", content_json("Health"))
          : "",
      errors, errors);
}

std::string schemas_json() {
  SchemaSet schemas;
  describe_tools(schemas);
  describe_openai_requests(schemas);
  describe_responses_requests(schemas);
  describe_anthropic_requests(schemas);
  describe_infill(schemas);
  describe_token_tools(schemas);
  describe_embeddings(schemas);
  describe_model_requests(schemas);
  describe_replies(schemas);
  return schemas.json();
}

}  // namespace

std::string openapi_json(std::span<const ApiOperation> operations) {
  std::vector<std::string_view> written;
  std::string paths;
  for (const ApiOperation& operation : operations) {
    if (std::ranges::find(written, operation.path) != written.end()) continue;
    written.push_back(operation.path);
    std::string methods;
    for (const ApiOperation& other : operations) {
      if (other.path != operation.path) continue;
      methods += fmt::format("{}{}", methods.empty() ? "" : ",", operation_json(other));
    }
    paths += fmt::format(R"({}"{}{}":{{{}}})", paths.empty() ? "" : ",", operation.path,
                         operation.path.ends_with('/') ? "{name}" : "", methods);
  }
  return fmt::format(
      R"({{"openapi":"3.1.0","info":{{"title":"jarip","version":"{}",)"
      R"("description":"A field that isn't listed is refused, and so is a value that can't be )"
      R"(honoured exactly."}},"security":[{{}},{{"key":[]}}],"paths":{{{}}},)"
      R"("components":{{"securitySchemes":{{"key":{{"type":"http","scheme":"bearer"}}}},)"
      R"("schemas":{}}}}})",
      JARIP_VERSION, paths, schemas_json());
}

}  // namespace jarip
