#include "app/model_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <fstream>
#include <vector>

namespace jarip {
namespace {

constexpr std::string_view kExtension = ".gguf";
constexpr std::string_view kMain = "main";
// What is good enough for most and fits most machines, the best first.
constexpr std::string_view kFormatsToBeginWith[] = {"Q4_K_M", "Q8_0", "Q4_0", "Q6_K", "Q5_K_M"};
constexpr std::size_t kMostFilesNamed = 20;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

bool is_plain(std::string_view text) {
  return !text.empty() && !text.starts_with('.') && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(mark);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::unexpected<Error> bad_source(std::string_view text) {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" names no model to fetch: write a name that `jarip pull` lists, "
                          "hf:OWNER/REPO/FILE, hf:OWNER/REPO:FORMAT, or an address with https://",
                          text),
              "source");
}

// Percent-encodes what a path may not hold, slashes aside.
std::string encoded(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool stays = is_plain({&c, 1}) || c == '.' || c == '/' || c == '~';
    out += stays ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// "Model-Q4_K_M.gguf" and "model.q4_k_m-00001-of-00002.gguf" have the format q4_k_m.
bool has_format(std::string_view file, std::string_view format) {
  const std::string name = lower(file);
  const std::string mark = lower(format);
  for (std::size_t at = name.find(mark); at != std::string::npos; at = name.find(mark, at + 1)) {
    const std::string_view behind = std::string_view(name).substr(at + mark.size());
    const bool begins = at == 0 || std::string_view("-._/").contains(name[at - 1]);
    if (begins && (behind == kExtension || behind.starts_with("-0"))) return true;
  }
  return false;
}

// OWNER/REPO[@REVISION][/FILE… | :FORMAT]
Result<ModelSource> parse_repository(std::string_view text, std::string_view whole,
                                     const Hub& hub) {
  const std::vector<std::string_view> parts = split(text, '/');
  if (parts.size() < 2) return bad_source(whole);
  std::string_view name = parts[1];
  RepositorySource source{.repository = {}, .revision = std::string(kMain), .format = {}};
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    if (parts.size() > 2) return bad_source(whole);
    source.format = name.substr(colon + 1);
    name = name.substr(0, colon);
    if (!is_plain(source.format)) return bad_source(whole);
  }
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    source.revision = name.substr(at + 1);
    name = name.substr(0, at);
    if (!is_plain(source.revision)) return bad_source(whole);
  }
  if (!is_plain(parts[0]) || !is_plain(name)) return bad_source(whole);
  source.repository = fmt::format("{}/{}", parts[0], name);
  if (parts.size() == 2) return source;
  const std::string_view file = text.substr(parts[0].size() + 1 + parts[1].size() + 1);
  if (!file.ends_with(kExtension)) return bad_source(whole);
  return file_of_repository(source, file, hub);
}

// A page of the hub shows a file at /OWNER/REPO/blob/REVISION/FILE, and gives it out at /resolve/.
Result<ModelSource> parse_hub_path(std::string_view path, std::string_view whole, const Hub& hub) {
  path = path.substr(0, path.find_first_of("?#"));
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::vector<std::string_view> parts = split(path, '/');
  if (parts.size() == 2 || (parts.size() == 4 && parts[2] == "tree")) {
    const std::string at = parts.size() == 4 ? fmt::format("@{}", parts[3]) : "";
    return parse_repository(fmt::format("{}/{}{}", parts[0], parts[1], at), whole, hub);
  }
  if (parts.size() < 5 || (parts[2] != "blob" && parts[2] != "resolve")) return bad_source(whole);
  return UrlSource{.url = fmt::format("{}/{}/{}/resolve/{}", hub.endpoint, parts[0], parts[1],
                                      fmt::join(parts.begin() + 3, parts.end(), "/")),
                   .is_at_hub = true};
}

}  // namespace

