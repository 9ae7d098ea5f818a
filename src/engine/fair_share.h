// How much of the machine each user has had, in tokens over the user's weight, those far into a
// text counting more (cost_of_tokens() in scheduler.h): a virtual token counter (Sheng et al.,
// "Fairness in serving large language models", OSDI 2024). Of the users who want something, whoever
// has had the least comes first. A request is wanting until its prompt is computed. A user who had
// none such is lifted to the least of those who have, so that nobody saves up service; one who
// leaves with more stays remembered, so that nobody sheds it. Owned by the engine; its thread alone
// calls it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jarip {

struct UserService {
  double service = 0;  // tokens / weight
  float weight = 1;
  // Requests that started one after the other although one of the user's own had waited longer.
  std::uint32_t n_passing = 0;
};

class FairShare {
 public:
  // A token of an answer counts as this many of a prompt.
  static constexpr double kOutputTokens = 2;
  // Users remembered after they left; beyond that, those with the least service are forgotten.
  static constexpr std::size_t kMaxRemembered = 1024;

  // One more request of this user, a wanting one; the user's place in users(). The latest weight,
  // above 0, holds.
  [[nodiscard]] std::uint32_t join(std::string_view name, float weight);
  // One of its requests is no longer wanting, or wanting again.
  void satisfy(std::uint32_t user);
  void want_again(std::uint32_t user) { ++users_[user].n_wanting; }
  // One request fewer, which is not wanting.
  void leave(std::uint32_t user);

  void charge(std::uint32_t user, double n_tokens);

  // For every place of users().
  void set_passing(std::span<const std::uint32_t> n_passing);

  // Places of users without requests mean nothing.
  [[nodiscard]] std::span<const UserService> users() const { return services_; }
  [[nodiscard]] std::size_t n_known() const { return places_.size(); }

 private:
  struct User {
    std::string name;
    std::uint32_t n_requests = 0;
    std::uint32_t n_wanting = 0;
    bool is_known = false;
  };

  [[nodiscard]] std::uint32_t place_of(std::string_view name);
  [[nodiscard]] double floor() const;
  void forget(std::uint32_t user);
  void forget_some();

  std::vector<UserService> services_;  // by place
  std::vector<User> users_;            // the same
  std::vector<std::uint32_t> free_;    // places
  std::unordered_map<std::string, std::uint32_t> places_;
  std::size_t n_present_ = 0;  // users with requests
  double last_satisfied_ = 0;  // service of the user who was so last
};

}  // namespace jarip
