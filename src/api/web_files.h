// The page's files inside the program, compressed, as made by tools/embed_web.py at build time.
// Constant for the life of the process; any thread may read them.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace jarip {

struct WebFile {
  std::string_view path;  // from the root, with its slash: /index.html
  std::string_view content_type;
  std::string_view etag;  // of the plain bytes, with its quotes
  std::span<const std::byte> gzip_bytes;
  bool immutable = false;  // the name holds a hash of the content: a client may keep it forever
};

// Sorted by path.
[[nodiscard]] std::span<const WebFile> web_files();

}  // namespace jarip
