#include "app/usage_ledger.h"

#include <fmt/format.h>

#include <chrono>

#include "base/log.h"

namespace jarip {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);

}  // namespace

UsageLedger::UsageLedger(std::filesystem::path path, OnStored on_stored)
    : path_(std::move(path)), on_stored_(std::move(on_stored)), thread_([this] { run(); }) {}

UsageLedger::~UsageLedger() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  for (const auto& [id, use] : unstored_) {
    log_line(LogLevel::kError, fmt::format("{} tokens that key {} used could not be written to {}",
                                           use.tokens(), id, path_.native()));
  }
}

void UsageLedger::add(KeyId id, const KeyUse& use, Done done) {
  {
    const std::lock_guard lock(mutex_);
    entries_.push_back({id, use, std::move(done)});
  }
  changed_.notify_one();
}

void UsageLedger::run() {
  bool stopping = false;
  while (!stopping) {
    std::vector<Entry> batch;
    {
      std::unique_lock lock(mutex_);
      const auto is_due = [this] { return stopping_ || !entries_.empty(); };
      if (unstored_.empty()) {
        changed_.wait(lock, is_due);
      } else {
        changed_.wait_for(lock, kRetry, is_due);
      }
      batch.swap(entries_);
      stopping = stopping_;
    }
    for (const Entry& entry : batch) unstored_[entry.id] += entry.use;
    if (unstored_.empty()) continue;
    const Result<void> stored = store(unstored_);
    failing_.store(!stored);
    if (stored) {
      for (const auto& [id, use] : unstored_) on_stored_(id, use);
      unstored_.clear();
    } else {
      log_line(LogLevel::kError, "what keys use can't be stored: " + stored.error().message);
    }
    for (Entry& entry : batch) entry.done(stored);
  }
}

Result<void> UsageLedger::store(const std::map<KeyId, KeyUse>& sums) {
  if (!keys_) {
    JARIP_TRY(keys_, KeyStore::open(path_, OpenMode::kExisting));
  }
  const std::vector<std::pair<KeyId, KeyUse>> uses(sums.begin(), sums.end());
  return keys_->add_use(uses);
}

}  // namespace jarip
