#include "grammar/schema.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/match_text.h"

namespace jarip {
namespace {

Result<Automaton> compile_schema(std::string text) {
  return compile_source({GrammarKind::kJsonSchema, std::move(text)});
}

struct Case {
  const char* schema;
  std::vector<std::string> valid;
  std::vector<std::string> invalid;
};

void check(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const auto automaton = compile_schema(one.schema);
    ASSERT_TRUE(automaton) << one.schema << ": " << automaton.error().message;
    for (const std::string& text : one.valid) {
      EXPECT_EQ(match_text(*automaton, text), TextMatch::kWhole) << one.schema << ": " << text;
    }
    for (const std::string& text : one.invalid) {
      EXPECT_NE(match_text(*automaton, text), TextMatch::kWhole) << one.schema << ": " << text;
    }
  }
}

TEST(Schema, AnyJson) {
  check({{"true",
          {"null", "true", "[]", "{}", R"({"a": [1, {"b": "c"}], "d":-1.5e+10})",
           "\"\\u00e9한\\n\"", "[\n  1,\n  2\n]", "{\"a\":1,\"b\": 2}", "0", "-0.25"},
          {"", "01", "1.", "+1", "'a'", "[1,]", "{\"a\"}", "{a:1}", "\"\\ud800\"", "\"\n\"", "nul",
           "[1  ,2]", "\"\\x\"", "{\"a\":1,}", "NaN"}},
         {R"({"type": "object"})", {"{}", "{\"a\": {}}"}, {"[]", "1"}}});
}

TEST(Schema, Types) {
  check({{R"({"type": "null"})", {"null"}, {"0"}},
         {R"({"type": ["boolean", "string"]})", {"true", "\"x\""}, {"null", "1"}},
         {R"({"type": "string", "nullable": true})", {"null", "\"\""}, {"1"}},
         {R"({"enum": ["a", 1, null, [1, "b"], {"k": 2.5}]})",
          {"\"a\"", "1", "null", "[1, \"b\"]", "{\"k\": 2.5}"},
          {"\"b\"", "1.0", "[1]"}},
         {R"({"enum": ["a", 1, 7], "type": "integer", "minimum": 5})", {"7"}, {"\"a\"", "1"}},
         {R"({"const": "a\"\n\u0001한"})", {"\"a\\\"\\n\\u0001한\""}, {"\"a\""}},
         {R"({"not": {"type": ["object", "array", "string"]}, "type": ["string", "null"]})",
          {"null"},
          {"\"\""}},
         {R"({"not": {"type": "integer"}, "type": ["number", "null"]})", {"null"}, {"1", "1.0"}}});
}

TEST(Schema, Strings) {
  check({{R"({"type": "string", "minLength": 2, "maxLength": 3})",
          {"\"ab\"", "\"한글😀\"", "\"\\n\\u0041\""},
          {"\"a\"", "\"abcd\"", "\"한\""}},
         {R"({"type": "string", "maxLength": 5000})",
          {"\"" + std::string(5000, 'x') + "\""},
          {"\"" + std::string(5001, 'x') + "\""}},
         {R"({"type": "string", "pattern": "^a\\d+$"})", {"\"a12\""}, {"\"a\"", "\"ba1\""}},
         {R"({"type": "string", "pattern": "b"})", {"\"abc\"", "\"b\""}, {"\"ac\""}},
         {R"({"type": "string", "pattern": "^\\w+$", "minLength": 3, "maxLength": 4})",
          {"\"abc\"", "\"abcd\""},
          {"\"ab\"", "\"abcde\"", "\"a b\""}},
         {R"({"type": "string", "pattern": "^[a-z 한\n]+$", "minLength": 50, "maxLength": 900})",
          {"\"" + std::string(900, 'x') + "\"", "\"" + std::string(48, 'x') + "한\\n\""},
          {"\"" + std::string(901, 'x') + "\"", "\"" + std::string(49, 'x') + "\""}},
         {R"({"type": "string", "pattern": "^[A-Z0-9]{8,20}$", "minLength": 2, "maxLength": 9})",
          {"\"ABCDEFG8\"", "\"ABCDEFGH9\""},
          {"\"ABCDEFG\"", "\"ABCDEFGHI9\"", "\"abcdefgh\""}},
         {R"({"type": "string", "pattern": "^[a-z]+$|^x y$", "maxLength": 5})",
          {"\"x y\"", "\"abcde\""},
          {"\"abcdef\"", "\"a b\""}},
         {R"({"type": "string", "pattern": "^[a-z ]+([.])$", "maxLength": 500})",
          {"\"a b.\"", "\"" + std::string(499, 'x') + ".\""},
          {"\"" + std::string(500, 'x') + ".\""}},
         {R"({"type": "string", "pattern": "^[^x]", "minLength": 300})",
          {"\"한" + std::string(299, 'x') + "\"", "\"" + std::string(800, 'y') + "\""},
          {"\"한" + std::string(298, 'x') + "\"", "\"" + std::string(800, 'x') + "\""}},
         {R"({"allOf": [{"pattern": "^a"}, {"pattern": "z$"}]})",
          {"\"az\"", "\"abz\""},
          {"\"a\"", "\"z\"", "1"}}});
}

