// What templates compute with: Python's values as far as templates can see them. Values are
// immutable and share their contents, so copies are cheap; what changes (namespaces, loops) are
// Objects, which the rendering owns. One thread at a time.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/template/budget.h"
#include "model/template/text.h"

namespace jarip::jinja {

class Dict;
class Object;
class Value;
struct Function;
struct Iterator;
struct Range;
struct Sequence;

// Prints as nothing; most uses of it fail with the message.
struct Undefined {
  std::shared_ptr<const std::string> message;
};
struct None {};
struct String {
  std::shared_ptr<const Text> text;
  bool is_markup = false;  // what the filters safe and escape return: adding to it escapes
};

class Value {
 public:
  using Content = std::variant<Undefined, None, bool, std::int64_t, double, String,
                               std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>,
                               std::shared_ptr<const Range>, std::shared_ptr<Iterator>,
                               std::shared_ptr<const Function>, Object*>;

  Value() = default;
  Value(Content content, bool from_input) : content_(std::move(content)), from_input_(from_input) {}

  static Value undefined(std::string message);
  static Value none() { return {None{}, false}; }
  static Value from(bool value) { return {Content(value), false}; }
  static Value from(std::int64_t value, bool from_input) { return {Content(value), from_input}; }
  static Value from(double value, bool from_input) { return {Content(value), from_input}; }
  static Value from(Text text, bool is_markup = false);
  static Value literal(std::string_view text) { return from(Text(std::string(text), false)); }

  template <class T>
  [[nodiscard]] const T* get() const {
    return std::get_if<T>(&content_);
  }
  [[nodiscard]] const Text* text() const {
    const auto* string = get<String>();
    return string == nullptr ? nullptr : string->text.get();
  }
  [[nodiscard]] const Sequence* sequence() const { return pointee<const Sequence>(); }
  [[nodiscard]] const Dict* dict() const { return pointee<const Dict>(); }
  [[nodiscard]] const Range* range() const { return pointee<const Range>(); }
  [[nodiscard]] Iterator* iterator() const { return pointee<Iterator>(); }
  [[nodiscard]] const Function* function() const { return pointee<const Function>(); }
  [[nodiscard]] Object* object() const {
    const auto* object = get<Object*>();
    return object == nullptr ? nullptr : *object;
  }
  template <class T>
  [[nodiscard]] T* object_as() const {
    return dynamic_cast<T*>(object());
  }

  [[nodiscard]] bool is_undefined() const { return get<Undefined>() != nullptr; }
  [[nodiscard]] bool is_none() const { return get<None>() != nullptr; }
  [[nodiscard]] bool is_markup() const {
    return get<String>() != nullptr && get<String>()->is_markup;
  }
  // bool is an int, as in Python.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  // Of a bool, an int or a float.
  [[nodiscard]] std::optional<double> number() const;

  // Of scalars and of the brackets that containers print; a string knows better (Text).
  [[nodiscard]] bool from_input() const { return from_input_; }
  // Levels of containers inside, itself included; 0 for scalars.
  [[nodiscard]] std::uint32_t depth() const;
  [[nodiscard]] const Content& content() const { return content_; }

 private:
  template <class T>
  [[nodiscard]] T* pointee() const {
    const auto* pointer = get<std::shared_ptr<T>>();
    return pointer == nullptr ? nullptr : pointer->get();
  }

  Content content_;
  bool from_input_ = false;
};

struct Sequence {
  enum class Type : std::uint8_t { kList, kTuple, kGroup, kKeys, kValues, kItems };
  Type type = Type::kList;
  std::vector<Value> items;
  std::uint32_t depth = 1;

  // A tuple, or what groupby yields: a tuple whose parts also have names.
  [[nodiscard]] bool is_tuple() const { return type == Type::kTuple || type == Type::kGroup; }
  [[nodiscard]] bool is_view() const { return type >= Type::kKeys; }
};

// What generator expressions and reversed() yield: read once. What went wrong while it was made
// is an error only for who reads that far, as in Python.
struct Iterator {
  std::vector<Value> items;
  std::size_t next = 0;
  std::optional<Error> failure;  // after the items
  std::uint32_t depth = 1;
};

struct Range {
  std::int64_t start = 0;
  std::int64_t stop = 0;
  std::int64_t step = 1;
  [[nodiscard]] std::int64_t size() const;
  [[nodiscard]] std::int64_t at(std::int64_t i) const;
};

// Keeps the order of insertion. Keys are hashable: hash_of() succeeded on them.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] const Value* find(const Value& key) const;
  [[nodiscard]] const Value* find(std::string_view key) const;
  void set(Value key, Value value);
  [[nodiscard]] std::uint32_t depth() const { return depth_; }

