// Answers of OpenAI's completion endpoints as JSON text, whole or as a stream of events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/answer_writer.h"
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

class OpenAiWriter final : public AnswerWriter {
 public:
  // n_choices: of each prompt.
  OpenAiWriter(const AnswerHeader& header, std::uint32_t n_choices, bool include_usage,
               std::uint32_t n_prompts = 1);

  // The role comes before a choice's first delta or its end.
  void append_delta(std::string& out, std::uint32_t choice, const TextDelta& delta) override;
  // Under both of the names that clients know.
  void append_reasoning(std::string& out, std::uint32_t choice,
                        const ReasoningDelta& delta) override;
  void append_call(std::string& out, std::uint32_t choice, const CallDelta& delta) override;
  // The last delta, with its reason and the seed that gives this choice alone.
  void append_end(std::string& out, std::uint32_t choice, const TurnEnd& end) override;
  // The usage if it was asked for, and [DONE].
  void append_finish(std::string& out) override;
  // After this the stream ends without [DONE].
  void append_error(std::string& out, const Error& error) override;

  [[nodiscard]] std::string whole(const std::vector<WholeAnswer>& answers) override;

 private:
  struct Choice {
    bool has_begun = false;
    bool has_calls = false;
    std::size_t text_offset = 0;  // characters before the next delta
    TurnEnd end;
  };

  void append_chunk(std::string& out, std::string_view choice) const;
  void append_chat_delta(std::string& out, std::uint32_t choice, std::string_view members) const;
  void append_role(std::string& out, std::uint32_t choice);

  AnswerHeader header_;
  std::uint32_t n_per_prompt_;
  bool include_usage_;
  std::string prefix_;  // of every chunk, up to its choices
  std::vector<Choice> choices_;
};

}  // namespace jarip
