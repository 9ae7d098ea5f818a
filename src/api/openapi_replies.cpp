#include "api/openapi_replies.h"

#include <string_view>

namespace jarip {
namespace {

struct Row {
  std::string_view name;
  std::string_view schema;
};

constexpr Row kReplies[] = {
    {"Error", R"({"type":"object","required":["error"],"properties":{"error":{"type":"object",
      "required":["message","type","param","code"],"properties":{
        "message":{"type":"string","description":"What is wrong and what to do."},
        "type":{"type":"string"},
        "param":{"type":["string","null"],"description":"The field's path."},
        "code":{"type":"string"}}}}})"},
    {"AnthropicError", R"({"type":"object","required":["type","error"],"properties":{
      "type":{"const":"error"},"request_id":{"type":["string","null"]},
      "error":{"type":"object","required":["type","message"],"properties":{
        "type":{"type":"string"},"message":{"type":"string"}}}}})"},
    {"Health", R"({"type":"object","required":["status"],"properties":{
      "status":{"enum":["ok","loading","stopping"]},
      "progress":{"type":"number","minimum":0,"maximum":1}}})"},
    {"Document", R"({"type":"object","description":"An OpenAPI document."})"},
    {"Model", R"({"type":"object","required":["id","object","created","owned_by","state","size"],
      "properties":{
      "id":{"type":"string"},"object":{"const":"model"},"created":{"type":"integer"},
      "owned_by":{"type":"string"},
      "state":{"enum":["unloaded","loading","loaded","unloading","too_large","unusable"]},
      "size":{"type":"integer","description":"Of its file, in bytes."},
      "memory":{"type":"integer","description":"That it takes when loaded, in bytes."},
      "task":{"enum":["completion","embedding","rerank"]},
      "family":{"type":"string"},"format":{"type":"string"},
      "context_length":{"type":"integer"},
      "progress":{"type":"number","minimum":0,"maximum":1,"description":"Of loading."},
      "problem":{"type":"string","description":"Why it can't be loaded, or wasn't last time."},
      "default":{"const":true,"description":"It answers requests that name no model."}}})"},
    {"ModelList", R"({"type":"object","required":["object","data"],"properties":{
      "object":{"const":"list"},
      "data":{"type":"array","items":{"$ref":"#/components/schemas/Model"}}}})"},
    {"Usage", R"({"type":"object",
      "required":["prompt_tokens","completion_tokens","total_tokens","prompt_tokens_details"],
      "properties":{"prompt_tokens":{"type":"integer"},"completion_tokens":{"type":"integer"},
        "total_tokens":{"type":"integer"},
        "prompt_tokens_details":{"type":"object","required":["cached_tokens"],
          "properties":{"cached_tokens":{"type":"integer"}}},
        "completion_tokens_details":{"type":"object","required":["reasoning_tokens"],
          "properties":{"reasoning_tokens":{"type":"integer"}}}}})"},
    {"TokenLogprob", R"({"type":"object","required":["token","logprob","bytes","top_logprobs"],
      "properties":{"token":{"type":"string"},"logprob":{"type":"number"},
        "bytes":{"type":"array","items":{"type":"integer"}},
        "top_logprobs":{"type":"array","items":{"type":"object"}}}})"},
    {"ChatCompletion", R"({"type":"object",
      "required":["id","object","created","model","choices","usage"],"properties":{
        "id":{"type":"string"},"object":{"const":"chat.completion"},
        "created":{"type":"integer"},"model":{"type":"string"},
        "system_fingerprint":{"type":"string"},
        "choices":{"type":"array","minItems":1,"items":{"type":"object",
          "required":["index","message","logprobs","finish_reason","seed"],"properties":{
            "index":{"type":"integer"},
            "message":{"type":"object","required":["role","content"],"properties":{
              "role":{"const":"assistant"},"content":{"type":["string","null"]},
              "reasoning_content":{"type":"string"},
              "reasoning":{"type":"string","description":"The same as reasoning_content."},
              "tool_calls":{"type":"array","minItems":1,"items":{"type":"object",
                "required":["id","type","function"],"properties":{"id":{"type":"string"},
                  "type":{"const":"function"},"function":{"type":"object",
                    "required":["name","arguments"],"properties":{"name":{"type":"string"},
                      "arguments":{"type":"string","description":"A JSON object."}}}}}}}},
            "logprobs":{"anyOf":[{"type":"null"},{"type":"object","required":["content"],
              "properties":{"content":{"type":"array",
                "items":{"$ref":"#/components/schemas/TokenLogprob"}}}}]},
            "finish_reason":{"type":"string"},
            "seed":{"type":"integer","description":"Gives this choice alone, with n = 1."}}}},
        "usage":{"$ref":"#/components/schemas/Usage"}}})"},
    {"TextCompletion", R"({"type":"object",
      "required":["id","object","created","model","choices","usage"],"properties":{
        "id":{"type":"string"},"object":{"const":"text_completion"},
        "created":{"type":"integer"},"model":{"type":"string"},
        "system_fingerprint":{"type":"string"},
        "choices":{"type":"array","minItems":1,"items":{"type":"object",
          "required":["index","text","logprobs","finish_reason","seed"],"properties":{
            "index":{"type":"integer"},"text":{"type":"string"},
            "logprobs":{"type":["object","null"]},"finish_reason":{"type":"string"},
            "seed":{"type":"integer"}}}},
        "usage":{"$ref":"#/components/schemas/Usage"}}})"},
    {"Response", R"({"type":"object",
      "required":["id","object","created_at","status","model","output","store","usage"],
      "properties":{"id":{"type":"string"},"object":{"const":"response"},
        "created_at":{"type":"integer"},"status":{"enum":["completed","incomplete"]},
        "model":{"type":"string"},"store":{"const":false},"seed":{"type":"integer"},
        "output":{"type":"array","items":{"anyOf":[
          {"type":"object","required":["type","id","status","role","content"],"properties":{
            "type":{"const":"message"},"id":{"type":"string"},"status":{"type":"string"},
            "role":{"const":"assistant"},
            "content":{"type":"array","items":{"type":"object",
              "required":["type","text","annotations"],"properties":{
                "type":{"const":"output_text"},"text":{"type":"string"}}}}}},
          {"type":"object","required":["type","id","status","call_id","name","arguments"],
            "properties":{"type":{"const":"function_call"},"call_id":{"type":"string"},
              "name":{"type":"string"},"arguments":{"type":"string"}}},
          {"type":"object","required":["type","id","status","summary","content"],
            "properties":{"type":{"const":"reasoning"},
              "content":{"type":"array","items":{"type":"object","required":["type","text"],
                "properties":{"type":{"const":"reasoning_text"},"text":{"type":"string"}}}}}}]}},
        "usage":{"type":"object","required":["input_tokens","output_tokens","total_tokens"],
          "properties":{"input_tokens":{"type":"integer"},"output_tokens":{"type":"integer"},
            "total_tokens":{"type":"integer"}}}}})"},
    {"AnthropicReply", R"({"type":"object",
      "required":["id","type","role","model","content","stop_reason","stop_sequence","usage"],
      "properties":{"id":{"type":"string"},"type":{"const":"message"},
        "role":{"const":"assistant"},"model":{"type":"string"},
        "content":{"type":"array","items":{"anyOf":[
          {"type":"object","required":["type","text"],
            "properties":{"type":{"const":"text"},"text":{"type":"string"}}},
          {"type":"object","required":["type","thinking","signature"],
            "properties":{"type":{"const":"thinking"},"thinking":{"type":"string"}}},
          {"type":"object","required":["type","id","name","input"],"properties":{
            "type":{"const":"tool_use"},"id":{"type":"string"},"name":{"type":"string"},
            "input":{"type":"object"}}}]}},
        "stop_reason":{"enum":["end_turn","max_tokens","stop_sequence","tool_use"]},
        "stop_sequence":{"type":["string","null"]},
        "usage":{"type":"object","required":["input_tokens","cache_read_input_tokens",
          "cache_creation_input_tokens","output_tokens"],"properties":{
            "input_tokens":{"type":"integer","description":"Without those of the next field."},
            "cache_read_input_tokens":{"type":"integer"},
            "cache_creation_input_tokens":{"type":"integer"},
            "output_tokens":{"type":"integer"}}}}})"},
    {"AnthropicTokenCount", R"({"type":"object","required":["input_tokens"],"properties":{
      "input_tokens":{"type":"integer"}}})"},
    {"TokenizeReply", R"({"type":"object","required":["tokens"],"properties":{
      "tokens":{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"object",
        "required":["id","piece"],"properties":{"id":{"type":"integer"},
          "piece":{"anyOf":[{"type":"string"},
            {"type":"array","items":{"type":"integer"}}]}}}]}}}})"},
    {"DetokenizeReply", R"({"type":"object","required":["content"],"properties":{
      "content":{"type":"string"}}})"},
    {"ApplyTemplateReply", R"({"type":"object","required":["prompt"],"properties":{
      "prompt":{"type":"string"}}})"},
    {"InfillReply", R"({"type":"object","properties":{"content":{"type":"string"},
      "stop_type":{"enum":["eos","limit","word"]},"tokens_predicted":{"type":"integer"},
      "tokens_evaluated":{"type":"integer"},"timings":{"type":"object"}}})"},
    {"Embeddings", R"({"type":"object","required":["object","data","model","usage"],
      "properties":{"object":{"const":"list"},"model":{"type":"string"},
      "data":{"type":"array","items":{"type":"object","required":["object","index","embedding"],
      "properties":{"object":{"const":"embedding"},"index":{"type":"integer"},
      "embedding":{"anyOf":[{"type":"array","items":{"type":"number"}},{"type":"string"}]}}}},
      "usage":{"type":"object","required":["prompt_tokens","total_tokens"]}}})"},
    {"Ranking", R"({"type":"object","required":["object","model","results","usage"],"properties":{
      "object":{"const":"list"},"model":{"type":"string"},
      "results":{"type":"array","items":{"type":"object","required":["index","relevance_score"],
      "properties":{"index":{"type":"integer"},
      "relevance_score":{"type":"number","minimum":0,"maximum":1},
      "document":{"type":"object","required":["text"]}}}},
      "usage":{"type":"object","required":["prompt_tokens","total_tokens"]}}})"},
};

}  // namespace

void describe_replies(SchemaSet& schemas) {
  for (const Row& row : kReplies) schemas.add(row.name, row.schema);
}

}  // namespace jarip
