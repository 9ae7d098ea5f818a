#include "app/call_shape.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace jarip {
namespace {

CallShape shape_of(std::string_view source) {
  const auto compiled = ChatTemplate::compile(source);
  EXPECT_TRUE(compiled) << compiled.error().message;
  return find_call_shape(*compiled);
}

// {before_name}NAME{before_arguments}ARGUMENTS{between}…{after}
std::string shown(const CallShape& shape) {
  return shape.before_name + "NAME" + shape.before_arguments + "ARGUMENTS" + "|" + shape.between +
         "|" + shape.after;
}

TEST(CallShape, TaggedObjectsAsQwensAndHermesTemplatesWriteThem) {
  const CallShape shape = shape_of(R"(
{%- if tools %}<|im_start|>system
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == "assistant" and message.tool_calls %}
  {{- '<|im_start|>assistant' }}
  {%- if message.content %}{{- '\n' + message.content }}{%- endif %}
  {%- for call in message.tool_calls %}
    {%- if call.function is defined %}{% set call = call.function %}{% endif %}
    {{- '\n<tool_call>\n{"name": "' + call.name + '", "arguments": ' }}
    {{- call.arguments | tojson }}
    {{- '}\n</tool_call>' }}
  {%- endfor %}
  {{- '<|im_end|>\n' }}
{%- else %}
  {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endif %}
{%- endfor %})");
  EXPECT_TRUE(shape.from_template);
  EXPECT_EQ(shown(shape),
            "<tool_call>\n{\"name\": \"NAME\", \"arguments\": ARGUMENTS|"
            "}\n</tool_call>\n<tool_call>\n{\"name\": \"|}\n</tool_call>");
  EXPECT_EQ(shape.marker, "<tool_call>");
  ASSERT_TRUE(shape.object);
  EXPECT_EQ(shape.object->end_marker, "</tool_call>");
  EXPECT_FALSE(shape.object->in_list);
}

TEST(CallShape, OneObjectWithoutMarksAsLlamasTemplatesWriteIt) {
  const CallShape shape = shape_of(R"(
{{- bos_token }}
{%- for message in messages %}
{%- if 'tool_calls' in message %}
  {%- if message.tool_calls|length != 1 %}{{ raise_exception("one call at once") }}{% endif %}
  {%- set call = message.tool_calls[0].function %}
  {{- '<|head|>assistant<|/head|>\n\n' }}
  {{- '{"name": "' + call.name + '", "parameters": ' }}
  {{- call.arguments | tojson }}
  {{- "}<|eot|>" }}
{%- else %}
  {{- '<|head|>' + message.role + '<|/head|>\n\n' + message.content | trim + '<|eot|>' }}
{%- endif %}
{%- endfor %})");
  EXPECT_TRUE(shape.from_template);
  EXPECT_EQ(shown(shape), R"({"name": "NAME", "parameters": ARGUMENTS||})");
  EXPECT_EQ(shape.marker, "");
  ASSERT_TRUE(shape.object);
  EXPECT_EQ(shape.object->arguments_key, "parameters");
}

TEST(CallShape, AListWithIdsAsMistralsTemplatesWriteIt) {
  const CallShape shape = shape_of(R"(
{%- for message in messages %}
{%- if message.role == "user" %}{{ "[INST] " + message.content + "[/INST]" }}
{%- elif message.tool_calls is defined and message.tool_calls is not none %}
  {{- "[TOOL_CALLS] [" }}
  {%- for call in message.tool_calls %}
    {%- set out = call.function | tojson %}
    {{- out[:-1] }}
    {%- if call.id is not defined or call.id|length != 9 %}{{ raise_exception("nine") }}{% endif %}
    {{- ', "id": "' + call.id + '"}' }}
    {{- ", " if not loop.last else "]" + eos_token }}
  {%- endfor %}
{%- else %}{{ " " + message.content | trim + eos_token }}
{%- endif %}
{%- endfor %})");
  EXPECT_TRUE(shape.from_template);
  EXPECT_EQ(shown(shape),
            R"([TOOL_CALLS] [{"name": "NAME", "arguments": ARGUMENTS|}, {"name": "|}])");
  EXPECT_EQ(shape.marker, "[TOOL_CALLS]");
  ASSERT_TRUE(shape.object);
  EXPECT_TRUE(shape.object->in_list);
  EXPECT_EQ(shape.object->end_marker, "");
}

