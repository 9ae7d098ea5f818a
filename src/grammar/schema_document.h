// A JSON Schema as it was given: its parts by place, and where its references lead. Owned by one
// compilation; parts are borrowed from it.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip {

// A schema inside the document. The path ("#/properties/a") names it in errors.
struct SchemaRef {
  const boost::json::value* node = nullptr;
  std::string path;

  [[nodiscard]] SchemaRef at(std::string_view key) const;  // an object's member, which exists
  [[nodiscard]] SchemaRef at(std::size_t index) const;     // a list's element, which exists
};

[[nodiscard]] std::string join_pointer(std::string_view path, std::string_view key);

// "… (at #/properties/a/not)", with the path as `where`.
[[nodiscard]] std::unexpected<Error> schema_error(ErrorCode code, std::string_view path,
                                                  std::string_view message);
[[nodiscard]] std::unexpected<Error> not_enforced(std::string_view path);

class SchemaDocument {
 public:
  // Errors: kInvalidArgument (not JSON, too deep).
  [[nodiscard]] static Result<SchemaDocument> parse(std::string_view text);

  [[nodiscard]] SchemaRef root() const { return {&root_, "#"}; }

  // "#", "#/$defs/x", "#anchor". Errors: kUnsupported (another document), kInvalidArgument
  // (nothing there), at the path of the reference.
  [[nodiscard]] Result<SchemaRef> resolve(std::string_view reference, std::string_view path) const;
  // How long that takes: anchors are looked for everywhere.
  [[nodiscard]] std::size_t steps_to(std::string_view reference) const {
    const bool is_anchor = reference.size() > 1 && reference[1] != '/';
    return is_anchor ? n_bytes_ : reference.size();
  }

 private:
  [[nodiscard]] const boost::json::value* find_anchor(std::string_view name) const;

  boost::json::value root_;
  std::size_t n_bytes_ = 0;  // of its text
};

}  // namespace jarip
