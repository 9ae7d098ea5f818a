// Lets requests in by their keys, and ends what runs for a key that is revoked meanwhile. Owned by
// the routes; used on the network thread, while a thread of its own waits for the disk.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <expected>
#include <list>

#include "api/guarded_stream.h"
#include "app/accounts.h"
#include "net/http_message.h"

namespace jarip {

// What a route asks of whoever calls it.
enum class Access : std::uint8_t {
  kInference,  // a key with that scope; what is posted counts in its rates
  kAdmin,      // a key with that scope
  kOpen,       // nothing
};

class Gate {
 public:
  // accounts: null where no keys are needed; outlives the gate.
  explicit Gate(Accounts* accounts) : accounts_(accounts) {}
  ~Gate() { disk_.join(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // counts: the request is about to be answered, and not only asked about.
  [[nodiscard]] boost::asio::awaitable<std::expected<Admission, Rejection>> admit(
      const Request& request, Access access, bool counts);

  // While it lives, revoking the key cuts the stream.
  class Visit {
   public:
    Visit(Gate& gate, const boost::asio::any_io_executor& network, KeyId key,
          GuardedStream& stream);
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    friend class Gate;
    Gate& gate_;
    KeyId key_;
    GuardedStream& stream_;
    std::list<Visit*>::iterator position_;
  };

 private:
  boost::asio::awaitable<void> watch();

  Accounts* accounts_;
  std::list<Visit*> visits_;  // those with a key
  bool has_new_visits_ = false;
  bool is_watching_ = false;
  boost::asio::thread_pool disk_{1};
};

}  // namespace jarip
