// The Jinja subset that models' chat templates are written in, interpreted with limits: no
// attribute reflection, no imports, nothing of the host reachable. Immutable after compile();
// render() may run on any thread.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace jarip {

// What a template computes with, shaped like JSON. Objects keep their order.
struct TemplateValue {
  enum class Kind : std::uint8_t {
    kUndefined,
    kNull,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kObject
  };
  Kind kind = Kind::kUndefined;
  // The application's own: it and all inside it count as the template's text. For values that were
  // checked against a fixed set, a message's role say; models' templates build control tokens of
  // them.
  bool trusted = false;
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;
  std::string string;
  std::vector<TemplateValue> list;
  std::vector<std::pair<std::string, TemplateValue>> object;

  static TemplateValue null();
  static TemplateValue from(bool value);
  static TemplateValue from(std::int64_t value);
  static TemplateValue from(double value);
  static TemplateValue from(std::string_view value);
  static TemplateValue make_list(std::vector<TemplateValue> items = {});
  static TemplateValue make_object(std::vector<std::pair<std::string, TemplateValue>> fields = {});
};

// A run of rendered text. Text that came from the input (a message's content, a role, a tool's
// description, and whatever was computed from them) must be tokenized with SpecialTokens::kAsText;
// only text that the template itself wrote may name control tokens.
struct RenderedSegment {
  std::string text;
  bool from_input = false;
};

struct TemplateLimits {
  std::uint64_t max_source_bytes = 1U << 20U;
  std::uint64_t max_steps = 2'000'000;  // also bounds memory: a step pays for 256 bytes of text
  std::uint32_t max_depth = 256;        // nesting of expressions, blocks, calls and values
  std::uint64_t max_output_bytes = 16U << 20U;
};

class ChatTemplate {
 public:
  // Errors: kCorrupt with line and column of what can't be parsed; kUnsupported names the
  // construct, filter or test.
  [[nodiscard]] static Result<ChatTemplate> compile(std::string_view source,
                                                    const TemplateLimits& limits = {});
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // context: an object of the template's variables. trusted_names: variables that are the
  // application's own and not input (bos_token, eos_token). now: for strftime_now, passed in so
  // that rendering is reproducible. Errors: kInvalidArgument with the message of
  // raise_exception(); kTooLarge past a limit; kUnsupported or kCorrupt for what goes wrong inside.
  [[nodiscard]] Result<std::vector<RenderedSegment>> render(
      const TemplateValue& context, const std::vector<std::string>& trusted_names,
      std::time_t now) const;

 private:
  struct State;
  explicit ChatTemplate(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace jarip
