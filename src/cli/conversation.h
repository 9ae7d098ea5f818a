// What was said so far in a chat, and how a person changes it. Plain values; one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/turn.h"
#include "base/result.h"

namespace jarip {

// "/save notes.md" is the command "save" with the argument "notes.md"; null for what isn't one.
struct SlashCommand {
  std::string name;
  std::string argument;
};
[[nodiscard]] std::optional<SlashCommand> read_slash_command(std::string_view text);

class Conversation {
 public:
  explicit Conversation(std::optional<std::string> system) : system_(std::move(system)) {}

  // Forgets what was said; the system prompt stays.
  void reset() { messages_.clear(); }
  void set_system(std::optional<std::string> system) { system_ = std::move(system); }
  [[nodiscard]] const std::optional<std::string>& system() const { return system_; }

  // A question is part of the conversation only once it was answered: take_back() undoes ask()
  // when it couldn't be.
  void ask(std::string text);
  void take_back();
  void answer(std::string text);

  // Removes the last answer, so that it can be given again; false if there is none.
  [[nodiscard]] bool forget_answer();

  // System prompt first.
  [[nodiscard]] std::vector<Message> messages() const;
  [[nodiscard]] bool empty() const { return messages_.empty(); }

  // As Markdown. Error: kIo.
  [[nodiscard]] Result<void> save(const std::string& path) const;

 private:
  std::optional<std::string> system_;
  std::vector<Message> messages_;
};

}  // namespace jarip
