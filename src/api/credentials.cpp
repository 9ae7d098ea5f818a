#include "api/credentials.h"

#include <algorithm>
#include <string_view>

namespace jarip {
namespace {

// The value of the only field of this name; null when there is none.
Result<const std::string*> only_field(const Request& request, std::string_view name) {
  const std::string* found = nullptr;
  for (const HttpField& field : request.headers) {
    if (field.name != name) continue;
    if (found != nullptr) {
      return fail(ErrorCode::kUnauthorized,
                  "there is more than one " + std::string(name) + " header");
    }
    found = &field.value;
  }
  return found;
}

// Scheme and key; nothing behind the key.
Result<std::string> bearer_key(std::string_view value) {
  constexpr std::string_view kScheme = "bearer";
  const std::string_view scheme = value.substr(0, value.find(' '));
  const bool is_bearer = std::ranges::equal(scheme, kScheme, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
  });
  if (!is_bearer) {
    return fail(ErrorCode::kUnauthorized,
                "the Authorization header must be \"Bearer KEY\", and is of another scheme");
  }
  value.remove_prefix(scheme.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return std::string(value);
}

}  // namespace

Result<std::string> presented_key(const Request& request) {
  JARIP_TRY(const std::string* authorization, only_field(request, "authorization"));
  JARIP_TRY(const std::string* plain, only_field(request, "x-api-key"));
  std::string key;
  if (authorization != nullptr) {
    JARIP_TRY(key, bearer_key(*authorization));
  }
  if (plain == nullptr || plain->empty()) return key;
  if (!key.empty() && key != *plain) {
    return fail(ErrorCode::kUnauthorized,
                "the Authorization and x-api-key headers hold different keys; send one of them");
  }
  return *plain;
}

}  // namespace jarip
