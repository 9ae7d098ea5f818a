// The models that a server has: loaded when first asked for, kept while used, unloaded when another
// needs their room. Owned by the command that serves; may be called from any thread. Loads and
// unloads on a thread of its own, one after the other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "app/answerer.h"
#include "app/model_outline.h"
#include "app/residency.h"
#include "base/result.h"
#include "model/library.h"

namespace jarip {

class ModelPool;

// The `where` of the error that too many wait for their models: no field of a request.
inline constexpr std::string_view kModelLine = "line for models";

// A hold on a loaded model: while it lives, the model isn't unloaded.
class ModelUse {
 public:
  ModelUse(ModelUse&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), id_(other.id_), answerer_(other.answerer_) {}
  ModelUse& operator=(ModelUse&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(id_, other.id_);
    std::swap(answerer_, other.answerer_);
    return *this;
  }
  ~ModelUse();

  [[nodiscard]] Answerer& answerer() const { return *answerer_; }

 private:
  friend class ModelPool;
  ModelUse(ModelPool& pool, Residency::ModelId id, Answerer& answerer)
      : pool_(&pool), id_(id), answerer_(&answerer) {}

  ModelPool* pool_;
  Residency::ModelId id_;
  Answerer* answerer_;
};

enum class ModelState : std::uint8_t {
  kUnloaded,
  kLoading,
  kLoaded,
  kUnloading,
  kTooLarge,  // for the memory that models may take
  kUnusable,  // the file can't be run here
};
[[nodiscard]] std::string_view model_state_name(ModelState state);

// What is known of a model without loading it.
struct KnownModel {
  ModelCard card;
  ModelOutline outline;
};

struct ModelStatus {
  ModelCard card;
  ModelOutline outline;
  ModelState state = ModelState::kUnloaded;
  std::string problem;        // why it is unusable or too large, or why loading failed last
  std::uint64_t n_bytes = 0;  // of the file
  float progress = 0;         // of loading
  std::uint32_t n_users = 0;
  std::uint64_t n_loads = 0;
  std::uint64_t n_failures = 0;
  std::uint64_t n_unloads = 0;
  double load_seconds = 0;  // of all loads
};

struct ModelPoolOptions {
  Residency::Limits limits;
  std::string default_model;  // for requests that name none; empty: there is none
  // The models there are; asked again when one isn't known.
  std::function<Result<std::vector<LibraryModel>>()> list;
  std::function<Result<KnownModel>(const LibraryModel&)> describe;
  using OnProgress = std::function<void(float)>;
  std::function<Result<std::unique_ptr<Answerer>>(const LibraryModel&, const OnProgress&)> load;
};

class ModelPool {
 public:
  using Ticket = Residency::Ticket;
  // Called once, on the pool's thread or on that of whoever changes what the pool does.
  using OnReady = std::move_only_function<void(Result<ModelUse>)>;
  // Either the answer, and then nothing is called, or the ticket of who waits.
  struct Asked {
    std::optional<Result<ModelUse>> answer;
    Ticket ticket = 0;
  };

  explicit ModelPool(ModelPoolOptions options);
  ~ModelPool();
  ModelPool(const ModelPool&) = delete;
  ModelPool& operator=(const ModelPool&) = delete;

  // Reads what models there are now. Takes as long as the disk does.
  Result<void> refresh();

  // Its card, by its name or as the default with an empty one. Errors: kNotFound, with the names
  // that there are; kInvalidArgument (no name and no default); kTooLarge; those of describe().
  [[nodiscard]] Result<ModelCard> find(std::string_view name) const;
  [[nodiscard]] bool knows(std::string_view name) const;

  // A use of a model as soon as it is loaded. Errors: those of find(), of loading it, kUnavailable
  // (stopping, or too many wait).
  [[nodiscard]] Asked acquire(std::string_view name, OnReady on_ready);
  void cancel(Ticket ticket);  // of one that waits; it may be being called already
  // Errors: those of find(); kUnavailable while it is used.
  Result<void> unload(std::string_view name);

  // The default model first, then by name.
  [[nodiscard]] std::vector<ModelStatus> list() const;
  [[nodiscard]] Result<ModelStatus> status(std::string_view name) const;
  [[nodiscard]] std::uint64_t resident_bytes() const;
  // Of all models together, of what was unloaded too.
  [[nodiscard]] EngineStats stats() const;
  [[nodiscard]] const std::string& default_model() const { return options_.default_model; }

  // Those who wait are told and further requests fail; what is being loaded is finished, and then
  // all models are unloaded. Only before or after anything else uses them.
  void close();

 private:
  friend class ModelUse;
  struct Entry;
  struct Waiting {
    Residency::ModelId model;
    OnReady on_ready;
  };
  // Callbacks to be called once the lock is let go.
  using Calls = std::vector<std::pair<OnReady, Result<ModelUse>>>;

  void add(const LibraryModel& file);
  [[nodiscard]] Result<const Entry*> find_entry(std::string_view name) const;
  [[nodiscard]] Result<const Entry*> find_usable(std::string_view name) const;
  [[nodiscard]] Error not_found(std::string_view name) const;
  [[nodiscard]] ModelStatus status_of(const Entry& entry) const;

  void release(Residency::ModelId model);
  void work(const std::stop_token& stop);
  void load(std::unique_lock<std::mutex>& lock, Entry& entry);
  void unload(std::unique_lock<std::mutex>& lock, Entry& entry);
  void fail_waiting(const std::vector<Ticket>& tickets, const Error& error, Calls& calls);
  // After whatever may change what is to be done: with the lock.
  void note_change(Calls& calls);
  static void call(Calls& calls);

  ModelPoolOptions options_;
  mutable std::mutex mutex_;  // of all that follows
  std::mutex refreshing_;     // taken before the other: one reading of the disk at a time
  std::condition_variable_any changed_;
  Residency residency_;
  std::vector<std::unique_ptr<Entry>> entries_;  // by ModelId
  std::map<std::string, Residency::ModelId, std::less<>> ids_;
  std::map<Ticket, Waiting> waiting_;
  EngineStats unloaded_stats_;
  Ticket last_ticket_ = 0;
  bool is_stopping_ = false;
  bool has_changed_ = false;  // and the thread hasn't looked since
  std::jthread thread_;       // last: it uses the rest
};

}  // namespace jarip
