#include "cli/chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include "app/pipeline.h"
#include "base/home.h"
#include "base/log.h"
#include "base/options.h"
#include "cli/answer_stream.h"
#include "cli/conversation.h"
#include "cli/history.h"
#include "cli/input.h"
#include "cli/terminal.h"

namespace jarip {
namespace {

constexpr std::string_view kPrompt = "> ";

constexpr Words kWelcome = {
    "Talking with {}. Enter sends, Alt-Enter or \\ begins a new line, Ctrl-C stops an answer,\n"
    "Ctrl-D leaves, /help lists the commands.",
    "{} 모델과 대화합니다. Enter로 보내고, Alt-Enter나 \\로 줄을 바꾸고, Ctrl-C로 답을 멈추고,\n"
    "Ctrl-D로 나갑니다. /help를 치면 명령을 볼 수 있습니다."};
constexpr Words kHelp = {
    "/help            this list\n"
    "/system [TEXT]   set the system prompt and begin anew; without TEXT, show it\n"
    "/reset           forget what was said\n"
    "/regenerate      give the last answer again, with a new seed\n"
    "/save FILE       write the conversation into a file\n"
    "/stats           speeds of the last answer\n"
    "/exit            leave",
    "/help            이 목록\n"
    "/system [글]     시스템 프롬프트를 정하고 새로 시작한다. 글이 없으면 지금 것을 보여 준다\n"
    "/reset           지금까지 한 말을 잊는다\n"
    "/regenerate      마지막 답을 새 시드로 다시 쓴다\n"
    "/save 파일       대화를 파일에 저장한다\n"
    "/stats           마지막 답의 속도\n"
    "/exit            나간다"};
constexpr Words kReset = {"Forgotten.", "모두 잊었습니다."};
constexpr Words kNoSystem = {"There is no system prompt.", "시스템 프롬프트가 없습니다."};
constexpr Words kSystemSet = {"Done; the conversation begins anew.",
                              "정했습니다. 대화를 새로 시작합니다."};
constexpr Words kNoAnswer = {"There is no answer yet.", "아직 답이 없습니다."};
constexpr Words kSaved = {"Saved in {}.", "{}에 저장했습니다."};
constexpr Words kSaveWhere = {"Say where: /save FILE", "어디에 저장할지 쓰세요: /save 파일"};
constexpr Words kStopped = {"(stopped)", "(멈췄습니다)"};
constexpr Words kUnknown = {"There is no command /{}; /help lists them.",
                            "/{} 명령은 없습니다. /help로 볼 수 있습니다."};
constexpr Words kFull = {"(the answer ends here: it reached its limit of {} tokens)",
                         "(답이 토큰 {}개 한도에 이르러 여기서 끝났습니다)"};
constexpr Words kContextFull = {
    "(the answer ends here: the context is full; /reset begins anew, --ctx N makes it longer)",
    "(문맥이 가득 차서 답이 여기서 끝났습니다. /reset으로 새로 시작하거나 --ctx N으로 늘리세요)"};
constexpr Words kOverflow = {
    "This doesn't fit the context any more; /reset begins anew, --ctx N makes it longer.",
    "문맥에 더 들어가지 않습니다. /reset으로 새로 시작하거나 --ctx N으로 늘리세요."};
constexpr Words kLeave = {"(Ctrl-D or /exit leaves)", "(Ctrl-D나 /exit로 나갑니다)"};

class Chat {
 public:
  Chat(const ChatOptions& options, LoadedModel& model, History history)
      : options_(options),
        pipeline_(model),
        talk_(options.system),
        history_(std::move(history)),
        interactive_(isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) {}

  Result<void> talk();

 private:
  enum class Next : bool { kContinue, kLeave };

  LineOutcome read_line(std::string& text);
  Result<Next> obey(const SlashCommand& command);
  Result<void> obey_system(const std::string& text);
  Result<void> obey_save(const std::string& path);
  Result<void> regenerate();
  Result<void> ask(std::string text);
  // False when the model couldn't answer, which the person has then been told.
  Result<bool> answer(std::optional<std::uint64_t> seed);
  void tell_end(const TurnEnd& end) const;
  void remember(const std::string& text);

  // What is not part of the conversation goes to standard error.
  void tell(std::string_view text) const { fmt::print(stderr, "{}\n", text); }
  void tell(const Words& words) const { tell(words.in(options_.language)); }
  template <class T>
  void tell(const Words& words, const T& value) const {
    tell(fmt::format(fmt::runtime(words.in(options_.language)), value));
  }

