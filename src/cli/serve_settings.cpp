#include "cli/serve.h"

namespace jarip {
namespace {

constexpr std::uint32_t kMaxSeconds = 24 * 60 * 60;

constexpr std::uint32_t kMaxKeepAlive_s = 365 * 24 * 60 * 60;

void declare_models(OptionSet& set, ServeOptions& options) {
  set.add_texts({.name = "load",
                 .value_name = "NAME",
                 .help = {"A model of the models folder to load at the start; may be given more "
                          "than once, and the first answers requests that name no model",
                          "시작할 때 불러올 모델. 여러 번 적을 수 있고, 모델을 적지 않은 요청은 첫 "
                          "모델이 답한다"}},
                options.preload);
  set.add_number<std::uint32_t>(
      {.name = "keep-alive",
       .value_name = "SECONDS",
       .help = {"How long a model stays in memory that nobody uses; 0 means until another needs "
                "its room",
                "쓰지 않는 모델을 메모리에 둘 시간. 0이면 다른 모델에 자리가 필요할 때까지"}},
      options.keep_alive_s, {0, kMaxKeepAlive_s});
}

void declare_seconds(OptionSet& set, std::string_view name, const Words& help,
                     std::uint32_t& seconds, std::uint32_t least) {
  set.add_number<std::uint32_t>({.name = name, .value_name = "SECONDS", .help = help}, seconds,
                                {least, kMaxSeconds});
}

void declare_address(OptionSet& set, ServeOptions& options) {
  set.add_text(
      {.name = "host",
       .value_name = "ADDRESS",
       .help = {"The address to listen on; 0.0.0.0 or :: for all. One that other machines "
                "reach needs a key (see jarip keys create)",
                "요청을 받을 주소. 0.0.0.0이나 ::이면 모든 주소. 다른 기계가 닿는 주소라면 "
                "키가 있어야 한다(jarip keys create 참고)"}},
      options.host);
  set.add_number<std::uint16_t>(
      {.name = "port",
       .value_name = "N",
       .help = {"The port to listen on; 0 takes any free one and prints it",
                "요청을 받을 포트. 0이면 비어 있는 포트를 골라 알려 준다"}},
      options.port, {0, 65535});
  set.add_texts({.name = "allow-host",
                 .value_name = "NAME",
                 .help = {"A further name under which requests may come in their Host header",
                          "요청의 Host 헤더에 더 허용할 이름"}},
                options.allow_hosts);
  set.add_texts(
      {.name = "allow-origin",
       .value_name = "ORIGIN",
       .help = {"Another site whose pages may use this server, like https://chat.example.org",
                "이 서버를 써도 되는 다른 사이트. 예: https://chat.example.org"}},
      options.allow_origins);
}

void declare_trust(OptionSet& set, ServeOptions& options) {
  set.add_text({.name = "tls-cert",
                .value_name = "FILE",
                .help = {"Speak HTTPS with this certificate (PEM, with those that vouch for it); "
                         "SIGHUP reads it again",
                         "이 인증서(PEM, 중간 인증서 포함)로 HTTPS를 쓴다. SIGHUP을 받으면 다시 "
                         "읽는다"}},
               options.tls_cert);
  set.add_text({.name = "tls-key",
                .value_name = "FILE",
                .help = {"The certificate's key (PEM, without a passphrase)",
                         "인증서의 개인 키(PEM, 암호 없이)"}},
               options.tls_key);
  set.add_switch(
      {.name = "no-keys",
       .help = {"Ask nobody for a key, though there are some; only on an address of "
                "this machine's own",
                "키가 있어도 아무에게도 키를 묻지 않는다. 이 기계 안의 주소에서만 된다"}},
      options.no_keys);
}

void declare_observation(OptionSet& set, ServeOptions& options) {
  set.add_choice<AccessLogForm>(
      {.name = "access-log",
       .value_name = "WORD",
       .help = {"One line for each request on standard error: who, what, how long, how many "
                "tokens; never what was asked",
                "요청마다 표준 오류에 한 줄을 남긴다: 누가, 무엇을, 얼마 동안, 토큰 몇 개. 질문의 "
                "내용은 남기지 않는다"}},
      options.access_log,
      {{"text", AccessLogForm::kText},
       {"json", AccessLogForm::kJson},
       {"off", AccessLogForm::kOff}});
  set.add_switch({.name = "vllm-metrics",
                  .help = {"Show metrics under the names of vLLM too, for dashboards that read "
                           "those",
                           "vLLM의 이름으로도 메트릭을 보여 준다. 그 이름을 읽는 대시보드를 위한 "
                           "것이다"}},
                 options.vllm_metrics);
}

void declare_limits(OptionSet& set, ServeOptions& options) {
  set.add_number<std::uint32_t>({.name = "max-running",
                                 .value_name = "N",
                                 .help = {"Answers computed at once; further ones wait",
                                          "한꺼번에 계산할 답의 수. 나머지는 기다린다"}},
                                options.loading.max_running, {1, 256});
  set.add_number<std::uint32_t>({.name = "max-waiting",
                                 .value_name = "N",
                                 .help = {"Requests that may wait; further ones are answered 429",
                                          "기다릴 수 있는 요청의 수. 넘으면 429로 답한다"}},
                                options.loading.max_waiting, {1, 65536});
  set.add_number<std::uint32_t>({.name = "max-connections",
                                 .value_name = "N",
                                 .help = {"Connections at once", "동시에 받을 연결의 수"}},
                                options.max_connections, {1, 65536});
  set.add_bytes({.name = "max-body",
                 .value_name = "BYTES",
                 .help = {"The longest request", "요청 하나의 최대 크기"}},
                options.max_body, {1024, std::uint64_t{1} << 30U});
}

}  // namespace

void declare_serve_settings(OptionSet& set, ServeOptions& options) {
  declare_models(set, options);
  declare_address(set, options);
  declare_trust(set, options);
  declare_observation(set, options);
  declare_limits(set, options);
  declare_seconds(set, "head-timeout",
                  {"Time for a request's headers to arrive", "요청 헤더가 다 와야 하는 시간"},
                  options.head_timeout_s, 1);
  declare_seconds(set, "body-timeout",
                  {"Time for a request's body to arrive", "요청 본문이 다 와야 하는 시간"},
                  options.body_timeout_s, 1);
  declare_seconds(set, "idle-timeout",
                  {"How long an unused connection stays open", "쓰지 않는 연결을 열어 두는 시간"},
                  options.idle_timeout_s, 1);
  declare_seconds(set, "write-timeout",
                  {"How long a client may read nothing of its answer",
                   "클라이언트가 답을 전혀 읽지 않아도 기다려 주는 시간"},
                  options.write_timeout_s, 1);
  declare_seconds(set, "ping",
                  {"Silence after which a stream is kept open by a comment",
                   "스트림이 조용할 때 연결을 지키는 주석을 보내는 간격"},
                  options.ping_s, 1);
  declare_seconds(set, "drain",
                  {"Time that running answers get to end when the server stops",
                   "서버를 멈출 때 진행 중인 답을 기다려 주는 시간"},
                  options.drain_s, 0);
  declare_model_settings(set, options.loading);
}

}  // namespace jarip
