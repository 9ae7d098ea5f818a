#include "cli/serve.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

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
#include <ctime>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/access_log.h"
#include "api/routes.h"
#include "api/web_files.h"
#include "app/accounts.h"
#include "app/model_loader.h"
#include "app/model_pool.h"
#include "base/home.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cli/exit_codes.h"
#include "cli/open_library.h"
#include "cli/progress.h"
#include "net/server.h"
#include "store/key_store.h"

namespace jarip {
namespace {

namespace asio = boost::asio;
using std::chrono::seconds;

// Without a throw when standard error is closed: a server outlives the terminal it came from.
void say(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }

bool is_own_address(const std::string& host) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  return host == "localhost" || error || address.is_loopback();
}

bool is_good_key(const KeyRecord& key) {
  return !key.revoked && (!key.terms.expires || *key.terms.expires > std::time(nullptr));
}

// Whoever reaches an address of other machines' must not find an open door there.
Result<void> check_host(const ServeOptions& options, const std::filesystem::path& keys_path) {
  if (is_own_address(options.host)) return {};
  if (options.no_keys) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--no-keys would let everybody in who reaches {}; it goes only with "
                            "this machine's own addresses, such as 127.0.0.1",
                            options.host),
                "no-keys");
  }
  std::vector<KeyRecord> keys;
  auto store = KeyStore::open(keys_path, OpenMode::kExisting);
  if (store) {
    JARIP_TRY(keys, store->list());
  } else if (store.error().code != ErrorCode::kNotFound) {
    return std::unexpected(std::move(store).error());
  }
  if (std::ranges::any_of(keys, is_good_key)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("not listening on {} without keys, as whoever reaches that address could "
                          "use the model; `jarip keys create --name NAME` makes one",
                          options.host),
              "host");
}

void warn_of_plain_text(const ServeOptions& options) {
  if (is_own_address(options.host) || options.tls_cert) return;
  log_line(LogLevel::kWarning,
           fmt::format("keys and answers can be read on their way to {}: use --tls-cert and "
                       "--tls-key, or listen on 127.0.0.1 behind a proxy that speaks HTTPS",
                       options.host));
}

Result<std::optional<TlsFiles>> tls_files(const ServeOptions& options) {
  if (!options.tls_cert && !options.tls_key) return std::nullopt;
  if (!options.tls_cert || !options.tls_key) {
    return fail(ErrorCode::kInvalidArgument, "--tls-cert and --tls-key go together",
                options.tls_cert ? "tls-key" : "tls-cert");
  }
  return TlsFiles{.certificate = *options.tls_cert, .key = *options.tls_key};
}

Result<ServerOptions> server_options(const ServeOptions& options) {
  ServerOptions server;
  JARIP_TRY(server.tls, tls_files(options));
  server.host = options.host;
  server.port = options.port;
  server.origins = {.allowed_hosts = options.allow_hosts,
                    .allow_addresses = false,
                    .allowed_origins = options.allow_origins};
  server.max_connections = options.max_connections;
  server.max_body_bytes = options.max_body;
  server.max_held_body_bytes = std::max<std::size_t>(server.max_held_body_bytes, options.max_body);
  server.head_timeout = seconds(options.head_timeout_s);
  server.body_timeout = seconds(options.body_timeout_s);
  server.idle_timeout = seconds(options.idle_timeout_s);
  server.write_timeout = seconds(options.write_timeout_s);
  return server;
}

// Each connection is an open file, and a shell's limit is often lower than ours on connections.
void allow_open_files(std::size_t n_connections) {
  constexpr std::size_t kOthers = 256;  // the model, keys, the log, …
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = n_connections + kOthers;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
    log_line(LogLevel::kWarning,
             fmt::format("the system allows only {} open files, fewer than --max-connections {}",
                         limit.rlim_cur, n_connections));
  }
}

std::string address_of(const ServeOptions& options, const Server& server) {
  const bool is_v6 = options.host.contains(':');
  return fmt::format("{}://{}{}{}:{}", options.tls_cert ? "https" : "http", is_v6 ? "[" : "",
                     options.host, is_v6 ? "]" : "", server.port());
}

// Stops the server, once: at the first signal or when the command gives up. A second signal cuts
// off what is still being answered. Its members belong to the network thread.
class Stopper {
 public:
  Stopper(asio::io_context& io, Server& server, Routes& routes, seconds drain)
      : io_(io),
        server_(server),
        routes_(routes),
        drain_(drain),
        signals_(io, SIGINT, SIGTERM),
        renewals_(io, SIGHUP) {
    wait_for_signal();
    wait_for_renewal();
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

  // A renewed certificate is taken up without a pause.
  void wait_for_renewal() {
    renewals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      const auto read = server_.reload_tls();
      say(read ? "jarip has read its certificate again"
               : fmt::format("jarip keeps the certificate it has: {}", read.error().message));
      wait_for_renewal();
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
      renewals_.cancel();
      promise_.set_value();
    });
  }

  asio::io_context& io_;
  Server& server_;
  Routes& routes_;
  seconds drain_;
  asio::signal_set signals_;
  asio::signal_set renewals_;
  bool stopping_ = false;
  std::atomic<bool> loading_{false};
  std::promise<void> promise_;
  std::future<void> stopped_ = promise_.get_future();
};

