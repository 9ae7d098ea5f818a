#include "app/model_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>

#include "base/log.h"

namespace jarip {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxNamed = 12;       // models, in an error
constexpr std::size_t kMaxShownName = 128;  // bytes of a name that isn't known

// What is counted, and what is so at the moment.
void add_counts(EngineStats& sum, const EngineStats& more) {
  for (std::size_t i = 0; i < sum.steps_by_size.size(); ++i) {
    sum.steps_by_size[i] += more.steps_by_size[i];
  }
  for (const auto member :
       {&EngineStats::n_steps, &EngineStats::sequence_steps, &EngineStats::parked,
        &EngineStats::prefix_queries, &EngineStats::prefix_hits, &EngineStats::prompt_tokens,
        &EngineStats::new_tokens, &EngineStats::draft_tokens, &EngineStats::accepted_draft_tokens,
        &EngineStats::finished_end, &EngineStats::finished_length, &EngineStats::finished_cancelled,
        &EngineStats::finished_failed}) {
    sum.*member += more.*member;
  }
}

void add_present(EngineStats& sum, const EngineStats& more) {
  for (const auto member : {&EngineStats::n_running, &EngineStats::n_waiting, &EngineStats::n_pages,
                            &EngineStats::n_pages_used, &EngineStats::n_pages_cached}) {
    sum.*member += more.*member;
  }
}

Error stopping() { return {ErrorCode::kUnavailable, "the server is stopping", {}}; }

}  // namespace

struct ModelPool::Entry {
  Residency::ModelId id = 0;
  LibraryModel file;
  bool is_there = true;  // the file
  KnownModel known;
  std::optional<Error> problem;  // why it can't be loaded
  std::string last_failure;
  std::unique_ptr<Answerer> answerer;
  std::atomic<float> progress{0};
  std::uint64_t n_loads = 0;
  std::uint64_t n_failures = 0;
  std::uint64_t n_unloads = 0;
  double load_seconds = 0;
};

std::string_view model_state_name(ModelState state) {
  switch (state) {
    case ModelState::kUnloaded:
      return "unloaded";
    case ModelState::kLoading:
      return "loading";
    case ModelState::kLoaded:
      return "loaded";
    case ModelState::kUnloading:
      return "unloading";
    case ModelState::kTooLarge:
      return "too_large";
    case ModelState::kUnusable:
      return "unusable";
  }
  return "unusable";
}

ModelUse::~ModelUse() {
  if (pool_ != nullptr) pool_->release(id_);
}

ModelPool::ModelPool(ModelPoolOptions options)
    : options_(std::move(options)),
      residency_(options_.limits),
      thread_([this](const std::stop_token& stop) { work(stop); }) {}

ModelPool::~ModelPool() { close(); }

Result<void> ModelPool::refresh() {
  const std::lock_guard reading(refreshing_);
  JARIP_TRY(const std::vector<LibraryModel> files, options_.list());
  std::vector<LibraryModel> changed;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) entry->is_there = false;
    for (const LibraryModel& file : files) {
      const auto id = ids_.find(file.name);
      if (id == ids_.end()) {
        changed.push_back(file);
        continue;
      }
      Entry& entry = *entries_[id->second];
      entry.is_there = true;
      const bool is_same = entry.file.modified == file.modified &&
                           entry.file.n_bytes == file.n_bytes && entry.file.path == file.path;
      // What is in memory or about to be stays what it is.
      const bool is_free = residency_.state(entry.id) == Residency::State::kUnloaded &&
                           !residency_.is_waited_for(entry.id);
      if (!is_same && is_free) changed.push_back(file);
    }
  }
  for (const LibraryModel& file : changed) add(file);
  return {};
}

// A file that is new or another than before. Its header is read without the lock.
void ModelPool::add(const LibraryModel& file) {
  auto known = options_.describe(file);
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] =
      ids_.try_emplace(file.name, static_cast<Residency::ModelId>(entries_.size()));
  const std::uint64_t n_bytes = known ? known->outline.memory.total() : 0;
  if (is_new) {
    residency_.add(n_bytes);
    entries_.push_back(std::make_unique<Entry>());
    entries_.back()->id = at->second;
  }
  Entry& entry = *entries_[at->second];
  const bool is_free = residency_.state(entry.id) == Residency::State::kUnloaded &&
                       !residency_.is_waited_for(entry.id);
  if (!is_free) return;
  residency_.set_bytes(entry.id, n_bytes);
  entry.file = file;
  entry.is_there = true;
  entry.last_failure.clear();
  entry.problem.reset();
  entry.known = known ? *std::move(known) : KnownModel{};
  entry.known.card.name = file.name;
  if (!known) {
    entry.problem = std::move(known).error();
  } else if (auto fits =
                 check_memory(file.name, entry.known.outline.memory, options_.limits.n_bytes);
             !fits) {
    entry.problem = std::move(fits).error();
  }
}

