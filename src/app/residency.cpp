#include "app/residency.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace jarip {

Residency::ModelId Residency::add(std::uint64_t n_bytes) {
  models_.push_back({.n_bytes = n_bytes});
  return static_cast<ModelId>(models_.size() - 1);
}

void Residency::use(Model& model, Time now) {
  ++model.n_users;
  model.last_use = ++n_uses_;
  model.idle_since = now;
  model.is_unwanted = false;
}

Residency::Outcome Residency::request(ModelId model, Ticket ticket, Time now) {
  Model& wanted = models_[model];
  if (wanted.state == State::kUnloaded && !fits(wanted.n_bytes)) return Outcome::kTooLarge;
  if (wanted.state == State::kLoaded && !wanted.is_claimed) {
    use(wanted, now);
    return Outcome::kGranted;
  }
  if (line_.size() >= limits_.max_waiting) return Outcome::kLineFull;
  line_.push_back({ticket, model});
  settle(now);
  return Outcome::kWaits;
}

void Residency::cancel(Ticket ticket) {
  if (std::erase_if(line_, [&](const Waiting& one) { return one.ticket == ticket; }) > 0) {
    settle(last_now_);
  }
}

void Residency::release(ModelId model, Time now) {
  Model& used = models_[model];
  --used.n_users;
  used.last_use = ++n_uses_;
  used.idle_since = now;
  settle(now);
}

void Residency::unload_when_idle(ModelId model) {
  if (models_[model].state == State::kLoaded) models_[model].is_unwanted = true;
}

bool Residency::is_waited_for(ModelId model) const {
  return std::ranges::any_of(line_, [&](const Waiting& one) { return one.model == model; });
}

std::uint64_t Residency::resident_bytes() const {
  std::uint64_t sum = 0;
  for (const Model& model : models_) {
    if (model.state != State::kUnloaded) sum += model.n_bytes;
  }
  return sum;
}

std::vector<Residency::ModelId> Residency::models_in_line() const {
  std::vector<ModelId> out;
  for (const Waiting& one : line_) {
    if (std::ranges::find(out, one.model) == out.end()) out.push_back(one.model);
  }
  return out;
}

void Residency::grant_all(ModelId model, Time now) {
  std::erase_if(line_, [&](const Waiting& one) {
    if (one.model != model) return false;
    granted_.push_back(one.ticket);
    use(models_[model], now);
    return true;
  });
}

// Goes through the line anew: who can be served, whose model is to be loaded, in whose place.
void Residency::settle(Time now) {
  last_now_ = std::max(last_now_, now);
  for (Model& model : models_) model.is_claimed = false;
  plans_.clear();
  std::uint64_t n_reserved = 0;
  for (const ModelId model : models_in_line()) {
    switch (models_[model].state) {
      case State::kLoading:
        break;
      case State::kLoaded:
        if (!models_[model].is_claimed) grant_all(model, now);
        break;
      case State::kUnloaded:
      case State::kUnloading:
        if (!plan_for(model, n_reserved)) return;
        break;
    }
  }
}

// False when a model that is being loaded now is in the way: then this one and those behind it have
// to wait for it.
bool Residency::plan_for(ModelId model, std::uint64_t& n_reserved) {
  std::uint64_t n_staying = 0;
  std::vector<ModelId> candidates;
  for (ModelId other = 0; other < models_.size(); ++other) {
    const Model& one = models_[other];
    const bool stays =
        one.state == State::kLoading || (one.state == State::kLoaded && !one.is_claimed);
    if (stays) n_staying += one.n_bytes;
    if (stays && one.state == State::kLoaded) candidates.push_back(other);
  }
  std::ranges::sort(candidates, {}, [&](ModelId other) {
    const Model& one = models_[other];
    return std::tuple(one.n_users > 0, one.last_use);
  });
  const std::uint64_t n_needed = n_reserved + models_[model].n_bytes;
  Plan plan{.model = model, .victims = {}};
  for (const ModelId victim : candidates) {
    if (n_needed + n_staying <= limits_.n_bytes) break;
    n_staying -= models_[victim].n_bytes;
    plan.victims.push_back(victim);
  }
  if (n_needed + n_staying > limits_.n_bytes) return false;
  for (const ModelId victim : plan.victims) models_[victim].is_claimed = true;
  n_reserved = n_needed;
  plans_.push_back(std::move(plan));
  return true;
}

// One of those in the way, once none of them is in use any more: a model that has to wait for
// another's users anyway leaves nobody else without theirs meanwhile.
std::optional<Residency::ModelId> Residency::next_victim(const Plan& plan) const {
  std::optional<ModelId> out;
  for (const ModelId victim : plan.victims) {
    if (models_[victim].n_users > 0) return std::nullopt;
    if (!out && models_[victim].state == State::kLoaded) out = victim;
  }
  return out;
}

// A model that nobody needs and that has been idle for long, or is to go.
std::optional<Residency::ModelId> Residency::next_leaving(Time now) const {
  for (ModelId model = 0; model < models_.size(); ++model) {
    const Model& one = models_[model];
    if (one.state != State::kLoaded || one.n_users > 0) continue;
    const bool expired =
        limits_.keep_alive.count() > 0 && now - one.idle_since >= limits_.keep_alive;
    if (one.is_unwanted || expired) return model;
  }
  return std::nullopt;
}

std::optional<Residency::Work> Residency::next(Time now) {
  if (is_working_) return std::nullopt;
  settle(now);
  const auto begin = [&](ModelId model, State state) {
    is_working_ = true;
    models_[model].state = state;
    return Work{.model = model, .is_load = state == State::kLoading};
  };
  for (const Plan& plan : plans_) {
    if (resident_bytes() + models_[plan.model].n_bytes <= limits_.n_bytes) {
      return begin(plan.model, State::kLoading);
    }
    if (const auto victim = next_victim(plan)) return begin(*victim, State::kUnloading);
  }
  if (const auto leaving = next_leaving(now)) return begin(*leaving, State::kUnloading);
  return std::nullopt;
}

void Residency::loaded(ModelId model, Time now) {
  is_working_ = false;
  models_[model].state = State::kLoaded;
  models_[model].last_use = ++n_uses_;
  models_[model].idle_since = now;
  grant_all(model, now);  // before anybody can claim its room
  settle(now);
}

std::vector<Residency::Ticket> Residency::failed(ModelId model) {
  is_working_ = false;
  models_[model].state = State::kUnloaded;
  std::vector<Ticket> out;
  std::erase_if(line_, [&](const Waiting& one) {
    if (one.model == model) out.push_back(one.ticket);
    return one.model == model;
  });
  settle(last_now_);
  return out;
}

void Residency::unloaded(ModelId model) {
  is_working_ = false;
  models_[model].state = State::kUnloaded;
  models_[model].is_unwanted = false;
  settle(last_now_);
}

std::vector<Residency::Ticket> Residency::take_granted() { return std::exchange(granted_, {}); }

std::vector<Residency::Ticket> Residency::clear_line() {
  std::vector<Ticket> out;
  for (const Waiting& one : line_) out.push_back(one.ticket);
  line_.clear();
  settle(last_now_);
  return out;
}

std::optional<Residency::Time> Residency::next_expiry() const {
  std::optional<Time> least;
  if (limits_.keep_alive.count() == 0) return least;
  for (const Model& model : models_) {
    if (model.state != State::kLoaded || model.n_users > 0) continue;
    const Time at = model.idle_since + limits_.keep_alive;
    least = least ? std::min(*least, at) : at;
  }
  return least;
}

}  // namespace jarip
