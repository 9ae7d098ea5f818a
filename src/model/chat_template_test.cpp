#include "model/chat_template.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace jarip {
namespace {

using Segments = std::vector<RenderedSegment>;

TemplateValue text(std::string_view value) { return TemplateValue::from(value); }

TemplateValue message(std::string_view role, std::string_view content) {
  return TemplateValue::make_object({{"role", text(role)}, {"content", text(content)}});
}

Result<Segments> render(std::string_view source, const TemplateValue& context,
                        const TemplateLimits& limits = {}) {
  JARIP_TRY(const ChatTemplate compiled, ChatTemplate::compile(source, limits));
  return compiled.render(context, {"bos_token"}, 0);
}

Result<Segments> render(std::string_view source, const TemplateLimits& limits = {}) {
  return render(source, TemplateValue::make_object(), limits);
}

// "input" of x comes out as [input], the template's own as it is.
std::string marked(const Result<Segments>& segments) {
  if (!segments) return "error: " + segments.error().message;
  std::string out;
  for (const RenderedSegment& segment : *segments) {
    out += segment.from_input ? "[" + segment.text + "]" : segment.text;
  }
  return out;
}

std::string marked(std::string_view source, std::string_view x) {
  return marked(render(source, TemplateValue::make_object({{"x", text(x)}})));
}

Error error_of(const Result<Segments>& result) {
  return result ? Error{ErrorCode::kInternal, "no error", ""} : result.error();
}

std::string repeated(std::string_view part, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += part;
  return out;
}

TEST(ChatTemplate, RendersAConversation) {
  const auto messages =
      TemplateValue::make_list({message("user", "Hi"), message("assistant", "Hello!")});
  const auto result = render(
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m['content'] }}\n{% endfor %}",
      TemplateValue::make_object({{"messages", messages}, {"bos_token", text("<s>")}}));
  EXPECT_EQ(marked(result), "<s><|[user]|>[Hi]\n<|[assistant]|>[Hello!]\n");
}

TEST(ChatTemplate, KeepsNeighboursOfOneOriginInOneSegment) {
  const auto result =
      render("a{{ 'b' }}{{ x }}{{ x }}c", TemplateValue::make_object({{"x", text("1")}}));
  ASSERT_TRUE(result);
  ASSERT_EQ(result->size(), 3U);
  EXPECT_EQ((*result)[0].text, "ab");
  EXPECT_EQ((*result)[1].text, "11");
  EXPECT_TRUE((*result)[1].from_input);
}

TEST(ChatTemplate, TrustsWhatTheApplicationMarksAsItsOwn) {
  TemplateValue role = text("user");
  role.trusted = true;
  const auto context = TemplateValue::make_object(
      {{"m", TemplateValue::make_object({{"role", role}, {"content", text("hi")}})}});
  EXPECT_EQ(marked(render("<|{{ m.role }}|>{{ m.content }}", context)), "<|user|>[hi]");
}

struct Origin {
  std::string_view source;
  std::string_view result;  // of x = "<|im_end|>", input in brackets
};

class ChatTemplateOrigin : public testing::TestWithParam<Origin> {};

TEST_P(ChatTemplateOrigin, InputStaysInputThroughEveryOperation) {
  EXPECT_EQ(marked(GetParam().source, "<|im_end|>"), GetParam().result);
}

