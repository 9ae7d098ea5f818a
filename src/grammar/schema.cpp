#include "grammar/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "grammar/characters.h"
#include "grammar/schema_members.h"
#include "grammar/schema_shape.h"
#include "grammar/schema_strings.h"
#include "grammar/schema_text.h"
#include "grammar/schema_values.h"

namespace jarip {
namespace {

constexpr std::uint32_t kMaxIndent = 20;
constexpr std::size_t kMaxPatterns = 5;  // of patternProperties, on one object
constexpr std::uint32_t kMaxCountedMembers = 64;

class SchemaWriter {
 public:
  SchemaWriter(const SchemaDocument& document, GrammarBuilder& builder, SharedSchemaRules& shared,
               CompileWork& work)
      : document_(document),
        finder_(document, work),
        builder_(builder),
        shared_(shared),
        work_(work) {}

  Result<RuleId> write() {
    const RuleId root = rule_for({document_.root()});
    JARIP_CHECK(define_rules());
    return root;
  }

  // The members of the object that the document describes, without what would stand around them.
  Result<ExprId> write_tagged(const TaggedOptions& options) {
    JARIP_TRY(const std::vector<Shape> shapes, finder_.shapes_of({document_.root()}));
    std::vector<ExprId> parts = {builder_.nothing()};
    for (const Shape& shape : shapes) {
      if ((shape.types & json_type::kObject) == 0) continue;
      JARIP_TRY(const ExprId part, tagged_members(shape, options));
      parts.push_back(part);
    }
    const ExprId members = builder_.choice(parts);
    JARIP_CHECK(define_rules());
    return members;
  }

 private:
  Result<void> define_rules() {
    while (!pending_.empty()) {
      const auto [rule, schemas] = std::move(pending_.back());
      pending_.pop_back();
      if (builder_.failed()) return std::unexpected(*builder_.error());
      JARIP_TRY(const ExprId body, value_of(schemas));
      if (builder_.failed()) return std::unexpected(*builder_.error());
      builder_.define(rule, body);
    }
    return {};
  }

  // One rule for all values that must meet the same schemas: so references may lead in circles.
  RuleId rule_for(const Conjunction& schemas) {
    std::vector<const boost::json::value*> key;
    for (const SchemaRef& schema : schemas) key.push_back(schema.node);
    std::ranges::sort(key);
    key.erase(std::ranges::unique(key).begin(), key.end());
    const auto found = rules_.find(key);
    if (found != rules_.end()) return found->second;
    const RuleId rule = builder_.add_rule(schemas.empty() ? "any value" : schemas[0].path);
    rules_.emplace(std::move(key), rule);
    pending_.emplace_back(rule, schemas);
    return rule;
  }

  Result<ExprId> value_of(const Conjunction& schemas) {
    JARIP_TRY(const std::vector<Shape> shapes, finder_.shapes_of(schemas));
    std::vector<ExprId> parts;
    for (const Shape& shape : shapes) {
      Shape meant = shape;
      meant.types = shape.meant_types();
      JARIP_TRY(const ExprId part, value_of(meant));
      parts.push_back(part);
    }
    return parts.empty() ? builder_.nothing() : builder_.choice(parts);
  }

  Result<ExprId> value_of(const Shape& shape) {
    if (shape.values) return listed_values(shape);
    std::vector<ExprId> parts;
    const auto has = [&](std::uint8_t type) { return (shape.types & type) != 0; };
    if (has(json_type::kObject)) {
      JARIP_TRY(const ExprId object, object_of(shape));
      parts.push_back(object);
    }
    if (has(json_type::kArray)) {
      JARIP_TRY(const ExprId array, array_of(shape));
      parts.push_back(array);
    }
    if (has(json_type::kString)) {
      JARIP_TRY(const ExprId string, string_of(shape));
      parts.push_back(string);
    }
    // Numbers that must not be integers aren't written: 1.0 would be one.
    if (has(json_type::kInteger)) {
      JARIP_TRY(const ExprId number, add_number(builder_, shape, work_));
      parts.push_back(number);
    }
    if (has(json_type::kBoolean)) {
      parts.push_back(builder_.literal("true"));
      parts.push_back(builder_.literal("false"));
    }
    if (has(json_type::kNull)) parts.push_back(builder_.literal("null"));
    return parts.empty() ? builder_.nothing() : builder_.choice(parts);
  }

