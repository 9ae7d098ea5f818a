#include "api/gate.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "api/credentials.h"

namespace jarip {
namespace {

namespace asio = boost::asio;

constexpr auto kWatchInterval = std::chrono::milliseconds(100);

}  // namespace

asio::awaitable<std::expected<Admission, Rejection>> Gate::admit(const Request& request,
                                                                 Access access, bool counts) {
  if (accounts_ == nullptr || access == Access::kOpen) co_return Admission{};
  const KeyScope scope = access == Access::kAdmin ? KeyScope::kAdmin : KeyScope::kInference;
  auto ask = [&]() -> asio::awaitable<std::expected<Admission, Rejection>> {
    const auto key = presented_key(request);
    // Where no key is needed, a strange header does no harm.
    auto admitted = accounts_->admit(key.value_or(""), scope, counts);
    if (!key && !admitted) {
      co_return std::unexpected(
          Rejection{.reason = RejectReason::kMalformed, .error = key.error()});
    }
    co_return admitted;
  };
  co_return co_await asio::co_spawn(disk_, ask(), asio::use_awaitable);
}

Gate::Visit::Visit(Gate& gate, const asio::any_io_executor& network, KeyId key,
                   GuardedStream& stream)
    : gate_(gate), key_(key), stream_(stream), position_(gate.visits_.end()) {
  if (key_ == 0) return;
  position_ = gate_.visits_.insert(gate_.visits_.end(), this);
  gate_.has_new_visits_ = true;
  if (!std::exchange(gate_.is_watching_, true)) {
    asio::co_spawn(network, gate_.watch(), asio::detached);
  }
}

Gate::Visit::~Visit() {
  if (key_ != 0) gate_.visits_.erase(position_);
}

// As long as there is somebody to watch.
asio::awaitable<void> Gate::watch() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!visits_.empty()) {
    std::vector<KeyId> keys;
    for (const Visit* visit : visits_) keys.push_back(visit->key_);
    std::ranges::sort(keys);
    keys.erase(std::ranges::unique(keys).begin(), keys.end());
    const bool some_are_new = std::exchange(has_new_visits_, false);
    auto ask = [&]() -> asio::awaitable<std::vector<KeyId>> {
      co_return accounts_->revoked_among(keys, some_are_new);
    };
    const auto revoked = co_await asio::co_spawn(disk_, ask(), asio::use_awaitable);
    for (Visit* visit : visits_) {
      if (std::ranges::find(revoked, visit->key_) != revoked.end()) visit->stream_.cut();
    }
    timer.expires_after(kWatchInterval);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  is_watching_ = false;
}

}  // namespace jarip
