#include "app/call_probes.h"

#include <fmt/format.h>

namespace jarip::call_probe {
namespace {

constexpr std::string_view kUser = "jaripuserprobe";
constexpr std::string_view kBos = "<bos>";

TemplateValue text(std::string_view value) { return TemplateValue::from(value); }

TemplateValue parameters() {
  std::vector<std::pair<std::string, TemplateValue>> properties;
  for (const std::string_view key : kKeys) {
    properties.emplace_back(
        key, TemplateValue::make_object({{"type", text("string")}, {"description", text("")}}));
  }
  return TemplateValue::make_object(
      {{"type", text("object")},
       {"properties", TemplateValue::make_object(std::move(properties))},
       {"required", TemplateValue::make_list({text(kKeys[0])})}});
}

TemplateValue tools() {
  std::vector<TemplateValue> list;
  for (const std::string_view name : kNames) {
    list.push_back(TemplateValue::make_object(
        {{"type", text("function")},
         {"function",
          TemplateValue::make_object(
              {{"name", text(name)}, {"description", text("")}, {"parameters", parameters()}})}}));
  }
  return TemplateValue::make_list(std::move(list));
}

TemplateValue message(std::string_view role, TemplateValue content) {
  TemplateValue name = text(role);
  name.trusted = true;
  return TemplateValue::make_object({{"role", std::move(name)}, {"content", std::move(content)}});
}

// A user's message and an assistant's.
std::optional<std::string> render(const ChatTemplate& chat_template, TemplateValue answer) {
  const TemplateValue context = TemplateValue::make_object(
      {{"messages", TemplateValue::make_list({message("user", text(kUser)), std::move(answer)})},
       {"tools", tools()},
       {"documents", TemplateValue::null()},
       {"add_generation_prompt", TemplateValue::from(false)},
       {"bos_token", text(kBos)},
       {"eos_token", text(kEos)}});
  const auto segments = chat_template.render(context, {"bos_token", "eos_token"}, 0);
  if (!segments) return std::nullopt;
  std::string out;
  for (const RenderedSegment& segment : *segments) out += segment.text;
  // Tools may be told of before the user's words or behind, but before the answer.
  const std::size_t user = out.rfind(kUser);
  if (user == std::string::npos) return std::nullopt;
  return out.substr(user + kUser.size());
}

}  // namespace

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

Arguments string_arguments(std::size_t n) {
  std::vector<std::pair<std::string, TemplateValue>> members;
  std::string json;
  for (std::size_t i = 0; i < n; ++i) {
    members.emplace_back(kKeys[i], text(kValues[i]));
    json += fmt::format("{}\"{}\": \"{}\"", i == 0 ? "" : ", ", kKeys[i], kValues[i]);
  }
  return {TemplateValue::make_object(std::move(members)), "{" + json + "}"};
}

Arguments number_argument() {
  return {TemplateValue::make_object({{std::string(kKeys[0]), TemplateValue::from(kNumber)}}),
          fmt::format("{{\"{}\": {}}}", kKeys[0], kNumber)};
}

Arguments list_argument() {
  TemplateValue list = TemplateValue::make_list({TemplateValue::from(kNumber)});
  return {TemplateValue::make_object({{std::string(kKeys[0]), std::move(list)}}),
          fmt::format("{{\"{}\": [{}]}}", kKeys[0], kNumber)};
}

Arguments mark_argument() {
  return {TemplateValue::make_object({{std::string(kKeys[0]), text("<jarip>")}}),
          fmt::format("{{\"{}\": \"<jarip>\"}}", kKeys[0])};
}

std::optional<std::string> render_content(const ChatTemplate& chat_template) {
  return render(chat_template, message("assistant", text(kContent)));
}

std::optional<std::string> render_calls(const ChatTemplate& chat_template, std::size_t n_calls,
                                        const Arguments& arguments, const Manner& manner) {
  std::vector<TemplateValue> calls;
  for (std::size_t i = 0; i < n_calls; ++i) {
    const TemplateValue shown = manner.arguments_as_text ? text(arguments.json) : arguments.value;
    calls.push_back(TemplateValue::make_object(
        {{"id", text(kIds[i])},
         {"type", text("function")},
         {"function",
          TemplateValue::make_object({{"name", text(kNames[i])}, {"arguments", shown}})}}));
  }
  TemplateValue out = message("assistant", manner.null_content ? TemplateValue::null() : text(""));
  out.object.emplace_back("tool_calls", TemplateValue::make_list(std::move(calls)));
  return render(chat_template, std::move(out));
}

}  // namespace jarip::call_probe
