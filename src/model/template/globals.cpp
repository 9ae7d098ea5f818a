// The global functions, and the objects that some of them make.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string>

#include "model/template/access.h"
#include "model/template/arguments.h"
#include "model/template/builtins.h"
#include "model/template/print.h"

namespace jarip::jinja {
namespace {

constexpr std::uint64_t kMaxRange = 100'000;  // as Jinja's sandbox has it

Result<Value> range(Runtime& runtime, const Value&, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("range", arguments, {"", "", ""}, 1));
  JARIP_CHECK(runtime.budget.charge(1));
  Range range;
  const bool only_stop = args[1] == nullptr;
  JARIP_TRY(range.start, args.integer(0, 0));
  JARIP_TRY(range.stop, args.integer(only_stop ? 0 : 1, 0));
  JARIP_TRY(range.step, args.integer(2, 1));
  if (only_stop) range.start = 0;
  if (range.step == 0) return type_error("the step of range() can't be zero");
  const auto size = static_cast<std::uint64_t>(range.size());
  if (size > kMaxRange) return too_large(fmt::format("range() is limited to {}", kMaxRange));
  bool from_input = false;
  for (const Value& value : arguments.positional) from_input = from_input || value.from_input();
  return Value(std::make_shared<const Range>(range), from_input);
}

// The entries that dict(…) and namespace(…) take: a mapping or pairs, then named ones.
Result<Dict> collect_entries(Runtime& runtime, std::string_view function,
                             const Arguments& arguments) {
  if (arguments.positional.size() > 1) {
    return type_error(fmt::format("{} takes at most one mapping", function));
  }
  Dict out;
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.dict() != nullptr) {
      JARIP_CHECK(runtime.budget.charge(source.dict()->entries().size()));
      for (const auto& [key, value] : source.dict()->entries()) out.set(key, value);
    } else {
      JARIP_TRY(const std::vector<Value> pairs, iterate(runtime, source));
      for (const Value& pair : pairs) {
        JARIP_TRY(const std::vector<Value> parts, iterate(runtime, pair));
        if (parts.size() != 2) return type_error(fmt::format("{} takes pairs", function));
        if (Result<std::size_t> hash = hash_of(parts[0]); !hash) {
          return std::unexpected(hash.error());
        }
        out.set(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) out.set(Value::from(name), value);
  JARIP_CHECK(runtime.budget.check_depth(out.depth()));
  return out;
}

Result<Value> dict(Runtime& runtime, const Value&, const Arguments& arguments) {
  JARIP_TRY(Dict entries, collect_entries(runtime, "dict()", arguments));
  return make_dict(runtime.budget, std::move(entries));
}

Result<Value> make_namespace(Runtime& runtime, const Value&, const Arguments& arguments) {
  JARIP_CHECK(runtime.budget.charge(1));
  JARIP_TRY(Dict entries, collect_entries(runtime, "namespace()", arguments));
  auto* made = runtime.make<Namespace>();
  made->attributes = std::move(entries);
  return Value(static_cast<Object*>(made), false);
}

Result<Value> cycler(Runtime& runtime, const Value&, const Arguments& arguments) {
  JARIP_CHECK(runtime.budget.charge(arguments.positional.size() + 1));
  if (!arguments.named.empty()) return type_error("cycler() takes no named arguments");
  if (arguments.positional.empty()) return type_error("cycler() takes at least one item");
  auto* made = runtime.make<Cycler>();
  made->items = arguments.positional;
  return Value(static_cast<Object*>(made), false);
}

Result<Value> joiner(Runtime& runtime, const Value&, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("joiner()", arguments, {"sep"}));
  JARIP_CHECK(runtime.budget.charge(1));
  auto* made = runtime.make<Joiner>();
  made->separator = args[0] == nullptr ? Value::literal(", ") : *args[0];
  return Value(static_cast<Object*>(made), false);
}

Result<Value> raise_exception(Runtime& runtime, const Value&, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("raise_exception()", arguments, {"message"}, 1));
  JARIP_TRY(const Text message, to_text(runtime.budget, *args[0]));
  return fail(ErrorCode::kInvalidArgument, std::string(message.view()));
}

Result<Value> lipsum(Runtime&, const Value&, const Arguments&) {
  return unsupported("lipsum() is not supported: its text is random");
}

// strftime() knows neither microseconds nor the missing time zone of datetime.now().
std::string without_python_codes(std::string_view format) {
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const bool code = format[i] == '%' && i + 1 < format.size();
    if (!code) {
      out.push_back(format[i]);
      continue;
    }
    const char letter = format[++i];
    if (letter == 'f') {
      out += "000000";
    } else if (letter != 'z' && letter != 'Z') {
      out.push_back('%');
      out.push_back(letter);
    }
  }
  return out;
}

Result<Value> strftime_now(Runtime& runtime, const Value&, const Arguments& arguments) {
  JARIP_TRY(const auto args, BoundArguments::bind("strftime_now()", arguments, {"format"}, 1));
  JARIP_TRY(const Text* format, args.text(0));
  constexpr std::size_t kMaxFormat = 1000;
  if (format->size() > kMaxFormat) return too_large("strftime_now()'s format is too long");
  std::tm local{};
  if (localtime_r(&runtime.now, &local) == nullptr) return type_error("the time is out of range");
  // A letter at the end tells an empty result from a failure.
  const std::string pattern = without_python_codes(format->view()) + "x";
  std::string out(64 * kMaxFormat, '\0');
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat-nonliteral"
  const std::size_t n = std::strftime(out.data(), out.size(), pattern.c_str(), &local);
#pragma clang diagnostic pop
  if (n == 0) return type_error("strftime_now()'s format is invalid");
  out.resize(n - 1);
  return Value::from(Text(std::move(out), format->any_from_input()));
}

Result<Value> cycler_next(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("next", arguments, {}));
  auto* cycler = self.object_as<Cycler>();
  Value current = cycler->items[cycler->position];
  cycler->position = (cycler->position + 1) % cycler->items.size();
  return current;
}

Result<Value> cycler_reset(Runtime&, const Value& self, const Arguments& arguments) {
  JARIP_TRY([[maybe_unused]] const auto args, BoundArguments::bind("reset", arguments, {}));
  self.object_as<Cycler>()->position = 0;
  return Value::none();
}

constexpr auto kGlobals = std::to_array<Builtin>({
    {"cycler", cycler},
    {"dict", dict},
    {"joiner", joiner},
    {"lipsum", lipsum},
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"range", range},
    {"strftime_now", strftime_now},
});

}  // namespace

Result<std::optional<Value>> Namespace::attribute(Runtime&, std::string_view name) {
  const Value* found = attributes.find(name);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

Result<std::optional<Value>> Cycler::attribute(Runtime&, std::string_view name) {
  const Value self(static_cast<Object*>(this), false);
  if (name == "next") return make_method(self, "next", cycler_next);
  if (name == "reset") return make_method(self, "reset", cycler_reset);
  if (name == "current") return items[position];
  return std::nullopt;
}

Result<std::optional<Value>> Joiner::attribute(Runtime&, std::string_view name) {
  if (name == "sep") return separator;
  if (name == "used") return Value::from(used);
  return std::nullopt;
}

std::optional<Value> find_global(std::string_view name) {
  const auto* found = std::ranges::find(kGlobals, name, &Builtin::name);
  if (found == kGlobals.end()) return std::nullopt;
  return make_method(Value(), found->name, found->body);
}

}  // namespace jarip::jinja