Error ModelPool::not_found(std::string_view name) const {
  std::string names;
  std::size_t n_named = 0;
  std::size_t n_more = 0;
  for (const auto& [known, id] : ids_) {
    if (!entries_[id]->is_there) continue;
    if (n_named == kMaxNamed) {
      ++n_more;
      continue;
    }
    names += (n_named++ == 0 ? "" : ", ") + known;
  }
  if (n_more > 0) names += fmt::format(" and {} more", n_more);
  if (name.empty()) {
    return {ErrorCode::kInvalidArgument,
            fmt::format("say which model: {}", names.empty() ? "there is none yet" : names),
            "model"};
  }
  return {ErrorCode::kNotFound,
          fmt::format("there is no model \"{}\" here; {}", name.substr(0, kMaxShownName),
                      names.empty()                 ? "there is none at all"
                      : n_named == 1 && n_more == 0 ? fmt::format("the only one is \"{}\"", names)
                                                    : "the models are " + names),
          "model"};
}

Result<const ModelPool::Entry*> ModelPool::find_entry(std::string_view name) const {
  const std::string_view wanted = name.empty() ? std::string_view(options_.default_model) : name;
  const auto id = ids_.find(wanted);
  if (id == ids_.end()) return std::unexpected(not_found(name));
  const Entry& entry = *entries_[id->second];
  const bool is_here = entry.is_there || residency_.state(entry.id) != Residency::State::kUnloaded;
  if (!is_here) return std::unexpected(not_found(name));
  return &entry;
}

Result<const ModelPool::Entry*> ModelPool::find_usable(std::string_view name) const {
  JARIP_TRY(const Entry* entry, find_entry(name));
  if (entry->problem) return std::unexpected(*entry->problem);
  return entry;
}

Result<ModelCard> ModelPool::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  JARIP_TRY(const Entry* entry, find_usable(name));
  return entry->known.card;
}

bool ModelPool::knows(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return find_entry(name).has_value();
}

ModelPool::Asked ModelPool::acquire(std::string_view name, OnReady on_ready) {
  Calls calls;
  Asked asked;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = find_usable(name);
    if (!entry || is_stopping_) {
      asked.answer.emplace(std::unexpected(entry ? stopping() : entry.error()));
      return asked;
    }
    const Residency::ModelId id = (*entry)->id;
    asked.ticket = ++last_ticket_;
    switch (residency_.request(id, asked.ticket, Clock::now())) {
      case Residency::Outcome::kGranted:
        asked.answer.emplace(ModelUse(*this, id, *(*entry)->answerer));
        break;
      case Residency::Outcome::kWaits:
        waiting_.emplace(asked.ticket, Waiting{id, std::move(on_ready)});
        break;
      case Residency::Outcome::kTooLarge:
        asked.answer.emplace(
            std::unexpected(check_memory((*entry)->file.name, (*entry)->known.outline.memory,
                                         options_.limits.n_bytes)
                                .error()));
        break;
      case Residency::Outcome::kLineFull:
        asked.answer.emplace(fail(ErrorCode::kUnavailable,
                                  fmt::format("{} requests wait for their models already; try "
                                              "again later",
                                              options_.limits.max_waiting),
                                  std::string(kModelLine)));
        break;
    }
    note_change(calls);
  }
  call(calls);
  return asked;
}

void ModelPool::cancel(Ticket ticket) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.erase(ticket) == 0) return;
    residency_.cancel(ticket);
    note_change(calls);
  }
  call(calls);
}

void ModelPool::release(Residency::ModelId model) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    residency_.release(model, Clock::now());
    note_change(calls);
  }
  call(calls);
}

Result<void> ModelPool::unload(std::string_view name) {
  {
    const std::lock_guard lock(mutex_);
    JARIP_TRY(const Entry* entry, find_entry(name));
    const std::uint32_t n_users = residency_.n_users(entry->id);
    if (n_users > 0 || residency_.is_waited_for(entry->id)) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("{} is in use; a model is unloaded only when nobody uses it",
                              entry->file.name),
                  "model");
    }
    residency_.unload_when_idle(entry->id);
    has_changed_ = true;
  }
  changed_.notify_one();
  return {};
}

ModelStatus ModelPool::status_of(const Entry& entry) const {
  ModelStatus out{.card = entry.known.card,
                  .outline = entry.known.outline,
                  .problem = entry.problem ? entry.problem->message : entry.last_failure,
                  .n_bytes = entry.file.n_bytes,
                  .progress = entry.progress.load(),
                  .n_users = residency_.n_users(entry.id),
                  .n_loads = entry.n_loads,
                  .n_failures = entry.n_failures,
                  .n_unloads = entry.n_unloads,
                  .load_seconds = entry.load_seconds};
  switch (residency_.state(entry.id)) {
    case Residency::State::kUnloaded:
      out.state = !entry.problem                                ? ModelState::kUnloaded
                  : entry.problem->code == ErrorCode::kTooLarge ? ModelState::kTooLarge
                                                                : ModelState::kUnusable;
      break;
    case Residency::State::kLoading:
      out.state = ModelState::kLoading;
      break;
    case Residency::State::kLoaded:
      out.state = ModelState::kLoaded;
      break;
    case Residency::State::kUnloading:
      out.state = ModelState::kUnloading;
      break;
  }
  return out;
}

