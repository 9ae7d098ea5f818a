// Answers of OpenAI's completion endpoints as JSON text, whole or as a stream of events. A writer
// belongs to one answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/openai_request.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

// What is the same in everything that is sent of one answer.
struct AnswerHeader {
  OpenAiEndpoint endpoint = OpenAiEndpoint::kChat;
  std::string id;
  std::int64_t created = 0;  // Unix seconds
  std::string model;
  std::string fingerprint;
};

class OpenAiStreamWriter {
 public:
  OpenAiStreamWriter(const AnswerHeader& header, bool include_usage);

  // Each appends whole server-sent events. The role comes before the first delta or the end.
  void append_delta(std::string& out, const TextDelta& delta);
  // The last delta with its reason, the usage if it was asked for, and [DONE].
  void append_end(std::string& out, const TurnEnd& end);
  // After this the stream ends without [DONE].
  static void append_error(std::string& out, const Error& error);

 private:
  void append_chunk(std::string& out, std::string_view choice) const;
  void append_role(std::string& out);

  OpenAiEndpoint endpoint_;
  bool include_usage_;
  bool has_begun_ = false;
  std::size_t text_offset_ = 0;  // characters before the next delta
  std::string prefix_;           // of every chunk, up to its choices
};

// The answer to a request without stream; deltas in order.
[[nodiscard]] std::string openai_answer_json(const AnswerHeader& header,
                                             const std::vector<TextDelta>& deltas,
                                             const TurnEnd& end);

// An answer that ended in failure, or was cut off by the server; nullopt for every other one.
[[nodiscard]] std::optional<Error> failure_of(const TurnEnd& end);

}  // namespace jarip