  Result<ExprId> listed_values(const Shape& shape) {
    std::vector<ExprId> parts;
    for (const SchemaRef& value : *shape.values) {
      JARIP_TRY(const bool is_valid, fits(value, shape, work_));
      if (!is_valid) continue;
      JARIP_TRY(const std::string text, text_of(*value.node, value.path));
      parts.push_back(builder_.literal(text));
    }
    return parts.empty() ? builder_.nothing() : builder_.choice(parts);
  }

  // A rule of its own for each kind of string, so that the masks of its inside serve all its uses.
  Result<ExprId> string_of(const Shape& shape) {
    std::string key = fmt::format("string {} {}", shape.min_length, shape.max_length);
    for (const SchemaText& pattern : shape.patterns) key += "\n/" + pattern.text;
    for (const SchemaText& format : shape.formats) key += "\n=" + format.text;
    const auto found = shared_.strings.find(key);
    if (found != shared_.strings.end()) return builder_.rule(found->second);
    JARIP_TRY(const ExprId inside, add_string(builder_, shape, work_));
    return builder_.rule(add_string_rule(std::move(key), inside));
  }

  RuleId add_string_rule(std::string key, ExprId inside) {
    const RuleId rule = builder_.add_rule("string");
    if (builder_.failed()) return rule;
    builder_.define(rule,
                    builder_.sequence({builder_.literal("\""), inside, builder_.literal("\"")}));
    builder_.share(rule);
    shared_.strings.emplace(std::move(key), rule);
    return rule;
  }

  // Between the parts of arrays and objects: nothing, a space, or a new line with its indent. All
  // bounded, so that no answer loses itself in white space.
  ExprId space() {
    if (!shared_.new_line) {
      shared_.new_line = builder_.add_rule("new line");
      builder_.define(*shared_.new_line,
                      builder_.sequence({builder_.literal("\n"),
                                         builder_.repeat(builder_.literal(" "), 0, kMaxIndent)}));
      builder_.share(*shared_.new_line);
    }
    return builder_.choice(
        {builder_.empty(), builder_.literal(" "), builder_.rule(*shared_.new_line)});
  }

  // --- arrays ---

  Conjunction element_schemas(const Shape& shape, std::size_t index) {
    Conjunction all;
    for (const ArrayPart& part : shape.arrays) {
      if (index < part.prefix.size()) {
        all.push_back(part.prefix[index]);
      } else if (part.items) {
        all.push_back(*part.items);
      }
    }
    return all;
  }

  Result<ExprId> array_of(const Shape& shape) {
    std::size_t n_prefix = 0;
    bool has_items = shape.arrays.empty();
    for (const ArrayPart& part : shape.arrays) {
      n_prefix = std::max(n_prefix, part.prefix.size());
      has_items = has_items || part.items.has_value();
    }
    // What may follow a prefix unsaid is written only where so many elements are asked for.
    std::uint32_t max = shape.max_items;
    if (!has_items) max = std::min(max, std::max(shape.min_items, as_count(n_prefix)));
    const std::uint32_t min = shape.min_items;
    if (min > max) return builder_.nothing();
    if (max == 0) return builder_.literal("[]");

    const ExprId comma = builder_.sequence({builder_.literal(","), space()});
    const auto element = [&](std::size_t index) {
      const ExprId value = builder_.rule(rule_for(element_schemas(shape, index)));
      return index == 0 ? value : builder_.sequence({comma, value});
    };
    const std::uint32_t n_single = std::min(std::max(as_count(n_prefix), 1U), max);
    ExprId tail = builder_.empty();
    if (max > n_single) {
      tail = builder_.repeat(element(n_single), min > n_single ? min - n_single : 0,
                             max == kUnbounded ? kUnbounded : max - n_single);
    }
    for (std::uint32_t i = n_single; i-- > 0;) {
      tail = builder_.sequence({element(i), tail});
      if (i >= min && i > 0) tail = builder_.optional(tail);
      if (builder_.failed()) return std::unexpected(*builder_.error());
    }
    const ExprId filled =
        builder_.sequence({builder_.literal("["), space(), tail, space(), builder_.literal("]")});
    return min > 0 ? filled : builder_.choice({builder_.literal("[]"), filled});
  }

