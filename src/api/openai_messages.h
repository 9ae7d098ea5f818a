// The messages of OpenAI's chats. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/field_table.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

// A message while its fields come in.
struct MessageDraft {
  std::optional<Role> role;
  std::optional<std::string> content;
  std::optional<std::string> reasoning;
  std::vector<ToolCall> calls;
  std::optional<std::string> call_id;
};

[[nodiscard]] FieldTable<MessageDraft> openai_message_fields();

[[nodiscard]] Result<std::vector<Message>> read_openai_messages(const boost::json::value& list,
                                                                std::string_view path);

}  // namespace jarip