Hub hub_of(const Environment& environment) {
  Hub hub;
  const auto value = [&](const char* name) {
    const char* text = environment(name);
    return std::string(text == nullptr ? "" : text);
  };
  if (std::string endpoint = value("HF_ENDPOINT"); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    hub.endpoint = endpoint;
    hub.is_mirror = true;
  }
  hub.token = value("HF_TOKEN");
  if (!hub.token.empty()) return hub;
  std::filesystem::path file = value("HF_TOKEN_PATH");
  if (file.empty() && !value("HF_HOME").empty()) {
    file = std::filesystem::path(value("HF_HOME")) / "token";
  } else if (file.empty() && !value("HOME").empty()) {
    file = std::filesystem::path(value("HOME")) / ".cache" / "huggingface" / "token";
  }
  std::ifstream(file) >> hub.token;
  return hub;
}

Result<ModelSource> parse_model_source(std::string_view text, const Hub& hub) {
  for (const std::string_view scheme : {"hf:", "hf.co/", "huggingface.co/"}) {
    if (text.starts_with(scheme)) return parse_repository(text.substr(scheme.size()), text, hub);
  }
  for (const std::string_view host : {"https://huggingface.co/", "https://hf.co/"}) {
    if (text.starts_with(host)) return parse_hub_path(text.substr(host.size()), text, hub);
  }
  if (hub.is_mirror && text.starts_with(hub.endpoint + "/")) {
    return parse_hub_path(text.substr(hub.endpoint.size() + 1), text, hub);
  }
  if (text.starts_with("https://") || text.starts_with("http://")) {
    return UrlSource{.url = std::string(text)};
  }
  return bad_source(text);
}

UrlSource file_of_repository(const RepositorySource& source, std::string_view file,
                             const Hub& hub) {
  return {.url = fmt::format("{}/{}/resolve/{}/{}", hub.endpoint, source.repository,
                             source.revision, encoded(file)),
          .is_at_hub = true};
}

Result<std::string> choose_file(const RepositorySource& source, std::string_view listing) {
  boost::system::error_code error;
  const boost::json::value root = boost::json::parse(listing, error);
  const auto* object = error ? nullptr : root.if_object();
  const auto* siblings = object == nullptr ? nullptr : object->if_contains("siblings");
  if (siblings == nullptr || !siblings->is_array()) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("the hub's listing of {} can't be read", source.repository), "source");
  }
  std::vector<std::string> files;
  for (const boost::json::value& entry : siblings->get_array()) {
    const auto* row = entry.if_object();
    const auto* name = row == nullptr ? nullptr : row->if_contains("rfilename");
    if (name == nullptr || !name->is_string()) continue;
    const std::string_view file(name->get_string());
    // A projector belongs to another file, which has the model.
    if (file.ends_with(kExtension) && !lower(file).contains("mmproj")) files.emplace_back(file);
  }
  if (files.empty()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{} holds no GGUF file: look for one whose name ends in GGUF",
                            source.repository),
                "source");
  }
  std::vector<std::string_view> wanted(std::begin(kFormatsToBeginWith),
                                       std::end(kFormatsToBeginWith));
  if (!source.format.empty()) wanted = {source.format};
  const auto is_alone = files.size() == 1 && source.format.empty();
  for (const std::string_view format : wanted) {
    for (const std::string& file : files) {
      if (!is_alone && !has_format(file, format)) continue;
      if (!lower(file).contains("-of-0")) return file;
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{} of {} is one of several parts of a model: merge them into one "
                              "file, then `jarip import` it",
                              file, source.repository),
                  "source");
    }
  }
  std::ranges::sort(files);
  const std::size_t n_more = files.size() - std::min(files.size(), kMostFilesNamed);
  files.resize(files.size() - n_more);
  return fail(ErrorCode::kNotFound,
              fmt::format("{} holds no {} file; write hf:{}/FILE with one of these: {}{}",
                          source.repository,
                          source.format.empty() ? "usual" : std::string_view(source.format),
                          source.repository, fmt::join(files, ", "),
                          n_more == 0 ? "" : fmt::format(" and {} more", n_more)),
              "source");
}

std::string name_of_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  std::string_view name = url.substr(url.find_last_of('/') + 1);
  if (name.ends_with(kExtension)) name.remove_suffix(kExtension.size());
  return std::string(name);
}

}  // namespace jarip