  static std::uint32_t as_count(std::size_t n) {
    return static_cast<std::uint32_t>(std::min<std::size_t>(n, kMaxRepeats));
  }

  // --- objects ---

  // A kind of member whose name isn't declared.
  struct MoreMembers {
    ExprId key = 0;  // with its quotes
    Conjunction schemas;
  };

  Result<ExprId> object_of(const Shape& shape) {
    std::vector<std::string> names = declared_names(shape);
    JARIP_TRY(const std::optional<Fsm> allowed, allowed_names(shape));
    std::vector<std::pair<ExprId, bool>> members;  // and whether required
    for (const std::string& name : names) {
      work_.spend(shape.required.size());
      const bool is_required = std::ranges::find(shape.required, name) != shape.required.end();
      if (allowed && !matches(*allowed, escape_json(name))) {
        if (is_required) return builder_.nothing();
        continue;
      }
      JARIP_TRY(const Conjunction schemas, member_schemas(shape, name, work_));
      const ExprId key = builder_.literal("\"" + escape_json(name) + "\":");
      members.emplace_back(member(key, schemas), is_required);
      if (builder_.failed()) return std::unexpected(*builder_.error());
    }
    std::vector<MoreMembers> more;
    if (writes_more_members(shape)) {
      JARIP_TRY(more, more_members(shape, names, allowed));
    }
    return write_members(shape, members, more);
  }

  ExprId member(ExprId key, const Conjunction& schemas) {
    return builder_.sequence(
        {key, builder_.optional(builder_.literal(" ")), builder_.rule(rule_for(schemas))});
  }

  // Of propertyNames; nothing where there are none.
  Result<std::optional<Fsm>> allowed_names(const Shape& shape) {
    std::optional<Fsm> all;
    for (const SchemaRef& names : shape.names) {
      JARIP_TRY(const std::vector<Shape> shapes, finder_.shapes_of({names}));
      GrammarBuilder builder(false);
      std::vector<ExprId> parts = {builder.nothing()};
      for (const Shape& one : shapes) {
        if ((one.types & json_type::kString) == 0) continue;
        if (one.values) {
          for (const SchemaRef& value : *one.values) {
            JARIP_TRY(const bool is_valid, fits(value, one, work_));
            if (!is_valid || !value.node->is_string()) continue;
            parts.push_back(add_text(builder, std::string_view(value.node->get_string()),
                                     TextForm::kJsonString));
          }
          continue;
        }
        JARIP_TRY(const Fsm language, string_language(one, work_));
        parts.push_back(add_language(builder, language));
      }
      JARIP_TRY(Fsm language, regular_language(builder, builder.choice(parts), work_));
      if (all) {
        JARIP_TRY(language, intersect(*all, language, work_));
      }
      all = std::move(language);
    }
    return all;
  }

