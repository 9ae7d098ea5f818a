// Any bytes as a chat template, rendered with a fixed conversation under small limits: compiling
// and rendering end in a Result, and no byte of the input comes out as the template's own.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/chat_template.h"

namespace jarip {
namespace {

constexpr TemplateLimits kLimits{.max_source_bytes = 1U << 16U,
                                 .max_steps = 20'000,
                                 .max_depth = 100,
                                 .max_output_bytes = 1U << 16U};

TemplateValue text(std::string_view value) { return TemplateValue::from(value); }

TemplateValue message(std::string_view role, std::string_view content) {
  return TemplateValue::make_object({{"role", text(role)}, {"content", text(content)}});
}

// All strings are Korean, so that ASCII can only be the template's or made of numbers.
TemplateValue make_context() {
  TemplateValue list = TemplateValue::make_list(
      {TemplateValue::from(std::int64_t{3}), TemplateValue::from(1.5), TemplateValue::null(),
       TemplateValue::from(true), text("낱말"), TemplateValue()});
  return TemplateValue::make_object(
      {{"messages",
        TemplateValue::make_list({message("사람", "안녕 세계"), message("답", "네\n")})},
       {"d", TemplateValue::make_object({{"키", text("값")}, {"리", list}})},
       {"l", list},
       {"n", TemplateValue::from(std::int64_t{7})},
       {"s", text(" 가나 다ß ")},
       {"x", TemplateValue::null()}});
}

bool is_ascii(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void check(std::string_view source, const std::vector<RenderedSegment>& segments) {
  // An escape could write any character in the template's name.
  const bool plain = is_ascii(source) && source.find('\\') == std::string_view::npos;
  std::size_t size = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    size += segments[i].text.size();
    if (segments[i].text.empty()) std::abort();
    if (i > 0 && segments[i].from_input == segments[i - 1].from_input) std::abort();
    if (plain && !segments[i].from_input && !is_ascii(segments[i].text)) std::abort();
  }
  if (size > kLimits.max_output_bytes) std::abort();
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const jarip::TemplateValue context = jarip::make_context();
  const std::string_view source(reinterpret_cast<const char*>(bytes), size);
  const auto compiled = jarip::ChatTemplate::compile(source, jarip::kLimits);
  if (!compiled) {
    if (compiled.error().message.empty()) std::abort();
    return 0;
  }
  const auto segments = compiled->render(context, {}, 0);
  if (segments) {
    jarip::check(source, *segments);
  } else if (segments.error().message.empty() &&
             segments.error().code != jarip::ErrorCode::kInvalidArgument) {
    std::abort();
  }
  return 0;
}
