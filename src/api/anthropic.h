// Anthropic's Messages API: answers whole and as named events, and the counting of a prompt's
// tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/answer_writer.h"
#include "app/answerer.h"
#include "base/result.h"

namespace jarip {

[[nodiscard]] Result<AnswerPlan> plan_messages(std::string_view body, const ModelCard& card);
[[nodiscard]] Result<std::string> count_tokens_json(std::string_view body,
                                                    const Answerer& answerer);

class AnthropicWriter final : public AnswerWriter {
 public:
  AnthropicWriter(std::string id, std::string model);

  void set_started(const StartedTurn& started) override;
  void append_begin(std::string& out) override;
  void append_ping(std::string& out) override;
  void append_delta(std::string& out, std::uint32_t choice, const TextDelta& delta) override;
  void append_reasoning(std::string& out, std::uint32_t choice,
                        const ReasoningDelta& delta) override;
  void append_call(std::string& out, std::uint32_t choice, const CallDelta& delta) override;
  void append_end(std::string& out, std::uint32_t choice, const TurnEnd& end) override;
  void append_error(std::string& out, const Error& error) override;
  [[nodiscard]] std::string whole(const std::vector<WholeAnswer>& answers) override;

 private:
  enum class Block : std::uint8_t { kNone, kText, kThinking, kCall };

  // Ends the block before; content_block is what the new one begins as.
  void open_block(std::string& out, Block block, std::string_view content_block);
  void close_block(std::string& out);
  void append_block_delta(std::string& out, std::string_view delta) const;

  std::string id_;
  std::string model_;
  std::uint32_t n_prompt_tokens_ = 0;
  Block open_ = Block::kNone;
  std::uint32_t n_blocks_ = 0;  // begun
  bool has_calls_ = false;
};

}  // namespace jarip