  // Members that aren't declared, by which of the patterns of patternProperties match their names.
  Result<std::vector<MoreMembers>> more_members(const Shape& shape,
                                                const std::vector<std::string>& names,
                                                const std::optional<Fsm>& allowed) {
    std::vector<Fsm> languages;
    for (const ObjectPart& part : shape.objects) {
      for (const auto& [pattern, schema] : part.patterns) {
        JARIP_TRY(Fsm language, names_matching(pattern, work_));
        languages.push_back(std::move(language));
        if (languages.size() > kMaxPatterns) return not_enforced(pattern.path);
      }
    }
    std::vector<MoreMembers> more;
    if (languages.empty() && names.empty() && !allowed) {
      // Any name: the same strings as any other, in whatever way they are written.
      JARIP_TRY(const ExprId key, string_of(Shape{}));
      more.push_back({builder_.sequence({key, builder_.literal(":")}), schemas_for(shape, 0)});
      return more;
    }
    JARIP_TRY(const Fsm undeclared, undeclared_names(names, allowed));
    for (std::uint32_t matched = 0; matched < 1U << languages.size(); ++matched) {
      Fsm language = undeclared;
      for (std::size_t i = 0; i < languages.size(); ++i) {
        const bool is_matched = (matched >> i & 1U) != 0;
        Result<Fsm> rest = is_matched ? intersect(language, languages[i], work_)
                                      : subtract(language, languages[i], work_);
        if (!rest) return schema_error(rest.error().code, shape.path, rest.error().message);
        language = *std::move(rest);
      }
      if (matches_nothing(language) || !says_something(shape, matched)) continue;
      const RuleId key = add_string_rule(fmt::format("names {}", shared_.strings.size()),
                                         add_language(builder_, merge_states(language)));
      more.push_back({builder_.sequence({builder_.rule(key), builder_.literal(":")}),
                      schemas_for(shape, matched)});
    }
    return more;
  }

  Result<Fsm> undeclared_names(const std::vector<std::string>& names,
                               const std::optional<Fsm>& allowed) {
    GrammarBuilder builder(false);
    std::vector<ExprId> declared = {builder.nothing()};
    for (const std::string& name : names) {
      declared.push_back(add_text(builder, name, TextForm::kJsonString));
    }
    JARIP_TRY(const Fsm taken, regular_language(builder, builder.choice(declared), work_));
    if (allowed) return subtract(*allowed, taken, work_);
    const ExprId character =
        add_characters(builder, complement(disputed_characters()), TextForm::kJsonString);
    JARIP_TRY(const Fsm any,
              regular_language(builder, builder.repeat(character, 0, kUnbounded), work_));
    return subtract(any, taken, work_);
  }

  // Of members whose names match these patterns, counted through all parts of the shape.
  static Conjunction schemas_for(const Shape& shape, std::uint32_t matched) {
    Conjunction all;
    std::size_t i = 0;
    for (const ObjectPart& part : shape.objects) {
      bool is_named = false;
      for (const auto& [pattern, schema] : part.patterns) {
        if ((matched >> i++ & 1U) == 0) continue;
        is_named = true;
        all.push_back(schema);
      }
      if (!is_named && part.additional) all.push_back(*part.additional);
    }
    return all;
  }

  // Members that no pattern matches are written only where additionalProperties asks for them.
  static bool says_something(const Shape& shape, std::uint32_t matched) {
    return matched != 0 || shape.objects.empty() ||
           std::ranges::any_of(shape.objects,
                               [](const ObjectPart& part) { return part.additional.has_value(); });
  }

