#include "engine/fair_share.h"

#include <algorithm>
#include <limits>

namespace jarip {

std::uint32_t FairShare::join(std::string_view name, float weight) {
  const std::uint32_t user = place_of(name);
  if (users_[user].n_wanting == 0) {
    services_[user].service = std::max(services_[user].service, floor());
  }
  if (users_[user].n_requests++ == 0) ++n_present_;
  ++users_[user].n_wanting;
  services_[user].weight = weight;
  return user;
}

std::uint32_t FairShare::place_of(std::string_view name) {
  const auto [entry, is_new] = places_.try_emplace(std::string(name), 0);
  if (!is_new) return entry->second;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(users_.size()));
    users_.emplace_back();
    services_.emplace_back();
  }
  const std::uint32_t user = entry->second = free_.back();
  free_.pop_back();
  users_[user].name = name;
  users_[user].is_known = true;
  services_[user] = {};
  return user;
}

void FairShare::satisfy(std::uint32_t user) {
  if (--users_[user].n_wanting == 0) last_satisfied_ = services_[user].service;
}

void FairShare::leave(std::uint32_t user) {
  if (--users_[user].n_requests > 0) return;
  --n_present_;
  forget_some();
}

void FairShare::charge(std::uint32_t user, double n_tokens) {
  services_[user].service += n_tokens / static_cast<double>(services_[user].weight);
}

void FairShare::set_passing(std::span<const std::uint32_t> n_passing) {
  for (std::size_t user = 0; user < n_passing.size(); ++user) {
    services_[user].n_passing = n_passing[user];
  }
}

// To which those are lifted who begin to want.
double FairShare::floor() const {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t user = 0; user < users_.size(); ++user) {
    if (users_[user].n_wanting > 0) least = std::min(least, services_[user].service);
  }
  return least < std::numeric_limits<double>::infinity() ? least : last_satisfied_;
}

// Of those who left: all whom a return would lift anyway, and who are too many. With nobody there,
// that is everyone: nobody was kept from anything.
void FairShare::forget_some() {
  if (n_present_ == 0) last_satisfied_ = 0;
  const double least = n_present_ == 0 ? std::numeric_limits<double>::infinity() : floor();
  for (std::uint32_t user = 0; user < users_.size(); ++user) {
    const bool is_gone = users_[user].is_known && users_[user].n_requests == 0;
    if (is_gone && services_[user].service <= least) forget(user);
  }
  while (places_.size() - n_present_ > kMaxRemembered) {
    std::uint32_t meanest = 0;
    double least_of_gone = std::numeric_limits<double>::infinity();
    for (std::uint32_t user = 0; user < users_.size(); ++user) {
      if (!users_[user].is_known || users_[user].n_requests > 0) continue;
      if (services_[user].service >= least_of_gone) continue;
      least_of_gone = services_[user].service;
      meanest = user;
    }
    forget(meanest);
  }
}

void FairShare::forget(std::uint32_t user) {
  places_.erase(users_[user].name);
  users_[user] = {};
  free_.push_back(user);
}

}  // namespace jarip
