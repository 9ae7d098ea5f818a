// Writes down what keys have used, many entries with one sync. Its own thread owns the file's
// connection; add() may be called from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/key_store.h"

namespace jarip {

class UsageLedger {
 public:
  // Called once, on the ledger's thread: the entry is on the disk, or why it isn't yet.
  using Done = std::move_only_function<void(Result<void>)>;
  // Sums that have come to be on the disk, entries that failed at first included.
  using OnStored = std::function<void(KeyId, const KeyUse&)>;

  UsageLedger(std::filesystem::path path, OnStored on_stored);
  // Writes what is left, or logs what can't be.
  ~UsageLedger();
  UsageLedger(const UsageLedger&) = delete;
  UsageLedger& operator=(const UsageLedger&) = delete;

  void add(KeyId id, const KeyUse& use, Done done);

  // Entries that failed are kept and tried again until they are stored. Meanwhile nobody should be
  // let use more.
  [[nodiscard]] bool is_failing() const { return failing_.load(); }

 private:
  struct Entry {
    KeyId id;
    KeyUse use;
    Done done;
  };

  void run();
  Result<void> store(const std::map<KeyId, KeyUse>& sums);

  std::filesystem::path path_;
  OnStored on_stored_;
  std::atomic<bool> failing_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Entry> entries_;
  bool stopping_ = false;
  std::optional<KeyStore> keys_;      // the thread's
  std::map<KeyId, KeyUse> unstored_;  // the thread's
  std::jthread thread_;               // last: it uses everything above
};

}  // namespace jarip