TEST(Schema, Formats) {
  check(
      {{R"({"type": "string", "format": "date"})",
        {"\"2024-02-29\"", "\"2000-02-29\"", "\"2023-04-30\"", "\"0001-01-01\""},
        {"\"2023-02-29\"", "\"1900-02-29\"", "\"2023-04-31\"", "\"0000-01-01\"", "\"2023-13-01\""}},
       {R"({"type": "string", "format": "date-time"})",
        {"\"2024-02-29T23:59:59.125Z\"", "\"2024-02-28T00:00:00+09:00\""},
        {"\"2024-02-29\"", "\"2024-02-29T24:00:00Z\"", "\"2024-02-29T10:00:00\""}},
       {R"({"type": "string", "format": "uuid"})",
        {"\"00112233-4455-6677-8899-aAbBcCdDeEfF\""},
        {"\"00112233445566778899aabbccddeeff\""}},
       {R"({"type": "string", "format": "ipv4"})",
        {"\"255.0.10.99\""},
        {"\"256.0.0.1\"", "\"1.2.3\""}},
       {R"({"type": "string", "format": "ipv6"})",
        {"\"::\"", "\"::1\"", "\"1::\"", "\"1:2:3:4:5:6:7:8\"", "\"1:2::7:8\"", "\"1::8\""},
        {"\":::\"", "\"1:2:3\"", "\"1::2::3\"", "\"1:2:3:4:5:6:7:8:9\"", "\"1:2:3:4:5:6:7::8:9\""}},
       {R"({"type": "string", "format": "email"})",
        {"\"a.b+c@example.org\""},
        {"\"a@b\"", "\"@x.org\""}},
       {R"({"type": "string", "format": "duration"})",
        {"\"P1Y2M\"", "\"PT5M\"", "\"P4W\""},
        {"\"P\"", "\"PT\"", "\"P1S\""}},
       {R"({"type": "integer", "format": "int32"})", {"2147483647", "-2147483648"}, {"2147483648"}},
       {R"({"type": "string", "format": "date", "pattern": "^2024"})",
        {"\"2024-01-01\""},
        {"\"2023-01-01\""}}});
}

