// OpenAI's Responses API: answers whole and as numbered events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/answer_writer.h"
#include "api/responses_request.h"
#include "base/result.h"

namespace jarip {

[[nodiscard]] Result<AnswerPlan> plan_response(std::string_view body, const ModelCard& card);

// What is the same in everything that is sent of one response.
struct ResponseHeader {
  std::string id;       // resp_…
  std::string item_id;  // msg_…
  std::string model;
  std::int64_t created = 0;  // Unix seconds
  ResponseEcho echo;
};

class ResponsesWriter final : public AnswerWriter {
 public:
  explicit ResponsesWriter(ResponseHeader header) : header_(std::move(header)) {}

  void set_started(const StartedTurn& started) override { seed_ = started.seed; }
  void append_begin(std::string& out) override;
  void append_delta(std::string& out, std::uint32_t choice, const TextDelta& delta) override;
  void append_reasoning(std::string& out, std::uint32_t choice,
                        const ReasoningDelta& delta) override;
  void append_call(std::string& out, std::uint32_t choice, const CallDelta& delta) override;
  void append_end(std::string& out, std::uint32_t choice, const TurnEnd& end) override;
  void append_error(std::string& out, const Error& error) override;
  [[nodiscard]] std::string whole(const std::vector<WholeAnswer>& answers) override;

 private:
  enum class Status : std::uint8_t { kInProgress, kCompleted, kIncomplete, kFailed };
  static std::string_view name_of(Status status);

  enum class ItemKind : std::uint8_t { kMessage, kReasoning, kCall };
  // One item of the output, as far as it has come.
  struct Item {
    explicit Item(ItemKind what) : kind(what) {}
    ItemKind kind;
    std::size_t index = 0;
    std::string text;  // of a call its arguments
    std::vector<TokenDetail> details;
    std::string call_id;
    std::string name;
  };

  // type and members of an event; the sequence number is added.
  void append_event(std::string& out, std::string_view type, std::string_view members);
  // Ends the item before.
  void open_item(std::string& out, Item item);
  void close_item(std::string& out, Status status);
  void add_to_output(std::string_view item);
  [[nodiscard]] std::string id_of(const Item& item) const;
  // "item_id":…,"output_index":… and, of what has parts, "content_index":0
  [[nodiscard]] std::string place_of(const Item& item) const;
  [[nodiscard]] std::string part_json(const Item& item) const;
  [[nodiscard]] std::string item_json(const Item& item, Status status) const;
  [[nodiscard]] std::string response_json(Status status, std::string_view output,
                                          const TurnEnd* end, const Error* error) const;

  ResponseHeader header_;
  std::uint64_t seed_ = 0;
  std::uint64_t n_events_ = 0;
  std::optional<Item> item_;         // being written
  std::size_t n_items_ = 0;          // begun
  std::string output_;               // the items before it
  std::vector<TokenDetail> unsent_;  // of tokens without text yet
};

}  // namespace jarip
