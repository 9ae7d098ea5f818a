#include "api/token_logprobs.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "api/json_body.h"

namespace jarip {
namespace {

constexpr float kLowestLogprob = -9999.0F;

void append_token(std::string& out, const TokenDetail::Choice& choice) {
  fmt::format_to(std::back_inserter(out), R"("token":{},"logprob":{},"bytes":[)",
                 json_string_of_bytes(choice.bytes), logprob_json(choice.logprob));
  for (std::size_t i = 0; i < choice.bytes.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "" : ",",
                   static_cast<unsigned char>(choice.bytes[i]));
  }
  out += ']';
}

}  // namespace

std::string logprob_json(float logprob) {
  return fmt::format("{}", std::isfinite(logprob) ? logprob : kLowestLogprob);
}

std::string token_logprobs_json(std::span<const TokenDetail> details) {
  std::string out = "[";
  for (const TokenDetail& detail : details) {
    out += out.ends_with('[') ? "{" : ",{";
    append_token(out, detail.chosen);
    out += R"(,"top_logprobs":[)";
    for (std::size_t i = 0; i < detail.alternatives.size(); ++i) {
      out += i == 0 ? "{" : ",{";
      append_token(out, detail.alternatives[i]);
      out += '}';
    }
    out += "]}";
  }
  return out + "]";
}

}  // namespace jarip