// What the pool of models is made of: one model, named or as a file, or all of the models folder.
Result<ModelPoolOptions> pool_options(const ServeOptions& options) {
  ModelPoolOptions pool;
  ModelLoading loading{.options = loading_options(options.loading)};
  pool.limits = {.n_bytes = memory_for_models(options.loading),
                 .max_waiting = options.loading.max_waiting,
                 .keep_alive = seconds(options.keep_alive_s)};
  if (options.model) {
    JARIP_TRY(const std::filesystem::path path, find_model(*options.model));
    pool.default_model = model_name_of(path);
    pool.list = [path] { return list_file(path); };
  } else {
    JARIP_TRY(const ModelLibrary library, open_library());
    JARIP_TRY(const auto models, library.list());
    loading.fits_context = true;
    pool.list = [library] { return library.list(); };
    if (!options.preload.empty()) {
      pool.default_model = options.preload.front();
    } else if (models.size() == 1) {
      pool.default_model = models.front().name;
    }
  }
  pool.describe = [loading](const LibraryModel& file) {
    auto known = describe_model(file, loading);
    if (!known) name_option(known.error());
    return known;
  };
  pool.load = [loading](const LibraryModel& file, const ModelPoolOptions::OnProgress& on_progress) {
    Progress progress("loading " + file.name);
    auto loaded = load_answerer(file, loading, [&](float fraction) {
      progress.update(fraction);
      on_progress(fraction);
    });
    if (!loaded) name_option(loaded.error());
    return loaded;
  };
  return pool;
}

// Those that are to be there from the start.
std::vector<std::string> first_models(const ServeOptions& options, const ModelPool& pool) {
  if (!options.preload.empty()) return options.preload;
  if (pool.default_model().empty()) return {};
  return {pool.default_model()};
}

// Blocks until a model is loaded.
Result<void> load_now(ModelPool& pool, const std::string& name) {
  auto promise = std::make_shared<std::promise<Result<void>>>();
  auto future = promise->get_future();
  auto asked = pool.acquire(name, [promise](Result<ModelUse> use) {
    promise->set_value(use ? Result<void>() : std::unexpected(std::move(use).error()));
  });
  if (!asked.answer) return future.get();
  if (!*asked.answer) return std::unexpected(std::move(*asked.answer).error());
  return {};
}

Result<void> load_first_models(const ServeOptions& options, ModelPool& pool) {
  for (const std::string& name : first_models(options, pool)) JARIP_CHECK(load_now(pool, name));
  return {};
}

// Returns when the server has drained, so that nothing uses the models any more.
Result<void> answer_until_stopped(const ServeOptions& options, ModelPool& pool, Routes& routes,
                                  Server& server, Stopper& stopper) {
  stopper.set_loading(true);
  const auto loaded = load_first_models(options, pool);
  stopper.set_loading(false);
  if (!loaded) {
    stopper.stop_now();
    pool.close();
    return loaded;
  }
  routes.set_ready();
  say(fmt::format("jarip listens on {}", address_of(options, server)));
  stopper.wait();
  pool.close();
  return {};
}

// What the first line says.
std::string describe_start(const ServeOptions& options, const ModelPool& pool,
                           const std::string& address) {
  const auto names = first_models(options, pool);
  if (names.empty()) {
    return fmt::format("jarip serves {} models, each loaded when it is first asked for",
                       pool.list().size());
  }
  return fmt::format("jarip loads {}; {}/health tells when it is ready", fmt::join(names, ", "),
                     address);
}

// Refused before anything is opened or loaded.
Result<void> check_first_models(const ServeOptions& options, const ModelPool& pool) {
  if (options.model && !options.preload.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "MODEL serves that one alone; --load is for a server of all models: give one of "
                "the two",
                "load");
  }
  for (const std::string& name : first_models(options, pool)) {
    if (const auto card = pool.find(name); !card) return std::unexpected(card.error());
  }
  return {};
}

}  // namespace

Result<void> run_serve(const ServeOptions& options) {
  const auto home = home_folder([](const char* name) { return std::getenv(name); });
  if (!home && !is_own_address(options.host)) return std::unexpected(home.error());
  // Without a home there are no keys, and nobody but this machine to ask for one.
  const std::filesystem::path keys_path = home ? KeyStore::path_in(*home) : "";
  JARIP_CHECK(check_host(options, keys_path));
  JARIP_TRY(ServerOptions server_settings, server_options(options));
  choose_cpu(options.loading);
  JARIP_TRY(ModelPoolOptions models, pool_options(options));
  // Outlives what the network still holds when it stops.
  ModelPool pool(std::move(models));
  JARIP_CHECK(pool.refresh());
  JARIP_CHECK(check_first_models(options, pool));
  std::signal(SIGPIPE, SIG_IGN);
  allow_open_files(options.max_connections);
  warn_of_plain_text(options);
  MetricsRegistry registry;
  if (options.vllm_metrics) {
    add_vllm_names(registry, options.model ? pool.default_model() : "all");
  }
  AccessLog access_log(options.access_log);
  asio::io_context io;
  // What its last entries are done for still posts to the network.
  Accounts accounts({.path = keys_path, .open_without_keys = is_own_address(options.host)});
  Routes routes(registry, {.web_files = web_files(),
                           .ping_interval = seconds(options.ping_s),
                           .accounts = options.no_keys ? nullptr : &accounts,
                           .access_log = &access_log,
                           .models = &pool});
  JARIP_TRY(const auto server, Server::listen(io, std::move(server_settings), routes));
  Stopper stopper(io, *server, routes, seconds(options.drain_s));
  // Declared last: it is joined before anything that it uses is taken down.
  const std::jthread network([&io] { io.run(); });
  say(describe_start(options, pool, address_of(options, *server)));
  return answer_until_stopped(options, pool, routes, *server, stopper);
}

}  // namespace jarip