TEST(Schema, Numbers) {
  check({{R"({"type": "integer"})", {"0", "-7", "123456789012345678"}, {"1.0", "01", "1e3"}},
         {R"({"type": "integer", "minimum": 3, "maximum": 120})",
          {"3", "9", "10", "99", "100", "120"},
          {"2", "0", "121", "-5", "1000", "03"}},
         {R"({"type": "integer", "minimum": -15, "exclusiveMaximum": -3})",
          {"-15", "-4", "-10"},
          {"-16", "-3", "3", "0"}},
         {R"({"type": "integer", "exclusiveMinimum": -2, "maximum": 1})",
          {"-1", "0", "1"},
          {"-2", "2"}},
         {R"({"type": "integer", "minimum": 1.5, "maximum": 3.5})", {"2", "3"}, {"1", "4"}},
         {R"({"type": "integer", "minimum": -9223372036854775808, "maximum": 1e300})",
          {"-5", "900000000000000000"},
          {"x"}},
         {R"({"type": "number", "minimum": 0.5})",
          {"0.5", "0.50", "0.6", "1", "17.25"},
          {"0.4", "0.49999", "0", "-1"}},
         {R"({"type": "number", "exclusiveMinimum": 0.5})",
          {"0.51", "0.500001", "1"},
          {"0.5", "0.500", "0"}},
         {R"({"type": "number", "maximum": 2.25})",
          {"2.25", "2.250", "2", "0", "-100.5", "2.2"},
          {"2.26", "2.2501", "3"}},
         {R"({"type": "number", "exclusiveMaximum": 2.25})",
          {"2.2", "2.249", "2", "-3"},
          {"2.25", "2.250", "2.3"}},
         {R"({"type": "number", "minimum": -1.5, "maximum": 0})",
          {"-1.5", "-1", "0", "0.0", "-0.001"},
          {"-1.51", "0.1", "-0"}},
         {R"({"type": "number", "minimum": 0, "exclusiveMaximum": 0.3})",
          {"0", "0.29", "0.0"},
          {"0.3", "0.30", "1"}},
         {R"({"type": "integer", "multipleOf": 7, "minimum": 10})",
          {"14", "70", "700007"},
          {"7", "15", "0"}},
         {R"({"type": "number", "multipleOf": 5})", {"0", "-15"}, {"3", "2.5"}}});
}

TEST(Schema, Objects) {
  check(
      {{R"({"properties": {"a": {"type": "integer"}, "b": {"type": "null"}}, "required": ["a"]})",
        {"{\"a\":1}", "{\"a\": 1, \"b\": null}", "{\n  \"a\": 1,\n  \"b\": null\n}"},
        {"{}", "{\"b\": null}", "{\"b\": null, \"a\": 1}", "{\"a\": 1, \"c\": 2}", "{ }"}},
       {R"({"properties": {"a": {}}, "additionalProperties": {"type": "integer"}})",
        {"{}", "{\"a\": \"x\"}", "{\"b\": 1}", "{\"a\": null, \"b\": 1, \"ab\": 2}"},
        {"{\"b\": \"x\"}", "{\"b\": 1, \"a\": 1}", "{\"a\": 1, \"a\": 2}"}},
       {R"({"required": ["x"], "properties": {"y": true}})",
        {"{\"y\": 1, \"x\": [2]}"},
        {"{\"y\": 1}"}},
       {R"({"type": "object", "patternProperties": {"^n_": {"type": "integer"}, "_s$": {"type": "string"}}})",
        {"{\"n_a\": 1}", "{\"x_s\": \"\"}", "{}"},
        {"{\"n_a\": \"\"}", "{\"n_s\": 1}", "{\"other\": 1}"}},
       {R"({"patternProperties": {"^a": {"type": "integer"}}, "properties": {"ab": {"minimum": 5}},
             "additionalProperties": {"type": "null"}})",
        {"{\"ab\": 6}", "{\"ac\": 1, \"z\": null}"},
        {"{\"ab\": 4}", "{\"ab\": 5.5}", "{\"z\": 1}", "{\"ac\": null}"}},
       {R"({"type": "object", "propertyNames": {"maxLength": 2, "pattern": "^[a-c]+$"}})",
        {"{}", "{\"ab\": 1}"},
        {"{\"abc\": 1}", "{\"d\": 1}"}},
       {R"({"properties": {"a": true, "b": true, "c": true}, "minProperties": 2, "maxProperties": 2})",
        {"{\"a\": 1, \"c\": 2}"},
        {"{}", "{\"a\": 1}", "{\"a\": 1, \"b\": 2, \"c\": 3}"}},
       {R"({"type": "object", "minProperties": 1, "maxProperties": 2})",
        {"{\"a\": 1}", "{\"a\": 1, \"b\": 2}"},
        {"{}", "{\"a\": 1, \"b\": 2, \"c\": 3}"}},
       {R"({"properties": {"a\"\n": {"const": 1}}, "additionalProperties": false})",
        {"{\"a\\\"\\n\": 1}"},
        {"{\"a\": 1}"}}});
}

