// Text for a gap in code, as editors' plugins ask llama.cpp's server for it: /infill.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/answer_writer.h"
#include "api/schema_set.h"
#include "base/result.h"

namespace jarip {

// Errors: kInvalidArgument and kUnsupported, naming the field by its path.
[[nodiscard]] Result<AnswerPlan> plan_infill(std::string_view body, const ModelCard& card);

void describe_infill(SchemaSet& schemas);

class InfillWriter final : public AnswerWriter {
 public:
  // response_fields: what of the answer is sent, by paths like "timings/predicted_ms"; empty: all.
  // is_warm_up: the prompt alone was wanted, and the one token that was drawn is dropped.
  InfillWriter(std::string model, std::vector<std::string> response_fields, bool is_warm_up);

  void append_delta(std::string& out, std::uint32_t choice, const TextDelta& delta) override;
  void append_end(std::string& out, std::uint32_t choice, const TurnEnd& end) override;
  void append_error(std::string& out, const Error& error) override;
  [[nodiscard]] std::string whole(const std::vector<WholeAnswer>& answers) override;

 private:
  std::string model_;
  std::vector<std::string> response_fields_;
  bool is_warm_up_;
  bool has_line_end_ = false;
};

}  // namespace jarip
