// Which models are in memory, who waits for one, and what to load or unload next: the rules alone,
// without threads, files or a clock of their own. Owned by the pool of models, under its lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace jarip {

// Users wait in one line. A loaded model that nobody before them needs the room of is theirs at
// once. For a model that isn't there, room is made of those that were used least recently: idle
// ones first; one in use is never unloaded, but takes no further users until those who waited
// before have been served, so that nobody waits without end.
class Residency {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using ModelId = std::uint32_t;
  using Ticket = std::uint64_t;

  struct Limits {
    std::uint64_t n_bytes = 0;  // of all models in memory together
    std::size_t max_waiting = 256;
    std::chrono::seconds keep_alive{0};  // how long an idle model stays; 0: until others need room
  };
  enum class State : std::uint8_t { kUnloaded, kLoading, kLoaded, kUnloading };
  enum class Outcome : std::uint8_t { kGranted, kWaits, kTooLarge, kLineFull };
  struct Work {
    ModelId model = 0;
    bool is_load = false;  // else it is unloaded
  };

  explicit Residency(const Limits& limits) : limits_(limits) {}

  ModelId add(std::uint64_t n_bytes);
  // Of an unloaded model that nobody waits for.
  void set_bytes(ModelId model, std::uint64_t n_bytes) { models_[model].n_bytes = n_bytes; }
  [[nodiscard]] bool fits(std::uint64_t n_bytes) const { return n_bytes <= limits_.n_bytes; }

  // Someone wants to use a model: is its user, waits under the ticket, or is turned away.
  Outcome request(ModelId model, Ticket ticket, Time now);
  void cancel(Ticket ticket);             // of one that waits; others are ignored
  void release(ModelId model, Time now);  // a user is done
  // As soon as nobody uses it or waits for it.
  void unload_when_idle(ModelId model);

  // What to do next, which has then begun; nothing while something is being done. The caller says
  // when it is done.
  [[nodiscard]] std::optional<Work> next(Time now);
  void loaded(ModelId model, Time now);
  [[nodiscard]] std::vector<Ticket> failed(ModelId model);  // who waited for it
  void unloaded(ModelId model);

  // Those who waited and are users now, since this was last asked.
  [[nodiscard]] std::vector<Ticket> take_granted();
  // Everybody who waits, who then no longer does.
  [[nodiscard]] std::vector<Ticket> clear_line();
  // When next() has to be asked again though nothing happens.
  [[nodiscard]] std::optional<Time> next_expiry() const;

  [[nodiscard]] State state(ModelId model) const { return models_[model].state; }
  [[nodiscard]] std::uint32_t n_users(ModelId model) const { return models_[model].n_users; }
  [[nodiscard]] bool is_waited_for(ModelId model) const;
  [[nodiscard]] std::size_t n_waiting() const { return line_.size(); }
  [[nodiscard]] std::uint64_t resident_bytes() const;

 private:
  struct Model {
    std::uint64_t n_bytes = 0;
    State state = State::kUnloaded;
    std::uint32_t n_users = 0;
    std::uint64_t last_use = 0;  // uses are counted, so that no two are at once
    Time idle_since = {};
    bool is_claimed = false;  // its room is another's
    bool is_unwanted = false;
  };
  struct Waiting {
    Ticket ticket;
    ModelId model;
  };
  // A model that will be loaded, and those whose room it takes.
  struct Plan {
    ModelId model;
    std::vector<ModelId> victims;
  };

  void use(Model& model, Time now);
  void grant_all(ModelId model, Time now);
  void settle(Time now);
  [[nodiscard]] bool plan_for(ModelId model, std::uint64_t& n_reserved);
  [[nodiscard]] std::vector<ModelId> models_in_line() const;
  [[nodiscard]] std::optional<ModelId> next_victim(const Plan& plan) const;
  [[nodiscard]] std::optional<ModelId> next_leaving(Time now) const;

  Limits limits_;
  std::vector<Model> models_;
  std::deque<Waiting> line_;
  std::vector<Plan> plans_;  // in the order of the line
  std::vector<Ticket> granted_;
  std::uint64_t n_uses_ = 0;
  bool is_working_ = false;
  Time last_now_;
};

}  // namespace jarip