TEST(CallShape, NamesAndArgumentsBetweenMarksAsDeepSeeksTemplatesWriteThem) {
  const CallShape shape = shape_of(R"(
{%- for message in messages %}
{%- if message['role'] == 'user' %}{{ '<|User|>' + message['content'] }}{% endif %}
{%- if message['role'] == 'assistant' and message['content'] is none %}
  {%- for call in message['tool_calls'] %}
    {%- if loop.first %}{{ '<|Assistant|><|calls|>' }}{% else %}{{ '\n' }}{% endif %}
    {{- '<|call|>' + call['type'] + '<|sep|>' + call['function']['name'] + '\n```json\n' }}
    {{- call['function']['arguments'] + '\n```<|/call|>' }}
  {%- endfor %}
  {{- '<|/calls|>' + eos_token }}
{%- endif %}
{%- if message['role'] == 'assistant' and message['content'] is not none %}
  {{- '<|Assistant|>' + message['content'] + eos_token }}
{%- endif %}
{%- endfor %})");
  EXPECT_TRUE(shape.from_template);
  EXPECT_EQ(shown(shape),
            "<|calls|><|call|>function<|sep|>NAME\n```json\nARGUMENTS|"
            "\n```<|/call|>\n<|call|>function<|sep|>|\n```<|/call|><|/calls|>");
  EXPECT_EQ(shape.marker, "<|calls|><|call|>function<|sep|>");
  EXPECT_FALSE(shape.object);
  EXPECT_TRUE(shape.arguments_as_text);
  EXPECT_TRUE(shape.null_content);
}

TEST(CallShape, EmptyReasoningOfOtherAnswersIsNoPartOfACall) {
  const CallShape shape = shape_of(R"(
{%- for message in messages %}
{{- '<|' + message.role + '|>\n' }}
{%- if message.tool_calls %}
  {%- for call in message.tool_calls %}
    {{- '<tool_call>' + call.function.name + '\n' + call.function.arguments | tojson }}
    {{- '</tool_call>\n' }}
  {%- endfor %}
{%- elif message.role == 'assistant' %}{{ '<think>\n\n</think>\n\n' + message.content }}
{%- else %}{{ message.content }}{% endif %}
{{- '<|end|>' }}
{%- endfor %})");
  EXPECT_EQ(shown(shape), "<tool_call>NAME\nARGUMENTS|</tool_call>\n<tool_call>|</tool_call>\n");
  EXPECT_EQ(shape.marker, "<tool_call>");
}

TEST(CallShape, WhereATemplateShowsNoCallsTheyAreHermes) {
  const std::string hermes =
      "<tool_call>\n{\"name\": \"NAME\", \"arguments\": ARGUMENTS|"
      "}\n</tool_call>\n<tool_call>\n{\"name\": \"|}\n</tool_call>";
  for (const std::string_view source : {
           "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
           "{{ raise_exception('never') }}",
           "nothing of the messages",
           // Names of arguments as marks.
           "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
           "{% for c in m.tool_calls %}<call>{{ c.function.name }}"
           "{% for k, v in c.function.arguments.items() %}<{{ k }}>{{ v }}</{{ k }}>{% endfor %}"
           "</call>{% endfor %}{% endfor %}",
           // A type for each value.
           "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
           "{% for c in m.tool_calls %}<call>{{ c.function.name }}"
           "{% for k, v in c.function.arguments.items() %}<arg {{ k }} "
           "{{ 's' if v is string else 'n' if v is number else 'o' }}>{{ v }}</arg>{% endfor %}"
           "</call>{% endfor %}{% endfor %}",
           // Ids that aren't members.
           "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
           "{% for c in m.tool_calls %}<call {{ c.id }}>{{ c.function.name }}"
           "{{ c.function.arguments | tojson }}</call>{% endfor %}{% endfor %}",
       }) {
    const CallShape shape = shape_of(source);
    EXPECT_FALSE(shape.from_template) << source;
    EXPECT_EQ(shown(shape), hermes);
  }
}