  // States count the members written so far as far as that matters, for each place in the order of
  // the declared ones; behind them, also whether there are enough. Members that aren't declared may
  // share a name, so that only one of them counts towards the least number.
  Result<ExprId> write_members(const Shape& shape,
                               const std::vector<std::pair<ExprId, bool>>& members,
                               const std::vector<MoreMembers>& more) {
    const auto n = static_cast<std::uint32_t>(members.size());
    const std::uint32_t min = shape.min_members;
    const bool is_bounded =
        shape.max_members != kUnbounded && (!more.empty() || shape.max_members < n);
    const std::uint32_t max = is_bounded ? shape.max_members : kUnbounded;
    // Counts beyond are the same.
    const std::uint32_t cap = std::max(1U, is_bounded ? max : min);
    if (min > max || min > n + (more.empty() ? 0U : 1U)) return builder_.nothing();
    if (cap > kMaxCountedMembers) {
      return not_enforced(join_pointer(shape.path, is_bounded ? "maxProperties" : "minProperties"));
    }
    const auto place = [&](std::uint32_t i, std::uint32_t count, bool enough) {
      return 2 + ((i * (cap + 1)) + count) * 2 + (enough ? 1 : 0);
    };
    const ExprId comma = builder_.sequence({builder_.literal(","), space()});
    const ExprId first = space();
    const ExprId nothing = builder_.empty();
    const ExprId closing = builder_.sequence({space(), builder_.literal("}")});
    std::vector<GraphEdge> edges = {{0, place(0, 0, false), builder_.literal("{")}};
    const auto add = [&](std::uint32_t from, std::uint32_t to, std::uint32_t count, ExprId label) {
      edges.push_back({from, to, builder_.sequence({count == 0 ? first : comma, label})});
    };
    for (std::uint32_t count = 0; count <= cap; ++count) {
      const std::uint32_t next = std::min(count + 1, cap);
      const bool is_full = is_bounded && count >= max;
      for (std::uint32_t i = 0; i < n && !builder_.failed(); ++i) {
        const auto& [label, is_required] = members[i];
        const std::uint32_t here = place(i, count, false);
        if (!is_full) add(here, place(i + 1, next, false), count, label);
        if (!is_required) edges.push_back({here, place(i + 1, count, false), nothing});
      }
      for (const bool has_more : {false, true}) {
        const std::uint32_t here = place(n, count, has_more);
        const bool is_enough = has_more || count >= min;
        if (is_enough) edges.push_back({here, 1, count == 0 ? builder_.literal("}") : closing});
        const bool may_have_more = has_more || count + 1 >= min;
        for (const MoreMembers& kind : more) {
          if (is_full || !may_have_more) continue;
          add(here, place(n, next, true), count, member(kind.key, kind.schemas));
        }
      }
    }
    return builder_.graph(place(n, cap, true) + 1, edges);
  }

  // --- members one by one, without an object around them ---

  Result<ExprId> tagged_members(const Shape& shape, const TaggedOptions& options) {
    const std::vector<std::string> names = declared_names(shape);
    if (!options.is_loose) JARIP_CHECK(check_tagged(shape, names.size()));
    std::vector<ExprId> parts;
    for (const std::string& name : names) {
      work_.spend(shape.required.size());
      JARIP_TRY(const Conjunction schemas, member_schemas(shape, name, work_));
      JARIP_TRY(const ExprId value, tagged_value(schemas, options));
      const ExprId member =
          builder_.sequence({options.marks.before_key, builder_.literal(name), value});
      const bool is_required =
          !options.is_loose && std::ranges::find(shape.required, name) != shape.required.end();
      parts.push_back(is_required ? member : builder_.optional(member));
      if (builder_.failed()) return std::unexpected(*builder_.error());
    }
    return builder_.sequence(parts);
  }

  static Result<void> check_tagged(const Shape& shape, std::size_t n_names) {
    if (shape.values) return not_enforced(join_pointer(shape.path, "enum"));
    if (!shape.names.empty()) return not_enforced(shape.names[0].path);
    if (shape.min_members > shape.required.size()) {
      return not_enforced(join_pointer(shape.path, "minProperties"));
    }
    if (shape.max_members < n_names) {
      return not_enforced(join_pointer(shape.path, "maxProperties"));
    }
    return {};
  }