INSTANTIATE_TEST_SUITE_P(
    All, ChatTemplateOrigin,
    testing::ValuesIn(std::to_array<Origin>({
        {"{{ x }}", "[<|im_end|>]"},
        {"{{ '<' + x + '>' }}", "<[<|im_end|>]>"},
        {"{{ '<' ~ x ~ '>' }}", "<[<|im_end|>]>"},
        {"{{ ('<' + x + '>')[1:] }}", "[<|im_end|>]>"},
        {"{{ ('<' + x + '>')[::-1] }}", ">[>|dne_mi|<]<"},
        {"{{ ('<' + x + '>')|upper }}", "<[<|IM_END|>]>"},
        {"{{ (' ' + x + ' ')|trim }}", "[<|im_end|>]"},
        {"{{ (' a ' + x).strip() }}", "a [<|im_end|>]"},
        {"{{ 'a|b'|replace('|', x) }}", "a[<|im_end|>]b"},
        {"{{ x|replace('im', 'XX') }}", "[<|]XX[_end|>]"},
        {"{{ x.replace('|', '') }}", "[<im_end>]"},
        {"{{ x.split('|')|join('|') }}", "[<]|[im_end]|[>]"},
        {"{{ [x, 'b']|join('-') }}", "[<|im_end|>]-b"},
        {"{{ '-'.join([x, 'b']) }}", "[<|im_end|>]-b"},
        {"{{ '<%s>' % x }}", "<[<|im_end|>]>"},
        {"{{ '<%5s|%s>'|format('a', x) }}", "<    a|[<|im_end|>]>"},
        {"{{ '<{}>'.format(x) }}", "<[<|im_end|>]>"},
        {"{{ '<{:>12}>'.format(x) }}", "<  [<|im_end|>]>"},
        {"{{ x|tojson }}", "[\"<|im_end|>\"]"},
        {"{{ {'k': x}|tojson }}", "{\"k\": [\"<|im_end|>\"]}"},
        {"{{ [x] }}", "[['<|im_end|>']]"},
        {"{{ {x: 1} }}", "{['<|im_end|>']: 1}"},
        {"{{ x|list|join }}", "[<|im_end|>]"},
        {"{% for c in x %}{{ c }}{% endfor %}", "[<|im_end|>]"},
        {"{% set y %}<{{ x }}>{% endset %}{{ y }}", "<[<|im_end|>]>"},
        {"{% filter upper %}<{{ x }}>{% endfilter %}", "<[<|IM_END|>]>"},
        {"{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(x) }}", "<[<|im_end|>]>"},
        {"{% set ns = namespace(a=x) %}{{ ns.a }}", "[<|im_end|>]"},
        {"{{ x|indent(2, true) }}", "  [<|im_end|>]"},
        {"{{ x|center(12) }}", " [<|im_end|>] "},
        {"{{ x * 2 }}", "[<|im_end|><|im_end|>]"},
        {"{{ x[:2] ~ 'im_end' ~ x[-2:] }}", "[<|]im_end[|>]"},
        {"{{ x|e }}", "[&lt;|im_end|&gt;]"},
        {"{{ x|first }}{{ x|last }}", "[<>]"},
        {"{{ x if x else 'n' }}", "[<|im_end|>]"},
        {"{{ (x or 'n') ~ (y|default(x)) }}", "[<|im_end|><|im_end|>]"},
        {"{{ {'<|im_end|>': 'own'}[x] }}", "own"},
        {"{{ x|length }}", "[10]"},
        {"{{ 'a' if x == '<|im_end|>' }}", "a"},
        {"{{ x|truncate(4, true) }}", "[<]..."},
        {"{{ ('a' ~ x)|capitalize }}", "A[<|im_end|>]"},
        {"{{ x.partition('_')|join('*') }}", "[<|im]*[_]*[end|>]"},
        {"{{ [x]|map('upper')|first }}", "[<|IM_END|>]"},
        {"{{ dict(a=x)|dictsort|first|last }}", "[<|im_end|>]"},
        {"{{ dict(**{x: 1}) }}", "{['<|im_end|>']: 1}"},
        {"{% macro m() %}{{ kwargs|first }}{% endmacro %}{{ m(**{x: 1}) }}", "[<|im_end|>]"},
    })));

TEST(ChatTemplate, NumbersOfTheInputStayInput) {
  const auto context = TemplateValue::make_object(
      {{"n", TemplateValue::from(std::int64_t{4})}, {"b", TemplateValue::from(true)}});
  EXPECT_EQ(marked(render("{{ n }}{{ n + 1 }}{{ 2 + 3 }}{{ n * 1.5 }}{{ b }}{{ -n }}", context)),
            "[45]5[6.0True-4]");
}

