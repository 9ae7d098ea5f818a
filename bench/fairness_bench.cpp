// How long a user waits for the first token of questions of 50 tokens, on an idle engine and while
// another user's prompt of 16,000 tokens is read: fairness_bench MODEL [TOKENS]. One thread
// computes, and times are the processor time it has had: what other programs take doesn't count.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

#include "base/thread_pool.h"
#include "engine/engine.h"
#include "model/gguf.h"

namespace jarip {
namespace {

constexpr std::uint32_t kQuestionTokens = 50;
constexpr int kIdleQuestions = 60;

double cpu_seconds() {
  timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Measurement {
 public:
  Measurement(Engine& engine, std::uint32_t n_vocab) : engine_(engine), n_vocab_(n_vocab) {}

  // When the first token comes, from now on.
  std::future<double> ask(const char* user, std::uint32_t n_tokens) {
    GenerateRequest request;
    for (std::uint32_t i = 0; i < n_tokens; ++i) request.prompt.push_back(random_() % n_vocab_);
    request.sampling.temperature = 0;
    request.max_new_tokens = 1;
    request.user = user;
    auto answered = std::make_shared<std::promise<double>>();
    const double begin = cpu_seconds();
    const auto id = engine_.submit(std::move(request), [answered, begin](const Event& event) {
      if (std::holds_alternative<EndEvent>(event)) answered->set_value(cpu_seconds() - begin);
    });
    if (!id) answered->set_value(0);
    return answered->get_future();
  }

  std::vector<double> ask_while(const std::function<bool(std::size_t)>& goes_on) {
    std::vector<double> times;
    while (goes_on(times.size())) {
      times.push_back(ask("modest", kQuestionTokens).get());
      wait_a_while();
    }
    return times;
  }

 private:
  // Until some odd moment of a later step, if there are any.
  void wait_a_while() {
    const double end = cpu_seconds() + random_() % 200 * 1e-3;
    for (int i = 0; i < 5000 && engine_.stats().n_running > 0 && cpu_seconds() < end; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  Engine& engine_;
  std::uint32_t n_vocab_;
  std::mt19937 random_{1};
};

void print_row(std::string_view name, std::vector<double> times, double idle) {
  std::ranges::sort(times);
  const auto at = [&](double part) {
    return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
  };
  fmt::print("{:<28} {:>4}   {:7.1f} {:7.1f} {:7.1f}   {:5.2f} {:5.2f} {:5.2f}\n", name,
             times.size(), at(0.5) * 1e3, at(0.95) * 1e3, at(1) * 1e3, at(0.5) / idle,
             at(0.95) / idle, at(1) / idle);
}

Result<void> measure(const char* path, std::uint32_t n_long) {
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  ThreadPool pool(1);
  JARIP_TRY(const auto model, load_model(file, pool));
  JARIP_TRY(const auto engine, Engine::create(*model, {.n_ctx = n_long + 8}));
  Measurement measurement(*engine, model->config().n_vocab);
  const auto idle_questions = [&](std::size_t n) { return n < kIdleQuestions; };
  measurement.ask_while(idle_questions);
  std::vector<double> idle = measurement.ask_while(idle_questions);
  std::ranges::sort(idle);
  auto reading = measurement.ask("greedy", n_long);
  std::vector<double> beside = measurement.ask_while([&](std::size_t) {
    return reading.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  });
  beside.pop_back();  // may have been asked when all was read
  fmt::print("{:<28} {:>4}   {:>7} {:>7} {:>7}   over the idle median\n", "ms to the first token",
             "n", "median", "p95", "worst");
  print_row("idle", idle, idle[idle.size() / 2]);
  print_row(fmt::format("beside {} tokens", n_long), beside, idle[idle.size() / 2]);
  fmt::print("reading {} tokens took {:.1f} s\n", n_long, reading.get());
  return {};
}

}  // namespace
}  // namespace jarip

int main(int n_arguments, char** arguments) {
  std::uint32_t n_long = 16000;
  if (n_arguments > 2) {
    const std::string_view text = arguments[2];
    std::from_chars(text.data(), text.data() + text.size(), n_long);
  }
  if (n_arguments < 2) {
    fmt::print(stderr, "fairness_bench MODEL [TOKENS]\n");
    return 2;
  }
  const auto done = jarip::measure(arguments[1], n_long);
  if (!done) fmt::print(stderr, "{}\n", done.error().message);
  return done ? 0 : 1;
}
