// Every command of the program, with every option it takes. The one place where a command is added.
#pragma once

#include <cstdint>
#include <vector>

#include "base/log.h"
#include "base/options.h"
#include "cli/bench.h"
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/convert.h"
#include "cli/eval.h"
#include "cli/imatrix.h"
#include "cli/import.h"
#include "cli/inspect.h"
#include "cli/keys.h"
#include "cli/models.h"
#include "cli/pull.h"
#include "cli/quantize.h"
#include "cli/remove.h"
#include "cli/run.h"
#include "cli/serve.h"
#include "cli/synth.h"
#include "cli/tokenize.h"

namespace jarip {

enum class LanguageChoice : std::uint8_t { kAuto, kEnglish, kKorean };

struct GlobalOptions {
  LanguageChoice language = LanguageChoice::kAuto;
  LogLevel log = LogLevel::kWarning;
};

// The options of all commands; the commands refer to them.
struct CommandOptions {
  BenchOptions bench;
  ChatOptions chat;
  ConvertOptions convert;
  EvalOptions eval;
  ImatrixOptions imatrix;
  ImportOptions import;
  InspectOptions inspect;
  KeysCreateOptions keys_create;
  KeysListOptions keys_list;
  KeysRevokeOptions keys_revoke;
  ModelsOptions models;
  PullOptions pull;
  QuantizeOptions quantize;
  RemoveOptions remove;
  RunOptions run;
  ServeOptions serve;
  SynthOptions synth;
  TokenizeOptions tokenize;
};

[[nodiscard]] OptionSet declare_globals(GlobalOptions& options);
// In the order in which help lists them.
[[nodiscard]] std::vector<Command> declare_commands(CommandOptions& options);

}  // namespace jarip