 private:
  [[nodiscard]] std::size_t locate(const Value& key, std::size_t hash) const;
  static constexpr std::size_t kSearchedInOrder = 8;  // entries that need no index
  std::vector<Entry> entries_;
  std::unordered_multimap<std::size_t, std::size_t> index_;  // hash to entry
  std::uint32_t depth_ = 1;
};

struct Runtime;

struct NamedArgument {
  Text name;  // of the template, or a key of the input after "**"
  Value value;
  [[nodiscard]] std::string_view id() const { return name.view(); }
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<NamedArgument> named;
};

// A global function, or a method bound to its value.
struct Function {
  using Body = Result<Value> (*)(Runtime&, const Value& self, const Arguments&);
  std::string name;
  Body body = nullptr;
  Value self;
};

// Something with identity and state. Owned by the Runtime.
class Object {
 public:
  virtual ~Object() = default;
  [[nodiscard]] virtual std::string_view type_name() const = 0;
  // Nothing if there is none of this name.
  [[nodiscard]] virtual Result<std::optional<Value>> attribute(Runtime& runtime,
                                                               std::string_view name) = 0;
};

class Namespace final : public Object {
 public:
  [[nodiscard]] std::string_view type_name() const override { return "Namespace"; }
  [[nodiscard]] Result<std::optional<Value>> attribute(Runtime& runtime,
                                                       std::string_view name) override;
  Dict attributes;
};

class Cycler final : public Object {
 public:
  [[nodiscard]] std::string_view type_name() const override { return "Cycler"; }
  [[nodiscard]] Result<std::optional<Value>> attribute(Runtime& runtime,
                                                       std::string_view name) override;
  std::vector<Value> items;
  std::size_t position = 0;
};

class Joiner final : public Object {
 public:
  [[nodiscard]] std::string_view type_name() const override { return "Joiner"; }
  [[nodiscard]] Result<std::optional<Value>> attribute(Runtime& runtime,
                                                       std::string_view name) override;
  Value separator;
  bool used = false;
};

// What every built-in function may use of the rendering it runs in.
struct Runtime {
  Budget budget;
  std::time_t now = 0;
  std::vector<std::unique_ptr<Object>> objects;

  template <class T>
  T* make() {
    auto object = std::make_unique<T>();
    T* borrowed = object.get();
    objects.push_back(std::move(object));
    return borrowed;
  }
};

// Containers, charged for and checked for depth.
[[nodiscard]] Result<Value> make_sequence(Budget& budget, Sequence::Type type,
                                          std::vector<Value> items, bool from_input = false);
[[nodiscard]] Result<Value> make_list(Budget& budget, std::vector<Value> items,
                                      bool from_input = false);
// ended: whether all items could be made.
[[nodiscard]] Result<Value> make_iterator(Budget& budget, std::vector<Value> items,
                                          Result<void> ended = {});
[[nodiscard]] Result<Value> make_dict(Budget& budget, Dict dict, bool from_input = false);
[[nodiscard]] Value make_method(const Value& self, std::string_view name, Function::Body body);

[[nodiscard]] bool truthy(const Value& value);
// Python's name of the type, for messages.
[[nodiscard]] std::string_view type_name(const Value& value);

[[nodiscard]] Result<bool> equals(Budget& budget, const Value& a, const Value& b);
[[nodiscard]] bool is_same(const Value& a, const Value& b);  // the operator "is"
enum class Order : std::uint8_t { kLess, kLessEqual, kGreater, kGreaterEqual };
[[nodiscard]] Result<bool> ordered(Budget& budget, const Value& a, Order order, const Value& b);
[[nodiscard]] Result<std::size_t> hash_of(const Value& key);

// Errors, each of one kind.
[[nodiscard]] std::unexpected<Error> type_error(std::string message);
[[nodiscard]] std::unexpected<Error> unsupported(std::string message);
[[nodiscard]] std::unexpected<Error> too_large(std::string message);
[[nodiscard]] std::unexpected<Error> undefined_error(const Value& value);

}  // namespace jarip::jinja
