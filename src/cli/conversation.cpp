#include "cli/conversation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace jarip {

std::optional<SlashCommand> read_slash_command(std::string_view text) {
  if (!text.starts_with('/')) return std::nullopt;
  const std::size_t end = std::min(text.find_first_of(" \t\n"), text.size());
  SlashCommand command{.name = std::string(text.substr(1, end - 1)), .argument = {}};
  const std::size_t begin = text.find_first_not_of(" \t\n", end);
  if (begin != std::string_view::npos) {
    command.argument = text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
  }
  return command;
}

void Conversation::ask(std::string text) {
  messages_.push_back({.role = Role::kUser, .content = std::move(text)});
}

void Conversation::take_back() {
  if (!messages_.empty() && messages_.back().role == Role::kUser) messages_.pop_back();
}

void Conversation::answer(std::string text) {
  messages_.push_back({.role = Role::kAssistant, .content = std::move(text)});
}

bool Conversation::forget_answer() {
  if (messages_.empty() || messages_.back().role != Role::kAssistant) return false;
  messages_.pop_back();
  return true;
}

std::vector<Message> Conversation::messages() const {
  std::vector<Message> all;
  if (system_) all.push_back({.role = Role::kSystem, .content = *system_});
  all.insert(all.end(), messages_.begin(), messages_.end());
  return all;
}

Result<void> Conversation::save(const std::string& path) const {
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  for (const Message& message : messages()) {
    const std::string_view title = message.role == Role::kSystem ? "System"
                                   : message.role == Role::kUser ? "User"
                                                                 : "Assistant";
    file << "## " << title << "\n\n" << message.content << "\n\n";
  }
  file.close();
  if (file) return {};
  return fail(ErrorCode::kIo,
              fmt::format("can't write {}: {}", path, std::strerror(errno == 0 ? EIO : errno)));
}

}  // namespace jarip
