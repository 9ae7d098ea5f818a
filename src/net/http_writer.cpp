#include "net/http_writer.h"

#include <fmt/format.h>

#include <iterator>

namespace jarip {
namespace {

struct StatusRow {
  int status;
  std::string_view reason;
};

constexpr StatusRow kStatuses[] = {
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

std::string_view reason_of(int status) {
  for (const StatusRow& row : kStatuses) {
    if (row.status == status) return row.reason;
  }
  return "";
}

}  // namespace

bool status_has_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string http_date(std::time_t time) {
  constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[utc.tm_wday], utc.tm_mday,
                     kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string encode_response_head(const Response& response, Framing framing, Persistence persistence,
                                 std::time_t now) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\n", response.status,
                                reason_of(response.status), http_date(now));
  if (framing == Framing::kChunked) {
    out += "transfer-encoding: chunked\r\n";
  } else if (framing == Framing::kLength && status_has_body(response.status)) {
    fmt::format_to(std::back_inserter(out), "content-length: {}\r\n", response.body.size());
  }
  if (persistence == Persistence::kClose) out += "connection: close\r\n";
  if (persistence == Persistence::kKeepAlive) out += "connection: keep-alive\r\n";
  for (const HttpField& field : response.headers) {
    if (field.value.find_first_of("\r\n") != std::string::npos) continue;
    fmt::format_to(std::back_inserter(out), "{}: {}\r\n", field.name, field.value);
  }
  out += "\r\n";
  return out;
}

}  // namespace jarip
