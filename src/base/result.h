// Error values. Everything that can fail because of what came from outside returns a Result.
// Values only; no thread owns them.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace jarip {

// What went wrong, one meaning each. api/ maps codes to HTTP statuses in one table; cli/ maps them
// to exit codes.
enum class ErrorCode {
  kInvalidArgument,   // a value that the person gave is wrong; `where` names the field or option
  kUnsupported,       // well-formed, but this build or model can't honour it exactly
  kUnauthorized,      // no key where one is needed, or one that isn't good
  kForbidden,         // a good key that may not do this
  kLimitReached,      // a key has used what it may; later, or never again
  kNotFound,          // a model, file, route or id that isn't there
  kMethodNotAllowed,  // HTTP only: the path exists, the method doesn't
  kTooLarge,          // a body, header, document or count above its limit
  kContextOverflow,   // prompt and answer don't fit the context
  kCorrupt,           // bytes that don't say what they claim to (model files, stored records)
  kIo,                // the system refused: open, read, write, bind
  kUnavailable,       // not now: loading, queue full, stopping
  kTimeout,           // a deadline passed
  kCancelled,         // the caller gave up
  kInternal,          // our own mistake
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one sentence for the person: what is wrong and what to do
  std::string where;    // the offending field, option, key, tensor or offset; may be empty
  // kUnavailable: when it may be worth another try; 0: not known.
  std::uint32_t retry_after_s = 0;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message,
                                                 std::string where = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(where)});
}

}  // namespace jarip

#define JARIP_CONCAT_INNER(a, b) a##b
#define JARIP_CONCAT(a, b) JARIP_CONCAT_INNER(a, b)

// JARIP_TRY(auto x, f()): declares x from f()'s value, or returns f()'s error. A declaration can't
// be put in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define JARIP_TRY(declaration, expression)                                         \
  auto JARIP_CONCAT(jarip_try_, __LINE__) = (expression);                          \
  if (!JARIP_CONCAT(jarip_try_, __LINE__))                                         \
    return std::unexpected(std::move(JARIP_CONCAT(jarip_try_, __LINE__)).error()); \
  declaration = *std::move(JARIP_CONCAT(jarip_try_, __LINE__))
// NOLINTEND(bugprone-macro-parentheses)

// JARIP_CHECK(f()): the same for Result<void>.
#define JARIP_CHECK(expression)                                      \
  do {                                                               \
    if (auto jarip_check_result = (expression); !jarip_check_result) \
      return std::unexpected(std::move(jarip_check_result).error()); \
  } while (false)
