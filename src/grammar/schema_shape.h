// What a set of schemas that all hold asks of a value, as alternatives without "and", "or" and
// references. Owned by one compilation.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/expression.h"
#include "grammar/schema_document.h"

namespace jarip {

namespace json_type {
inline constexpr std::uint8_t kNull = 1;
inline constexpr std::uint8_t kBoolean = 2;
inline constexpr std::uint8_t kInteger = 4;
inline constexpr std::uint8_t kFraction = 8;  // a number that isn't an integer
inline constexpr std::uint8_t kNumber = kInteger | kFraction;
inline constexpr std::uint8_t kString = 16;
inline constexpr std::uint8_t kArray = 32;
inline constexpr std::uint8_t kObject = 64;
inline constexpr std::uint8_t kAll = 127;
}  // namespace json_type

using Conjunction = std::vector<SchemaRef>;

// A string of the schema, and where it stands.
struct SchemaText {
  std::string text;
  std::string path;
};

struct SchemaBound {
  boost::json::value number;
  bool exclusive = false;
  std::string path;
};

// One schema's say on the elements of an array.
struct ArrayPart {
  std::vector<SchemaRef> prefix;
  std::optional<SchemaRef> items;  // of those behind the prefix
};

// One schema's say on the members of an object.
struct ObjectPart {
  std::vector<std::pair<std::string, SchemaRef>> properties;
  std::vector<std::pair<SchemaText, SchemaRef>> patterns;
  std::optional<SchemaRef> additional;  // of members that neither names
};

struct Shape {
  std::uint8_t types = json_type::kAll;
  std::optional<std::vector<SchemaRef>> values;  // one of these

  std::uint32_t min_length = 0;
  std::uint32_t max_length = kUnbounded;
  std::vector<SchemaText> patterns;
  std::vector<SchemaText> formats;

  std::vector<SchemaBound> minima;
  std::vector<SchemaBound> maxima;
  std::vector<SchemaBound> multiples;

  std::uint32_t min_items = 0;
  std::uint32_t max_items = kUnbounded;
  std::vector<ArrayPart> arrays;

  std::uint32_t min_members = 0;
  std::uint32_t max_members = kUnbounded;
  std::vector<std::string> required;
  std::vector<ObjectPart> objects;
  std::vector<SchemaRef> names;  // of every member
  std::string path;              // of the first schema, for errors

  // Types that are meant where none is said: those that some keyword speaks of.
  [[nodiscard]] std::uint8_t meant_types() const;
};

class ShapeFinder {
 public:
  ShapeFinder(const SchemaDocument& document, CompileWork& work)
      : document_(document), work_(work) {}

  // The alternatives; none when no value will do. Errors: kUnsupported and kInvalidArgument, with
  // the keyword's path.
  [[nodiscard]] Result<std::vector<Shape>> shapes_of(const Conjunction& schemas);

  // Whether no value that is written for `a` can hold for `b`. False when it can't be told.
  [[nodiscard]] Result<bool> are_apart(const Shape& a, const Shape& b, unsigned depth);

 private:
  struct Choice {
    std::vector<SchemaRef> branches;
    std::string path;
    bool exactly_one = false;
  };
  struct Gathered {
    Shape shape;
    std::vector<Choice> choices;
    bool is_impossible = false;
    std::vector<const boost::json::value*> seen;
    std::vector<const boost::json::value*> open;  // being gathered, outermost first
  };

  Result<void> gather(const SchemaRef& schema, Gathered& out);
  Result<void> gather_keyword(const SchemaRef& schema, std::string_view key, Gathered& out);
  Result<void> gather_logic(const SchemaRef& schema, std::string_view key, Gathered& out);
  Result<void> gather_object(const SchemaRef& schema, Gathered& out);
  Result<void> gather_array(const SchemaRef& schema, Gathered& out);
  Result<void> gather_not(const SchemaRef& inner, Gathered& out);
  Result<std::vector<Shape>> expand(const SchemaRef* first, std::size_t n);
  Result<std::vector<Shape>> choose(const std::vector<Shape>& shapes, const Choice& choice);
  Result<bool> have_members_apart(const Shape& a, const Shape& b, unsigned depth);

  const SchemaDocument& document_;
  CompileWork& work_;
  std::vector<const boost::json::value*> active_;  // schemas being expanded, outermost first
};

// Both at once; types is 0 when that can't be. Of no use once no work is left.
[[nodiscard]] Shape merge(const Shape& a, const Shape& b, CompileWork& work);

}  // namespace jarip
