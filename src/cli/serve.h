// `jarip serve`: the server with a page and OpenAI's API over one model or many. Builds the stages
// in order, lowest last to stop, and takes them down in reverse. Runs on the command's own thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/access_log.h"
#include "base/options.h"
#include "base/result.h"
#include "cli/model_settings.h"

namespace jarip {

struct ServeOptions {
  std::optional<std::string> model;  // that one alone; absent: all of the models folder
  std::vector<std::string> preload;  // loaded from the start, the first being the default
  std::uint32_t keep_alive_s = 0;    // 0: models stay until others need their room
  ModelSettings loading;

  std::string host = "127.0.0.1";
  std::uint16_t port = 8484;  // 0: any free one
  std::vector<std::string> allow_hosts;
  std::vector<std::string> allow_origins;
  std::optional<std::string> tls_cert;
  std::optional<std::string> tls_key;
  bool no_keys = false;

  AccessLogForm access_log = AccessLogForm::kText;
  bool vllm_metrics = false;

  std::uint32_t max_connections = 1024;
  std::uint64_t max_body = 4U << 20U;  // bytes

  std::uint32_t head_timeout_s = 10;
  std::uint32_t body_timeout_s = 60;
  std::uint32_t idle_timeout_s = 75;
  std::uint32_t write_timeout_s = 60;
  std::uint32_t ping_s = 10;
  std::uint32_t drain_s = 30;
};

// Every option but the model.
void declare_serve_settings(OptionSet& set, ServeOptions& options);

// Returns after SIGINT or SIGTERM, once answers in flight have ended or the drain's time is up; a
// second signal cuts them off. Errors: kInvalidArgument (a host that others could reach without a
// key), kIo (the port), those of reading keys and certificates and of loading a model.
[[nodiscard]] Result<void> run_serve(const ServeOptions& options);

}  // namespace jarip
