// Any bytes as what a hub answers: the lines of its head, and its listing of a repository.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "app/model_source.h"
#include "net/http_fetch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  jarip::FetchHead head;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    head.read_line(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  for (const char* format : {"", "Q4_K_M"}) {
    const auto file =
        jarip::choose_file({.repository = "o/r", .revision = "main", .format = format}, text);
    if (file && !file->ends_with(".gguf")) std::abort();
  }
  const jarip::Hub hub;
  if (const auto source = jarip::parse_model_source(text, hub)) {
    const auto* at = std::get_if<jarip::UrlSource>(&*source);
    if (at != nullptr && at->is_at_hub && !at->url.starts_with(hub.endpoint)) std::abort();
  }
  return 0;
}
