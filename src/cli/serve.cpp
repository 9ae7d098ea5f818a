#include "cli/serve.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "api/pipeline_answerer.h"
#include "api/routes.h"
#include "api/web_files.h"
#include "app/pipeline.h"
#include "base/metrics.h"
#include "cli/exit_codes.h"
#include "net/server.h"

namespace jarip {
namespace {

namespace asio = boost::asio;
using std::chrono::seconds;

// Without a throw when standard error is closed: a server outlives the terminal it came from.
void say(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }

Result<void> check_host(const std::string& host) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (host == "localhost" || error || address.is_loopback()) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("not listening on {}: there are no keys yet, so whoever reaches that "
                          "address could use the model; --host takes only this machine's own "
                          "addresses, such as 127.0.0.1",
                          host),
              "host");
}

ServerOptions server_options(const ServeOptions& options) {
  ServerOptions server;
  server.host = options.host;
  server.port = options.port;
  server.origins = {.allowed_hosts = options.allow_hosts, .allowed_origins = options.allow_origins};
  server.max_connections = options.max_connections;
  server.max_body_bytes = options.max_body;
  server.max_held_body_bytes = std::max<std::size_t>(server.max_held_body_bytes, options.max_body);
  server.head_timeout = seconds(options.head_timeout_s);
  server.body_timeout = seconds(options.body_timeout_s);
  server.idle_timeout = seconds(options.idle_timeout_s);
  server.write_timeout = seconds(options.write_timeout_s);
  return server;
}

std::string address_of(const ServeOptions& options, const Server& server) {
  const bool is_v6 = options.host.contains(':');
  return fmt::format("http://{}{}{}:{}", is_v6 ? "[" : "", options.host, is_v6 ? "]" : "",
                     server.port());
}

// Stops the server, once: at the first signal or when the command gives up. A second signal cuts
// off what is still being answered. Its members belong to the network thread.
class Stopper {
 public:
  Stopper(asio::io_context& io, Server& server, Routes& routes, seconds drain)
      : io_(io), server_(server), routes_(routes), drain_(drain), signals_(io, SIGINT, SIGTERM) {
    wait_for_signal();
  }

  // Until a signal comes, nothing else ends the server.
  void wait() { stopped_.wait(); }

  // From the command's thread: stops without waiting for answers.
  void stop_now() {
    asio::post(io_, [this] { begin(seconds(0)); });
    wait();
  }

  // While a model loads nothing is being answered, and loading can't be interrupted halfway.
  void set_loading(bool loading) { loading_ = loading; }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      if (loading_) std::_Exit(exit_code_of(ErrorCode::kCancelled));
      if (!stopping_) {
        say(fmt::format("jarip stops; running answers get up to {} s (again to cut them off)",
                        drain_.count()));
      }
      begin(stopping_ ? seconds(0) : drain_);
      wait_for_signal();
    });
  }

  void begin(seconds deadline) {
    if (std::exchange(stopping_, true)) {
      server_.set_drain_deadline(deadline);
      return;
    }
    routes_.set_stopping();
    asio::co_spawn(io_, server_.drain(deadline), [this](const std::exception_ptr&) {
      signals_.cancel();
      promise_.set_value();
    });
  }

  asio::io_context& io_;
  Server& server_;
  Routes& routes_;
  seconds drain_;
  asio::signal_set signals_;
  bool stopping_ = false;
  std::atomic<bool> loading_{false};
  std::promise<void> promise_;
  std::future<void> stopped_ = promise_.get_future();
};

// The stages above the network: the model, the pipeline, the answerer. Returns when the server has
// drained, so that nothing uses them any more.
Result<void> answer_until_stopped(const ServeOptions& options, Routes& routes, Server& server,
                                  Stopper& stopper) {
  stopper.set_loading(true);
  auto model = load_named_model(options.model, options.loading, [&routes](float fraction) {
    routes.set_loading_progress(fraction);
  });
  stopper.set_loading(false);
  if (!model) {
    stopper.stop_now();
    return std::unexpected(std::move(model).error());
  }
  Pipeline pipeline(**model);
  PipelineAnswerer answerer(pipeline, **model);
  routes.set_answerer(&answerer);
  say(fmt::format("jarip listens on {}", address_of(options, server)));
  stopper.wait();
  routes.set_answerer(nullptr);
  return {};
}

}  // namespace

Result<void> run_serve(const ServeOptions& options) {
  JARIP_CHECK(check_host(options.host));
  JARIP_TRY(const std::filesystem::path path, find_model(options.model));
  std::signal(SIGPIPE, SIG_IGN);
  MetricsRegistry registry;
  Routes routes(registry, {.web_files = web_files(), .ping_interval = seconds(options.ping_s)});
  asio::io_context io;
  JARIP_TRY(const auto server, Server::listen(io, server_options(options), routes));
  Stopper stopper(io, *server, routes, seconds(options.drain_s));
  // Declared last: it is joined before anything that it uses is taken down.
  const std::jthread network([&io] { io.run(); });
  say(fmt::format("jarip loads {}; {}/health tells when it is ready", model_name_of(path),
                  address_of(options, *server)));
  return answer_until_stopped(options, routes, *server, stopper);
}

}  // namespace jarip