std::vector<ModelStatus> ModelPool::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelStatus> out;
  for (const auto& [name, id] : ids_) {
    if (!find_entry(name)) continue;
    const bool is_default = name == options_.default_model;
    out.insert(is_default ? out.begin() : out.end(), status_of(*entries_[id]));
  }
  return out;
}

Result<ModelStatus> ModelPool::status(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  JARIP_TRY(const Entry* entry, find_entry(name));
  return status_of(*entry);
}

std::uint64_t ModelPool::resident_bytes() const {
  const std::lock_guard lock(mutex_);
  return residency_.resident_bytes();
}

EngineStats ModelPool::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats sum = unloaded_stats_;
  for (const auto& entry : entries_) {
    if (entry->answerer == nullptr) continue;
    const EngineStats stats = entry->answerer->stats();
    add_counts(sum, stats);
    add_present(sum, stats);
  }
  return sum;
}

void ModelPool::close() {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    fail_waiting(residency_.clear_line(), stopping(), calls);
  }
  call(calls);
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  for (const auto& entry : entries_) entry->answerer.reset();
}

void ModelPool::fail_waiting(const std::vector<Ticket>& tickets, const Error& error, Calls& calls) {
  for (const Ticket ticket : tickets) {
    if (auto waiting = waiting_.extract(ticket)) {
      calls.emplace_back(std::move(waiting.mapped().on_ready), std::unexpected(error));
    }
  }
}

void ModelPool::note_change(Calls& calls) {
  for (const Ticket ticket : residency_.take_granted()) {
    auto waiting = waiting_.extract(ticket);
    const Residency::ModelId id = waiting.mapped().model;
    calls.emplace_back(std::move(waiting.mapped().on_ready),
                       ModelUse(*this, id, *entries_[id]->answerer));
  }
  has_changed_ = true;
  changed_.notify_one();
}

void ModelPool::call(Calls& calls) {
  for (auto& [on_ready, result] : calls) on_ready(std::move(result));
  calls.clear();
}

void ModelPool::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (const auto next = residency_.next(Clock::now())) {
      Entry& entry = *entries_[next->model];
      if (next->is_load) {
        load(lock, entry);
      } else {
        unload(lock, entry);
      }
      continue;
    }
    const auto has_changed = [this] { return std::exchange(has_changed_, false); };
    if (const auto expiry = residency_.next_expiry()) {
      changed_.wait_until(lock, stop, *expiry, has_changed);
    } else {
      changed_.wait(lock, stop, has_changed);
    }
  }
}

void ModelPool::load(std::unique_lock<std::mutex>& lock, Entry& entry) {
  entry.progress = 0;
  const LibraryModel file = entry.file;
  lock.unlock();
  const auto begun = Clock::now();
  auto answerer = options_.load(file, [&entry](float fraction) { entry.progress.store(fraction); });
  const std::chrono::duration<double> passed = Clock::now() - begun;
  Calls calls;
  lock.lock();
  if (answerer) {
    entry.answerer = *std::move(answerer);
    ++entry.n_loads;
    entry.load_seconds += passed.count();
    entry.last_failure.clear();
    residency_.loaded(entry.id, Clock::now());
  } else {
    ++entry.n_failures;
    entry.last_failure = answerer.error().message;
    fail_waiting(residency_.failed(entry.id), answerer.error(), calls);
  }
  note_change(calls);
  lock.unlock();
  call(calls);
  log_line(LogLevel::kInfo,
           answerer ? fmt::format("{} is loaded, in {:.1f} s", file.name, passed.count())
                    : fmt::format("{} can't be loaded: {}", file.name, answerer.error().message));
  lock.lock();
}

void ModelPool::unload(std::unique_lock<std::mutex>& lock, Entry& entry) {
  add_counts(unloaded_stats_, entry.answerer->stats());
  std::unique_ptr<Answerer> answerer = std::move(entry.answerer);
  lock.unlock();
  answerer.reset();
  log_line(LogLevel::kInfo, fmt::format("{} is unloaded", entry.file.name));
  Calls calls;
  lock.lock();
  ++entry.n_unloads;
  residency_.unloaded(entry.id);
  note_change(calls);
  lock.unlock();
  call(calls);
  lock.lock();
}

}  // namespace jarip