TEST(Schema, Arrays) {
  check(
      {{R"({"type": "array"})", {"[]", "[1, \"a\"]", "[ 1 ]"}, {"{}"}},
       {R"({"items": {"type": "null"}, "minItems": 1, "maxItems": 3})",
        {"[null]", "[null,null, null]"},
        {"[]", "[null, null, null, null]", "[1]"}},
       {R"({"prefixItems": [{"const": 1}, {"const": 2}], "items": {"const": 3}})",
        {"[]", "[1]", "[1, 2]", "[1, 2, 3, 3]"},
        {"[2]", "[1, 3]"}},
       {R"({"prefixItems": [{"const": 1}, {"const": 2}], "items": false, "minItems": 2})",
        {"[1, 2]"},
        {"[1]", "[1, 2, 3]"}},
       {R"({"prefixItems": [{"const": 1}], "minItems": 3})", {"[1, null, {}]"}, {"[1]", "[1, 2]"}},
       {R"({"items": {"type": "integer"}, "maxItems": 0})", {"[]"}, {"[1]"}},
       {R"({"items": {"type": "string"}, "minItems": 2, "maxItems": 900})",
        {"[\"a\", \"b\"]"},
        {"[\"a\"]"}}});
}

TEST(Schema, Logic) {
  check(
      {{R"({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]})",
        {"5", "\"a\""},
        {"\"ab\"", "null"}},
       {R"({"type": "integer", "anyOf": [{"minimum": 10}, {"maximum": 0}]})",
        {"10", "-3", "0"},
        {"5", "\"\""}},
       {R"({"allOf": [{"properties": {"a": {"minimum": 3}}, "required": ["a"]},
                       {"properties": {"a": {"maximum": 5}, "b": true}, "additionalProperties": false}]})",
        {"{\"a\": 4}", "{\"a\": 4, \"b\": 1}"},
        {"{\"a\": 6}", "{\"a\": 2}", "{}", "{\"a\": 4, \"c\": 1}"}},
       {R"({"oneOf": [{"type": "null"}, {"type": "integer"}]})", {"null", "3"}, {"true"}},
       {R"({"oneOf": [{"properties": {"k": {"const": "a"}, "x": {"type": "integer"}}, "required": ["k"]},
                       {"properties": {"k": {"const": "b"}, "y": {"type": "integer"}}, "required": ["k"]}]})",
        {"{\"k\": \"a\", \"x\": 1}", "{\"k\": \"b\", \"y\": 1}"},
        {"{\"k\": \"a\", \"y\": 1}", "{\"k\": \"c\"}"}},
       {R"({"oneOf": [{"type": "integer", "maximum": 3}, {"type": "number", "exclusiveMinimum": 3}]})",
        {"3", "3.5"},
        {"2.5"}},
       {R"({"oneOf": [{"pattern": "^a"}, {"pattern": "^b"}], "type": "string"})",
        {"\"ax\"", "\"b\""},
        {"\"c\""}}});
}

TEST(Schema, References) {
  check(
      {{R"({"$defs": {"n": {"type": "object", "properties": {"v": {"type": "integer"},
             "next": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}}, "required": ["v", "next"]}},
             "$ref": "#/$defs/n"})",
        {"{\"v\": 1, \"next\": null}", "{\"v\": 1, \"next\": {\"v\": 2, \"next\": null}}"},
        {"{\"v\": 1}", "null"}},
       {R"({"items": {"$ref": "#"}, "type": "array"})", {"[]", "[[], [[]]]"}, {"[1]"}},
       {R"({"$defs": {"a/b ~": {"const": 1}}, "$ref": "#/$defs/a~1b%20~0"})", {"1"}, {"2"}},
       {R"({"$defs": {"x": {"$anchor": "here", "const": 1}}, "$ref": "#here"})", {"1"}, {"2"}},
       {R"({"$defs": {"x": {"minimum": 2}}, "$ref": "#/$defs/x", "maximum": 4, "type": "integer"})",
        {"3"},
        {"1", "5"}}});
}