  // From behind the name. Where a value may be a string or something else, only the text tells.
  Result<ExprId> tagged_value(const Conjunction& schemas, const TaggedOptions& options) {
    const TaggedMarks& marks = options.marks;
    JARIP_TRY(std::vector<Shape> shapes, finder_.shapes_of(schemas));
    const std::uint8_t types = types_of(shapes);
    if (options.is_loose) {
      shapes = {Shape{}};
      shapes[0].types = types;
    }
    const std::uint8_t others = types & ~json_type::kString;
    const bool all_free = are_free(shapes, others);
    if (all_free && is_free(shapes, json_type::kString)) {
      JARIP_TRY(const ExprId any, add_plain_string(builder_, Shape{}, types, marks.end, work_));
      return builder_.sequence({marks.before_text, any, marks.rest});
    }
    std::vector<ExprId> parts = {builder_.nothing()};
    for (const Shape& shape : shapes) {
      const std::uint8_t own = types_of({&shape, 1});
      if ((own & json_type::kString) != 0) {
        if (!all_free && !shape.values) return cannot_tell(schemas);
        JARIP_TRY(const ExprId text, add_plain_string(builder_, shape, types, marks.end, work_));
        parts.push_back(builder_.sequence({marks.before_text, text, marks.rest}));
      }
      if ((own & others) == 0) continue;
      // Its own strings could have the mark in them, which ends what may be a string.
      const bool has_strings = (own & (json_type::kArray | json_type::kObject)) != 0;
      if (others != types && has_strings) return cannot_tell(schemas);
      JARIP_TRY(const ExprId json, tagged_json(shape, others, schemas, shapes.size() == 1));
      parts.push_back(builder_.sequence({marks.before_json, json, end_of(marks), marks.rest}));
    }
    return builder_.choice(parts);
  }

  Result<ExprId> tagged_json(Shape shape, std::uint8_t types, const Conjunction& schemas,
                             bool is_only) {
    const std::uint8_t meant = shape.values ? shape.types : shape.meant_types();
    if (is_only && (meant & types) == meant) return builder_.rule(rule_for(schemas));
    shape.types = meant & types;
    return value_of(shape);
  }

  ExprId end_of(const TaggedMarks& marks) {
    std::vector<ExprId> closes;
    for (const std::string& close : marks.end.closes) closes.push_back(builder_.literal(close));
    return builder_.sequence({builder_.literal(marks.end.space), builder_.choice(closes)});
  }

  static bool are_free(std::span<const Shape> shapes, std::uint8_t types) {
    for (unsigned bit = 1; bit <= json_type::kObject; bit <<= 1U) {
      const auto type = static_cast<std::uint8_t>(types & bit);
      if (type != 0 && !is_free(shapes, type)) return false;
    }
    return true;
  }

  static std::unexpected<Error> cannot_tell(const Conjunction& schemas) {
    return schema_error(ErrorCode::kUnsupported, schemas.empty() ? "#" : schemas[0].path,
                        "a string can't be told from other values here, as this model writes them");
  }

  const SchemaDocument& document_;
  ShapeFinder finder_;
  GrammarBuilder& builder_;
  std::map<std::vector<const boost::json::value*>, RuleId> rules_;
  std::vector<std::pair<RuleId, Conjunction>> pending_;
  SharedSchemaRules& shared_;
  CompileWork& work_;
};

}  // namespace

Result<RuleId> parse_json_schema(std::string_view text, GrammarBuilder& builder,
                                 SharedSchemaRules& shared, CompileWork& work) {
  JARIP_TRY(const SchemaDocument document, SchemaDocument::parse(text));
  return SchemaWriter(document, builder, shared, work).write();
}

Result<ExprId> parse_tagged_members(std::string_view text, const TaggedOptions& options,
                                    GrammarBuilder& builder, SharedSchemaRules& shared,
                                    CompileWork& work) {
  JARIP_TRY(const SchemaDocument document, SchemaDocument::parse(text));
  return SchemaWriter(document, builder, shared, work).write_tagged(options);
}

}  // namespace jarip