// {marker behind_marker}NAME … of arguments one by one.
std::string shown_tagged(const CallShape& shape) {
  if (!shape.tagged) return "none";
  const CallShape::Tagged& tagged = *shape.tagged;
  return shape.marker + " " + shape.behind_marker + "|" + shape.before_name + "NAME" +
         shape.before_arguments + "|" + tagged.before_key + "KEY" + tagged.before_text + "TEXT" +
         tagged.before_json + "JSON" + tagged.after_value + "|" + tagged.call_end + "|" +
         shape.between + "|" + shape.after;
}

TEST(CallShape, ArgumentsOneByOne) {
  EXPECT_EQ(shown_tagged(shape_of(R"(
{%- for m in messages %}
{{- '<|im_start|>' + m.role + '\n' + (m.content or '') }}
{%- for c in m.tool_calls %}
  {{- '\n<tool_call>\n<function=' + c.function.name + '>\n' }}
  {%- for k, v in c.function.arguments | items %}
    {{- '<parameter=' + k + '>\n' }}{{ v if v is string else v | tojson }}{{ '\n</parameter>\n' }}
  {%- endfor %}
  {{- '</function>\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %})")),
            "<tool_call> <function=|\n<tool_call>\n<function=NAME>\n|<parameter=KEY>\nTEXT>\nJSON\n"
            "</parameter>\n|</function>|</function>\n</tool_call>\n<tool_call>\n<function=|"
            "</function>\n</tool_call>");
  EXPECT_EQ(
      shown_tagged(shape_of(R"(
{%- for m in messages %}
{{- '<|' + m.role + '|>\n' + m.content }}
{%- if m.tool_calls %}{{ '<calls>' }}
{%- for c in m.tool_calls %}
  {{- '<invoke name="' + c.function.name + '">' }}
  {%- for k, v in c.function.arguments.items() %}
    {{- '<arg name="' + k + '" string="' + ('true' if v is string else 'false') + '">' }}
    {{- v if v is string else v | tojson }}{{ '</arg>' + ('' if loop.last else '\n') }}
  {%- endfor %}
  {{- '</invoke>' }}
{%- endfor %}{{ '</calls>' }}{% endif %}
{%- endfor %})")),
      "<calls> <invoke name=\"|<calls><invoke name=\"NAME\">|<arg name=\"KEY\" string=\"true\">"
      "TEXT\" string=\"false\">JSON</arg>|</invoke>|</invoke><invoke name=\"|"
      "</invoke></calls>");
}

// Templates in the manner of families that are in use.
TEST(CallShape, OfEveryFamilyOfTemplates) {
  const std::pair<std::string_view, std::string_view> table[] = {
      {"brackets", R"([TOOL_CALLS] [{"name": "NAME", "arguments": ARGUMENTS|}, {"name": "|}])"},
      {"header", R"({"name": "NAME", "parameters": ARGUMENTS||})"},
      {"reasoning",
       "<tool_call>\n{\"name\": \"NAME\", \"arguments\": ARGUMENTS|"
       "}\n</tool_call>\n<tool_call>\n{\"name\": \"|}\n</tool_call>"},
      {"chatml", ""},
      {"documents", ""},
      {"pipes", ""},
      {"turns", ""},
  };
  for (const auto& [name, expected] : table) {
    std::ifstream file(std::string(JARIP_TEMPLATES "/") + std::string(name) + ".jinja");
    const std::string source{std::istreambuf_iterator<char>(file), {}};
    ASSERT_FALSE(source.empty()) << name;
    const CallShape shape = shape_of(source);
    EXPECT_EQ(shape.from_template, !expected.empty()) << name << ": " << shown(shape);
    if (!expected.empty()) EXPECT_EQ(shown(shape), expected) << name;
  }
}

TEST(ReasoningShape, IsWhatTheSourceNames) {
  EXPECT_EQ(find_reasoning_shape("… split('</think>') …")->open, "<think>");
  EXPECT_EQ(find_reasoning_shape("[THINK]…[/THINK]")->close, "[/THINK]");
  EXPECT_TRUE(find_reasoning_shape("'<|channel|>analysis<|message|>' + message.thinking")->repeats);
  EXPECT_FALSE(find_reasoning_shape("{{ messages }}"));
}

}  // namespace
}  // namespace jarip
