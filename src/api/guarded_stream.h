// A response stream that can be cut from above: to its handler the client then seems gone. Lives
// while one request is handled, on the network thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string_view>
#include <utility>

#include "net/http_handler.h"

namespace jarip {

class GuardedStream final : public ResponseStream {
 public:
  explicit GuardedStream(ResponseStream& stream) : stream_(stream) {}

  // A client that doesn't even take what is being written is disconnected.
  void cut() {
    if (std::exchange(is_cut_, true)) return;
    if (is_writing_) stream_.close_now();
    if (auto on_gone = std::exchange(on_gone_, nullptr)) on_gone();
  }
  [[nodiscard]] bool is_cut() const { return is_cut_; }
  [[nodiscard]] bool has_begun() const { return has_begun_; }
  [[nodiscard]] bool has_ended() const { return has_ended_; }
  // What lies below, for a last word after the cut.
  [[nodiscard]] ResponseStream& below() { return stream_; }

  [[nodiscard]] boost::asio::awaitable<bool> send(Response response) override {
    if (is_cut_) co_return false;
    has_begun_ = has_ended_ = true;
    co_return co_await stream_.send(std::move(response));
  }
  [[nodiscard]] boost::asio::awaitable<bool> begin(Response head) override {
    if (is_cut_) co_return false;
    has_begun_ = true;
    co_return co_await stream_.begin(std::move(head));
  }
  [[nodiscard]] boost::asio::awaitable<bool> write(std::string_view bytes) override {
    if (is_cut_) co_return false;
    is_writing_ = true;
    const bool written = co_await stream_.write(bytes);
    is_writing_ = false;
    co_return written && !is_cut_;
  }
  [[nodiscard]] boost::asio::awaitable<bool> finish() override {
    if (is_cut_) co_return false;
    has_ended_ = true;
    co_return co_await stream_.finish();
  }
  void drop_body() override { stream_.drop_body(); }
  [[nodiscard]] bool is_gone() const override { return is_cut_ || stream_.is_gone(); }
  void notify_when_gone(std::function<void()> on_gone) override {
    if (is_gone()) {
      on_gone();
      return;
    }
    on_gone_ = std::move(on_gone);
    stream_.notify_when_gone([this] {
      if (auto call = std::exchange(on_gone_, nullptr)) call();
    });
  }
  void close_now() override { stream_.close_now(); }

 private:
  ResponseStream& stream_;
  std::function<void()> on_gone_;
  bool is_cut_ = false;
  bool is_writing_ = false;
  bool has_begun_ = false;
  bool has_ended_ = false;
};

}  // namespace jarip
