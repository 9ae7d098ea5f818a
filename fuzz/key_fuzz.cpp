// Any bytes as the headers that hold a key: one value for each line, its first byte says where.
// Whatever they say, at most one key comes of them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/credentials.h"
#include "app/api_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  jarip::Request request;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.empty()) continue;
    const char* const name = line.front() % 2 == 0 ? "authorization" : "x-api-key";
    request.headers.push_back({name, std::string(line.substr(1))});
  }
  const auto key = jarip::presented_key(request);
  if (!key || key->empty()) return 0;
  bool is_shown = false;
  for (const auto& field : request.headers) is_shown = is_shown || field.value.ends_with(*key);
  if (!is_shown) std::abort();
  if (const auto prefix = jarip::prefix_of_key(*key)) {
    if (!jarip::is_key_prefix(*prefix) || !key->starts_with(*prefix)) std::abort();
  }
  return 0;
}
