// The wait of one request for its model, between the pool's threads and the network thread. Shared
// by the two because either may let go first: the client leaves, or the model is there.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "app/model_pool.h"
#include "net/http_handler.h"

namespace jarip {

class ModelWait : public std::enable_shared_from_this<ModelWait> {
 public:
  explicit ModelWait(const boost::asio::any_io_executor& network)
      : network_(network), silence_(network) {}

  // From any thread.
  void deliver(Result<ModelUse> use);

  // On the network thread: until there is something to take, wake() is called, or so long.
  [[nodiscard]] boost::asio::awaitable<void> wait(std::chrono::milliseconds silence);
  [[nodiscard]] std::optional<Result<ModelUse>> take() { return std::exchange(use_, std::nullopt); }
  void wake();

 private:
  boost::asio::any_io_executor network_;
  boost::asio::steady_timer silence_;
  std::optional<Result<ModelUse>> use_;
  bool woken_ = false;
};

// What happens while a request waits for its model.
struct WaitRules {
  std::chrono::milliseconds ping_interval{std::chrono::hours(24)};
  // Called on the network thread after such an interval; false: the client takes nothing more.
  std::function<boost::asio::awaitable<bool>()> ping;  // may be empty
  std::optional<std::chrono::milliseconds> most;       // then the request has waited too long
};

// Errors: those of ModelPool::acquire; kTimeout; kCancelled when the client has left, which nobody
// has to be told.
[[nodiscard]] boost::asio::awaitable<Result<ModelUse>> wait_for_model(ModelPool& pool,
                                                                      std::string_view name,
                                                                      ResponseStream& stream,
                                                                      const WaitRules& rules);

}  // namespace jarip
