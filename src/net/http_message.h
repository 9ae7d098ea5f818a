// An HTTP request as it was read and a response as it will be written. Values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jarip {

struct HttpField {
  std::string name;  // lower case
  std::string value;
};

struct Request {
  std::string method;  // as sent; methods are case-sensitive
  std::string path;    // percent-decoded, begins with '/'
  std::string query;   // as sent, without '?'
  std::vector<HttpField> headers;
  std::string body;
  std::string peer;            // address and port
  std::string allowed_origin;  // the Origin of an allowed page of elsewhere; empty: none

  // The first field of this name (lower case), or null.
  [[nodiscard]] const std::string* find_header(std::string_view name) const {
    for (const HttpField& field : headers) {
      if (field.name == name) return &field.value;
    }
    return nullptr;
  }
};

// content-length, transfer-encoding, connection and date are net's own to write.
struct Response {
  int status = 200;
  std::vector<HttpField> headers;
  std::string body;
};

// A request that net itself turns away, before any handler sees it.
struct Refusal {
  int status = 400;
  std::string message;  // one sentence for the person
};

}  // namespace jarip