TEST(ChatTemplate, RaiseExceptionIsTheCallersMistakeWithItsPlace) {
  const Error error = error_of(render("a\n  {{ raise_exception('roles must alternate') }}"));
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message, "roles must alternate");
  EXPECT_EQ(error.where, "line 2, column 6");
}

TEST(ChatTemplate, ErrorsInsideLoopsAndMacrosHaveTheInnermostPlace) {
  const Error error =
      error_of(render("{% macro m(a) %}\n{{ a.b.c }}{% endmacro %}\n{% for i in [1] %}"
                      "{{ m({}) }}{% endfor %}"));
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_EQ(error.where, "line 2, column 7");
  EXPECT_NE(error.message.find("'b'"), std::string::npos);
}

struct Refusal {
  std::string_view source;
  ErrorCode code;
  std::string_view message_part;
};

class ChatTemplateRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(ChatTemplateRefusal, NamesWhatItRefusesAndWhere) {
  const Error error = error_of(render(GetParam().source));
  EXPECT_EQ(error.code, GetParam().code) << error.message;
  EXPECT_NE(error.message.find(GetParam().message_part), std::string::npos) << error.message;
  EXPECT_TRUE(error.where.starts_with("line ")) << error.where;
}

INSTANTIATE_TEST_SUITE_P(
    All, ChatTemplateRefusal,
    testing::ValuesIn(std::to_array<Refusal>({
        {"{% include 'x' %}", ErrorCode::kUnsupported, "include"},
        {"{% extends 'x' %}", ErrorCode::kUnsupported, "extends"},
        {"{{ 1|nosuch }}", ErrorCode::kUnsupported, "nosuch"},
        {"{{ 1 is nosuch }}", ErrorCode::kUnsupported, "nosuch"},
        {"{% if true %}{{ 1|nosuch }}{% endif %}", ErrorCode::kUnsupported, "nosuch"},
        {"{{ 'a'.encode() }}", ErrorCode::kUnsupported, "encode"},
        {"{{ [1].append(2) }}", ErrorCode::kCorrupt, "append"},
        {"{{ ''.__class__.__mro__ }}", ErrorCode::kCorrupt, "__class__"},
        {"{{ range|attr('__globals__')|string }}{{ range.__globals__.x }}", ErrorCode::kCorrupt,
         "__globals__"},
        {"{% frobnicate %}", ErrorCode::kCorrupt, "frobnicate"},
        {"{% for x in y %}", ErrorCode::kCorrupt, "endfor"},
        {"{% endif %}", ErrorCode::kCorrupt, "endif"},
        {"{{ 1 + }}", ErrorCode::kCorrupt, "'}}'"},
        {"{{ 'abc }}", ErrorCode::kCorrupt, "string"},
        {"{# abc", ErrorCode::kCorrupt, "comment"},
        {"{% raw %}abc", ErrorCode::kCorrupt, "raw"},
        {"{{ (1] }}", ErrorCode::kCorrupt, "']'"},
        {"{{ ? }}", ErrorCode::kCorrupt, "'?'"},
        {"{% break %}", ErrorCode::kCorrupt, "loop"},
        {"{% for loop in [1] %}{% endfor %}", ErrorCode::kCorrupt, "loop"},
        {"{{ missing.x }}", ErrorCode::kCorrupt, "'missing' is undefined"},
        {"{{ missing() }}", ErrorCode::kCorrupt, "'missing' is undefined"},
        {"{{ 'a' + 1 }}", ErrorCode::kCorrupt, "str + int"},
        {"{{ 1 // 0 }}", ErrorCode::kCorrupt, "zero"},
        {"{{ 5 in 'a5' }}", ErrorCode::kCorrupt, "'in'"},
        {"{{ {[]: 1} }}", ErrorCode::kCorrupt, "unhashable"},
        {"{{ (1).real }}", ErrorCode::kUnsupported, "real"},
        {"{{ 'a'.upper }}", ErrorCode::kUnsupported, "printing"},
        {"{% set a, b = [1] %}", ErrorCode::kCorrupt, "unpack"},
        {"{% set x = {} %}{% set x.y = 1 %}", ErrorCode::kCorrupt, "namespace"},
        {"{{ '\\ud800' }}", ErrorCode::kUnsupported, "surrogate"},
    })));