TEST(Schema, WhatCantBeEnforcedIsRefusedByItsPath) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"properties": {"a": {"not": {"const": 1}}}})", "#/properties/a/not"},
      {R"({"items": {"contains": {}}})", "#/items/contains"},
      {R"({"uniqueItems": true})", "#/uniqueItems"},
      {R"({"if": {}, "then": {}})", "#/if"},
      {R"({"anyOf": [{"dependentRequired": {}}]})", "#/anyOf/0/dependentRequired"},
      {R"({"unevaluatedProperties": false})", "#/unevaluatedProperties"},
      {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", "#/oneOf"},
      {R"({"oneOf": [{"properties": {"a": true}}, {"properties": {"b": true}}]})", "#/oneOf"},
      {R"({"multipleOf": 0.1})", "#/multipleOf"},
      {R"g({"pattern": "(?=a)"})g", "#/pattern"},
      {R"({"format": "regex"})", "#/format"},
      {R"({"$ref": "https://example.org"})", "#/$ref"},
      {R"({"$ref": "#/$defs/none"})", "#/$ref"},
      {R"({"$ref": "#"})", "#"},
      {R"({"anyOf": [{"$ref": "#"}, {"type": "null"}]})", "#"},
      {R"({"type": "strng"})", "#/type"},
      {R"({"minLength": -1})", "#/minLength"},
      {R"({"properties": 1})", "#/properties"},
      {R"({"properties": {"a~/b": 1}})", "#/properties/a~0~1b"},
      {R"({"required": [1]})", "#/required/0"},
      {R"({"items": [{}]})", "#/items"},
      {R"({"anyOf": []})", "#/anyOf"},
      {R"({"properties": {"x": {"$id": "other", "type": "null"}}})", "#/properties/x/$id"},
  };
  for (const auto& [schema, path] : cases) {
    const auto automaton = compile_schema(schema);
    ASSERT_FALSE(automaton) << schema;
    EXPECT_EQ(automaton.error().where, path) << schema << ": " << automaton.error().message;
    EXPECT_NE(automaton.error().message.find(path), std::string::npos);
  }
}

TEST(Schema, WhatNoValueMeetsIsRefused) {
  for (const char* schema :
       {"false", R"({"type": "integer", "minimum": 3, "maximum": 2})", R"({"enum": []})",
        R"({"required": ["a"], "properties": {"a": false}})",
        R"({"type": "object", "properties": {"x": {"$ref": "#"}}, "required": ["x"]})",
        R"({"minItems": 3, "maxItems": 2, "type": "array"})"}) {
    const auto automaton = compile_schema(schema);
    EXPECT_FALSE(automaton) << schema;
  }
}

TEST(Schema, HugeSchemasAreErrorsOrBounded) {
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += R"({"items":)";
  std::string wide = R"({"type": "object", "properties": {)";
  for (int i = 0; i < 400; ++i) {
    wide += (i > 0 ? "," : "") + ("\"property number " + std::to_string(i)) +
            R"(": {"type": "string"})";
  }
  std::string choices = R"({"allOf": [)";
  for (int i = 0; i < 12; ++i) {
    choices += std::string(i > 0 ? "," : "") + R"({"anyOf": [{"minimum": 1}, {"maximum": 5}]})";
  }
  std::string numbers = R"({"enum": [0)";
  for (int i = 1; i < 15'000; ++i) numbers += "," + std::to_string(i);
  numbers += "]}";
  const std::vector<std::string> schemas = {
      deep,
      R"({"allOf": [)" + numbers + "," + numbers + "]}",
      wide + "}}",
      choices + "]}",
      R"({"type": "string", "minLength": 100000, "maxLength": 900000})",
      R"({"type": "string", "minLength": 5000, "pattern": "^[a-z]"})",
      R"({"type": "array", "minItems": 100000, "items": {"type": "array", "minItems": 100000}})"};
  for (const std::string& schema : schemas) {
    const auto automaton = compile_schema(schema);
    if (!automaton) EXPECT_FALSE(automaton.error().message.empty());
  }
  EXPECT_TRUE(compile_schema(wide + "}}"));
}

}  // namespace
}  // namespace jarip