  const ChatOptions& options_;
  Pipeline pipeline_;
  Conversation talk_;
  History history_;
  LineReader lines_;
  bool interactive_;
  std::optional<TurnEnd> last_end_;
};

Result<void> Chat::talk() {
  if (interactive_) tell(kWelcome, printable(pipeline_.model().name()));
  while (true) {
    std::string text;
    const LineOutcome outcome = read_line(text);
    if (outcome == LineOutcome::kEnded) return {};
    if (outcome == LineOutcome::kInterrupted) {
      tell(kLeave);
      continue;
    }
    if (text.find_first_not_of(" \t\n") == std::string::npos) continue;
    remember(text);
    if (const auto command = read_slash_command(text)) {
      JARIP_TRY(const Next next, obey(*command));
      if (next == Next::kLeave) return {};
    } else {
      JARIP_CHECK(ask(std::move(text)));
    }
  }
}

LineOutcome Chat::read_line(std::string& text) {
  if (interactive_) return lines_.read(kPrompt, history_.entries(), text);
  std::string line;
  while (std::getline(std::cin, line)) {
    text += line;
    if (!text.ends_with('\\') || text.size() > kMaxInputBytes) return LineOutcome::kLine;
    text.back() = '\n';
  }
  return text.empty() ? LineOutcome::kEnded : LineOutcome::kLine;
}

Result<Chat::Next> Chat::obey(const SlashCommand& command) {
  if (command.name == "exit" || command.name == "quit") return Next::kLeave;
  if (command.name == "help") {
    tell(kHelp);
  } else if (command.name == "reset") {
    talk_.reset();
    tell(kReset);
  } else if (command.name == "system") {
    JARIP_CHECK(obey_system(command.argument));
  } else if (command.name == "save") {
    JARIP_CHECK(obey_save(command.argument));
  } else if (command.name == "regenerate") {
    JARIP_CHECK(regenerate());
  } else if (command.name == "stats") {
    last_end_ ? tell(speeds_of(*last_end_)) : tell(kNoAnswer);
  } else {
    tell(kUnknown, printable(command.name));
  }
  return Next::kContinue;
}

Result<void> Chat::obey_system(const std::string& text) {
  if (!text.empty()) {
    talk_.set_system(text);
    talk_.reset();
    tell(kSystemSet);
  } else if (talk_.system()) {
    tell(printable(*talk_.system()));
  } else {
    tell(kNoSystem);
  }
  return {};
}

Result<void> Chat::obey_save(const std::string& path) {
  if (path.empty()) {
    tell(kSaveWhere);
  } else if (const auto saved = talk_.save(path); !saved) {
    tell(printable(saved.error().message));
  } else {
    tell(kSaved, printable(path));
  }
  return {};
}

Result<void> Chat::regenerate() {
  Conversation before = talk_;
  if (!talk_.forget_answer()) {
    tell(kNoAnswer);
    return {};
  }
  JARIP_TRY(const bool answered, answer(std::nullopt));
  if (!answered) talk_ = std::move(before);
  return {};
}

Result<void> Chat::ask(std::string text) {
  talk_.ask(std::move(text));
  JARIP_TRY(const bool answered, answer(options_.sampling.seed));
  if (!answered) talk_.take_back();
  return {};
}

Result<bool> Chat::answer(std::optional<std::uint64_t> seed) {
  Turn turn;
  apply(options_.sampling, turn);
  turn.seed = seed;
  turn.input = talk_.messages();
  std::string text;
  std::optional<RawMode> unseen;  // keys typed meanwhile wait for the next line
  if (interactive_) unseen.emplace(RawMode::CtrlC::kSignal);
  const Result<TurnEnd> end =
      stream_answer(pipeline_, std::move(turn), [&text](std::string_view piece) {
        text += piece;
        return write_answer(piece);
      });
  unseen.reset();
  if (!end) {
    if (end.error().code == ErrorCode::kIo) return std::unexpected(end.error());
    tell(printable(end.error().message));
    if (end.error().code == ErrorCode::kContextOverflow) tell(kOverflow);
    return false;
  }
  JARIP_CHECK(write_answer("\n"));
  last_end_ = *end;
  tell_end(*end);
  talk_.answer(std::move(text));
  return true;
}

void Chat::tell_end(const TurnEnd& end) const {
  if (end.finish == TurnFinish::kCancelled) tell(kStopped);
  if (end.finish != TurnFinish::kLength) return;
  if (options_.sampling.max_tokens && end.n_new_tokens >= *options_.sampling.max_tokens) {
    tell(kFull, *options_.sampling.max_tokens);
  } else {
    tell(kContextFull);
  }
}

// A history that can't be written is told once; the conversation goes on without it.
void Chat::remember(const std::string& text) {
  if (!interactive_) return;
  if (const auto added = history_.add(text); !added) {
    tell(printable(added.error().message));
    history_ = History();
  }
}

// A history that can't be read is told; the conversation goes on without it.
History open_history(const ChatOptions& options) {
  const auto home = home_folder([](const char* name) { return std::getenv(name); });
  if (!options.history || !home) return {};
  Result<History> history = History::open(*home / "history");
  if (history) return *std::move(history);
  fmt::print(stderr, "{}\n", printable(history.error().message));
  return {};
}

}  // namespace

Result<void> run_chat(const ChatOptions& options) {
  JARIP_TRY(const auto model, load_named_model(options.model, options.loading));
  JARIP_CHECK(model->require_chat_template());
  return Chat(options, *model, open_history(options)).talk();
}

}  // namespace jarip