class ChatTemplateLimit : public testing::TestWithParam<std::string> {};

TEST_P(ChatTemplateLimit, EndsWithAnErrorSoon) {
  const Error error = error_of(render(GetParam()));
  EXPECT_EQ(error.code, ErrorCode::kTooLarge) << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    All, ChatTemplateLimit,
    testing::Values(
        "{{ " + repeated("(", 60'000) + "1" + repeated(")", 60'000) + " }}",
        "{{ " + repeated("[", 3'000) + repeated("]", 3'000) + " }}",
        "{{ " + repeated("{'a':", 3'000) + "1" + repeated("}", 3'000) + " }}",
        "{{ " + repeated("-", 60'000) + "1 }}", "{{ " + repeated("not ", 60'000) + "1 }}",
        "{{ 1" + repeated(" if 1 else 1", 60'000) + " }}",
        repeated("{% if 1 %}", 3'000) + repeated("{% endif %}", 3'000),
        repeated("{% for a in b %}", 3'000) + repeated("{% endfor %}", 3'000),
        "{% for " + repeated("(", 3'000) + "a" + repeated(",)", 3'000) + " in b %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(l=[]) %}{% for i in range(3000) %}{% set ns.l = [ns.l] %}"
        "{% endfor %}",
        "{% set ns = namespace(l={}) %}{% for i in range(3000) %}{% set ns.l = {'a': ns.l} %}"
        "{% endfor %}",
        "{% set ns = namespace(f=1) %}{% for i in range(3000) %}{% set ns.f = [ns.f].count %}"
        "{% endfor %}",
        "{{ 'x' * 1000000000 }}", "{{ [1] * 1000000000 }}", "{{ 'x' * 9223372036854775807 }}",
        "{{ range(1000000000000) }}", "{{ range(100001)|list }}", "{{ 10 ** 30 }}",
        "{{ 3 ** 9223372036854775807 }}", "{{ 2.0 ** 100000 }}", "{{ 9223372036854775807 + 1 }}",
        "{{ 99999999999999999999 }}", "{{ -(-9223372036854775807 - 1) }}",
        "{{ (-9223372036854775807 - 1) // -1 }}",
        "{% set ns = namespace(l=[0]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}"
        "{% endfor %}",
        "{% set ns = namespace(l=[0]) %}{% for i in range(100) %}{% set ns.l = [ns.l, ns.l] %}"
        "{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[0]) %}{% for i in range(100) %}{% set ns.l = [ns.l, ns.l] %}"
        "{% endfor %}{{ ns.l == ns.l[0] or ns.l|tojson }}",
        "{% set ns = namespace(l=(0,)) %}{% for i in range(100) %}{% set ns.l = (ns.l, ns.l) %}"
        "{% endfor %}{{ {ns.l: 1} }}",
        "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}"
        "{% endfor %}",
        "{% set ns = namespace(s='xy') %}{% for i in range(100) %}"
        "{% set ns.s = ns.s.replace('x', ns.s) %}{% endfor %}",
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        "{{ '%1000000000d' % 1 }}", "{{ '%.1000000f' % 1 }}", "{{ '{:1000000000}'.format(1) }}",
        "{{ '%99999999999999999999d' % 1 }}", "{{ 'a'|center(1000000000) }}",
        "{{ 'a\nb'|indent(1000000000) }}", "{{ {'a': [1]}|tojson(indent=1000000000) }}",
        "{{ [1]|batch(1000000000, 0)|list }}", "{{ [1]|slice(1000000000)|list }}",
        "{{ 'a'.zfill(1000000000) }}", "{{ ['a']|map('center', 1000000000)|list }}"));

TEST(ChatTemplate, LimitsAreOptions) {
  TemplateLimits limits;
  limits.max_output_bytes = 10;
  EXPECT_EQ(marked(render("0123456789", limits)), "0123456789");
  EXPECT_EQ(error_of(render("{{ '01234567890' }}", limits)).code, ErrorCode::kTooLarge);
  limits = {};
  limits.max_steps = 100;
  EXPECT_EQ(error_of(render("{% for i in range(100) %}{% endfor %}", limits)).code,
            ErrorCode::kTooLarge);
  limits = {};
  limits.max_source_bytes = 3;
  EXPECT_EQ(error_of(render("abcd", limits)).code, ErrorCode::kTooLarge);
  limits = {};
  limits.max_depth = 10;
  EXPECT_EQ(marked(render("{{ ((((1)))) }}", limits)), "1");
  EXPECT_EQ(error_of(render("{{ ((((((((((1)))))))))) }}", limits)).code, ErrorCode::kTooLarge);
}

TEST(ChatTemplate, DeepContextsAreRefused) {
  TemplateValue deep = TemplateValue::null();
  for (int i = 0; i < 1000; ++i) deep = TemplateValue::make_list({std::move(deep)});
  const auto context = TemplateValue::make_object({{"deep", std::move(deep)}});
  EXPECT_EQ(error_of(render("{{ deep }}", context)).code, ErrorCode::kTooLarge);
  EXPECT_EQ(marked(render("unread", context)), "unread");
}

TEST(ChatTemplate, RecursionWithinTheLimitWorks) {
  EXPECT_EQ(marked(render("{% macro m(n) %}{% if n %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
                          "{{ m(20) }}")),
            "2019181716151413121110987654321");
}

TEST(ChatTemplate, NamespacesThatHoldThemselvesAreFreed) {
  EXPECT_EQ(marked(render("{% set a = namespace() %}{% set b = namespace(a=a) %}"
                          "{% set a.b = b %}{% set a.s = [a, b] %}{{ a.b.a.b.a.s|length }}")),
            "2");
}

TEST(ChatTemplate, MacrosOutliveTheScopeThatDefinedThem) {
  EXPECT_EQ(marked(render("{% set ns = namespace(m=none) %}{% macro outer(v) %}"
                          "{% macro inner() %}{{ v }}{% endmacro %}{% set ns.m = inner %}"
                          "{% endmacro %}{{ outer('kept') }}{{ outer('last') }}{{ ns.m() }}")),
            "last");
}

TEST(ChatTemplate, LoopsOutliveTheirScope) {
  EXPECT_EQ(
      marked(render("{% set ns = namespace(l=none) %}{% macro m() %}"
                    "{% for i in [1, 2] if i recursive %}{% set ns.l = loop %}{% endfor %}"
                    "{% endmacro %}{{ m() }}{{ ns.l.index }}{{ ns.l.length }}{{ ns.l([7]) }}")),
      "22");
}

TEST(ChatTemplate, AFilterCanNotUseItsOwnLoop) {
  const Error error =
      error_of(render("{% set ns = namespace(l=none) %}"
                      "{% for i in range(9) if ns.l is none or ns.l.length %}"
                      "{% set ns.l = loop %}{% endfor %}"));
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
}

TEST(ChatTemplate, InvalidUtf8GoesThroughUnharmed) {
  EXPECT_EQ(marked("{{ x }}{{ x|upper }}{{ x|length }}{{ x[1:] }}", "a\xFF\xE2\x82"),
            "[a\xFF\xE2\x82"
            "A\xFF\xE2\x82"
            "3\xFF\xE2\x82]");
}

TEST(ChatTemplate, ACompiledTemplateRendersOnSeveralThreads) {
  const auto compiled = ChatTemplate::compile("{% for i in range(50) %}{{ x ~ 'y' }}{% endfor %}");
  ASSERT_TRUE(compiled);
  std::vector<std::thread> threads;
  std::vector<std::string> texts(4);
  threads.reserve(texts.size());
  for (std::size_t t = 0; t < texts.size(); ++t) {
    threads.emplace_back([&, t] {
      texts[t] = marked(
          compiled->render(TemplateValue::make_object({{"x", text(std::to_string(t))}}), {}, 0));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < texts.size(); ++t) {
    EXPECT_EQ(texts[t], repeated("[" + std::to_string(t) + "]y", 50));
  }
}

}  // namespace
}  // namespace jarip
