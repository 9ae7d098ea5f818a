#include "convert/hub_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/exact_math.h"

namespace jarip {
namespace {

constexpr std::uint64_t kMaxDimension = 1U << 31U;  // of a shape, so that no product overflows

std::unexpected<Error> corrupt(const SafeTensor& tensor, std::string_view what) {
  return fail(ErrorCode::kCorrupt, fmt::format("tensor {} {}", tensor.name, what), tensor.name);
}

// "model.layers.12.mlp.experts.3.w1.weight" as "model.layers.#.mlp.experts.#.w1.weight", and 12, 3.
struct Pattern {
  std::string text;
  std::vector<std::uint32_t> numbers;
};

Pattern pattern_of(std::string_view name) {
  Pattern out;
  while (true) {
    const std::size_t end = std::min(name.find('.'), name.size());
    const std::string_view word = name.substr(0, end);
    std::uint32_t number = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    const bool is_number = error == std::errc() && stop == word.data() + word.size();
    if (is_number) out.numbers.push_back(number);
    out.text.append(is_number ? "#" : word);
    if (end == name.size()) return out;
    out.text += '.';
    name.remove_prefix(end + 1);
  }
}

// What a tensor is called where a model consists of nothing else.
std::string plain_name(std::string_view name, bool is_encoder) {
  const auto strip = [&](std::string_view prefix) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    return true;
  };
  if (is_encoder) {
    strip("bert.") || strip("roberta.");
    return std::string(name);
  }
  if (strip("model.language_model.")) return fmt::format("model.{}", name);
  strip("language_model.");
  const bool is_whole = name.starts_with("model.") || name.starts_with("lm_head.") ||
                        name.starts_with("vision_tower.") ||
                        name.starts_with("multi_modal_projector.") || name.starts_with("mtp.");
  return is_whole ? std::string(name) : fmt::format("model.{}", name);
}

bool matches(std::string_view rule, std::string_view pattern) {
  if (rule.ends_with('*')) return pattern.starts_with(rule.substr(0, rule.size() - 1));
  return rule == pattern;
}

std::string our_name(const NameRule& rule, std::uint32_t layer) {
  std::string name(rule.ours);
  if (const std::size_t at = name.find('#'); at != std::string::npos) {
    name.replace(at, 1, std::to_string(layer));
  }
  return name;
}

bool is_kept_exact(std::string_view name) {
  constexpr std::string_view kParts[] = {"_norm.weight",   "ffn_gate_inp.", "ffn_gate_inp_shexp.",
                                         "position_embd.", "token_types.",  "attn_sinks.",
                                         "ssm_conv1d."};
  return !name.ends_with(".weight") ||
         std::ranges::any_of(kParts, [&](std::string_view part) { return name.contains(part); });
}

// Makes the views of one model, a tensor after the other.
class ViewMaker {
 public:
  ViewMaker(const SafetensorsModel& model, const HubFamily& family, const TensorFacts& facts)
      : model_(model), family_(family), facts_(facts) {
    for (const auto& rules : family.names) {
      for (const NameRule& rule : rules) rules_.push_back(&rule);
    }
  }

  Result<std::vector<WeightView>> make() {
    for (const auto& [name, tensor] : model_.tensors()) JARIP_CHECK(take(*tensor));
    JARIP_CHECK(refuse_missing());
    std::vector<WeightView> views;
    for (auto& [place, entry] : entries_) {
      JARIP_CHECK(finish(entry));
      views.push_back(std::move(entry.view));
    }
    return views;
  }

 private:
  // Order in the file: what is no layer's, then layer by layer as the rules stand.
  using Place = std::pair<std::uint32_t, std::size_t>;
  struct Entry {
    WeightView view;
    const NameRule* rule = nullptr;
    std::map<std::uint32_t, const SafeTensor*> experts;
  };

  Result<void> take(const SafeTensor& tensor) {
    const Pattern pattern = pattern_of(plain_name(tensor.name, family_.is_encoder));
    bool is_known = false;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (!matches(rules_[i]->theirs, pattern.text)) continue;
      is_known = true;
      JARIP_CHECK(apply(i, pattern, tensor));
    }
    if (is_known) return {};
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("tensor {} isn't one that models of class {} are known to have; without "
                    "it their answers would change",
                    tensor.name, family_.name),
        tensor.name);
  }

  Result<void> apply(std::size_t index, const Pattern& pattern, const SafeTensor& tensor) {
    const NameRule& rule = *rules_[index];
    if (rule.change == Change::kSkip || (facts_.tied && rule.ours == "output.weight")) return {};
    const std::uint32_t layer = pattern.numbers.empty() ? 0 : pattern.numbers[0];
    if (!pattern.numbers.empty() && layer >= facts_.n_layers) {
      return corrupt(tensor, fmt::format("is of layer {}; config.json says that there are {}",
                                         layer, facts_.n_layers));
    }
    if (!pattern.numbers.empty() && !is_of_layer(rule, layer)) {
      return corrupt(tensor, "is of another kind of layer than the one that it stands in");
    }
    Entry& entry = entries_[{pattern.numbers.empty() ? 0 : layer + 1, index}];
    if (entry.rule == nullptr) {
      entry.rule = &rule;
      entry.view.name = our_name(rule, layer);
    } else if (rule.change != Change::kExpert) {
      return corrupt(tensor, "is there twice, under two names");
    }
    if (rule.change == Change::kExpert) {
      const std::uint32_t expert = pattern.numbers.size() > 1 ? pattern.numbers[1] : 0;
      if (expert >= facts_.n_experts || !entry.experts.emplace(expert, &tensor).second) {
        return corrupt(tensor, fmt::format("is of expert {}; config.json says that there are {}",
                                           expert, facts_.n_experts));
      }
      return {};
    }
    entry.view.parts = {&tensor};
    return {};
  }

  [[nodiscard]] bool is_needed(const NameRule& rule) const {
    if (rule.change == Change::kSkip) return false;
    if (rule.ours == "output.weight") return !facts_.tied && facts_.needs_output;
    return !rule.optional;
  }

  // Where most layers are delta nets, a layer is one or has attention.
  [[nodiscard]] bool is_of_layer(const NameRule& rule, std::uint32_t layer) const {
    if (facts_.attention_period == 0) return true;
    const bool attends = (layer + 1) % facts_.attention_period == 0;
    return !rule.theirs.contains(attends ? ".linear_attn." : ".self_attn.");
  }

  Result<void> refuse_missing() const {
    for (std::size_t index = 0; index < rules_.size(); ++index) {
      const NameRule& rule = *rules_[index];
      if (!is_needed(rule)) continue;
      const bool in_layers = rule.theirs.contains('#');
      for (std::uint32_t i = 0; i < (in_layers ? facts_.n_layers : 1); ++i) {
        if (entries_.contains({in_layers ? i + 1 : 0, index})) continue;
        if (in_layers && !is_of_layer(rule, i)) continue;
        std::string name(rule.theirs);
        if (in_layers) name.replace(name.find('#'), 1, std::to_string(i));
        return fail(ErrorCode::kCorrupt, fmt::format("tensor {} is missing", name), name);
      }
    }
    return {};
  }

  Result<void> finish(Entry& entry) {
    WeightView& view = entry.view;
    if (entry.rule->change == Change::kExpert) {
      for (const auto& [expert, tensor] : entry.experts) view.parts.push_back(tensor);
      if (view.parts.size() != facts_.n_experts) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("{} of {} experts are there for {}", view.parts.size(),
                                facts_.n_experts, view.name),
                    view.name);
      }
    }
    JARIP_CHECK(check_parts(view));
    const SafeTensor& tensor = *view.parts.front();
    view.shape.assign(tensor.shape.rbegin(), tensor.shape.rend());
    view.strides.row = view.shape[0];
    if (view.shape.size() > 1) view.strides.matrix = view.shape[0] * view.shape[1];
    JARIP_CHECK(change(*entry.rule, tensor, view));
    if (view.parts.size() > 1 || entry.rule->change == Change::kExpert) {
      view.shape.push_back(view.parts.size());
    }
    if (view.shape.size() > 3) return corrupt(tensor, "has too many dimensions");
    if (view.scales == nullptr) choose_format(view);
    if (entry.rule->change == Change::kTileDecay) undo_logarithm(view);
    return {};
  }

  // What a state keeps of itself each step is the exponential of this times the step's length.
  static void undo_logarithm(WeightView& view) {
    std::vector<float> values(view.n_elements());
    read_weights(view, 0, values.size(), std::as_writable_bytes(std::span(values)));
    for (float& value : values) value = static_cast<float>(-exact_exp(static_cast<double>(value)));
    view.own = std::move(values);
    view.parts.clear();
  }

  static bool is_blocks(const WeightView& view) { return view.parts.front()->type == "U8"; }

  Result<void> check_parts(const WeightView& view) const {
    for (const SafeTensor* part : view.parts) {
      if (!part->format && part->type != "U8") {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("tensor {} is of type {}; F32, F16 and BF16 can be converted here",
                                part->name, part->type),
                    part->name);
      }
      if (part->shape != view.parts.front()->shape) {
        return corrupt(*part, "has another shape than its like");
      }
      if (part->shape.empty() || std::ranges::max(part->shape) > kMaxDimension) {
        return corrupt(*part, "has an impossible shape");
      }
    }
    return {};
  }

  static void choose_format(WeightView& view) {
    const Format first = *view.parts.front()->format;
    const bool is_one = std::ranges::all_of(
        view.parts, [&](const SafeTensor* part) { return part->format == first; });
    const bool is_exact = view.shape.size() == 1 || view.plus_one || is_kept_exact(view.name);
    view.format = is_one && !is_exact ? first : Format::kF32;
  }

  Result<void> change(const NameRule& rule, const SafeTensor& tensor, WeightView& view) const {
    const bool blocks = rule.change == Change::kBlocks || rule.change == Change::kEvenBlockRows ||
                        rule.change == Change::kOddBlockRows;
    if (blocks != is_blocks(view)) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("tensor {} is of type {}, which this tensor isn't known to have",
                              tensor.name, tensor.type),
                  tensor.name);
    }
    switch (rule.change) {
      case Change::kRopeQuery:
        return turn_heads(tensor, facts_.n_heads, view);
      case Change::kRopeKey:
        return turn_heads(tensor, facts_.n_kv_heads, view);
      case Change::kPlusOne:
        view.plus_one = true;
        return {};
      case Change::kFirstHalf:
      case Change::kLastHalf:
        return halve_rows(rule.change, tensor, view);
      case Change::kOnItsSide:
      case Change::kEvenColumns:
      case Change::kOddColumns:
        return turn_side(rule.change, tensor, view);
      case Change::kEvenElements:
      case Change::kOddElements:
        return halve_elements(rule.change, tensor, view);
      case Change::kBlocks:
      case Change::kEvenBlockRows:
      case Change::kOddBlockRows:
        return read_blocks(rule.change, tensor, view);
      case Change::kBehindPadding:
        return leave_padding(tensor, view);
      case Change::kTileMixed:
      case Change::kTileRows:
      case Change::kTileHeads:
      case Change::kTileColumns:
      case Change::kTileDecay:
        return tile_heads(rule.change, tensor, view);
      case Change::kNone:
      case Change::kSkip:
      case Change::kExpert:
        return {};
    }
    return {};
  }

  Result<void> tile_heads(Change change, const SafeTensor& tensor, WeightView& view) const {
    if (view.shape.size() == 3 && view.shape[1] == 1) {  // a convolution's channels
      view.shape = {view.shape[0], view.shape[2]};
    }
    Tiles& tiles = view.tiles;
    tiles.n_shared = facts_.n_key_heads;
    tiles.n_each = facts_.n_value_heads / facts_.n_key_heads;
    const bool is_one = change == Change::kTileHeads || change == Change::kTileDecay;
    tiles.size = is_one ? 1 : facts_.net_head_dim;
    tiles.columns = change == Change::kTileColumns;
    const std::uint64_t n_keys = std::uint64_t{facts_.n_key_heads} * facts_.net_head_dim;
    if (change == Change::kTileMixed) tiles.first = 2 * n_keys;
    const std::uint64_t n = tiles.columns ? view.shape.front() : view.shape.back();
    if (view.shape.size() > 2 || n != tiles.first + tiles.size * facts_.n_value_heads) {
      return corrupt(tensor, fmt::format("has {} rows or columns, which aren't {} heads of {}", n,
                                         facts_.n_value_heads, tiles.size));
    }
    return {};
  }

  static Result<void> turn_heads(const SafeTensor& tensor, std::uint32_t n_heads,
                                 WeightView& view) {
    const std::uint64_t n_rows = view.shape.back();
    if (view.shape.size() > 2 || n_rows % (2 * std::uint64_t{n_heads}) != 0) {
      return corrupt(tensor, fmt::format("has {} rows, which aren't {} heads of an even size",
                                         n_rows, n_heads));
    }
    view.rope_half = static_cast<std::uint32_t>(n_rows / n_heads / 2);
    return {};
  }

  // [experts, rows of two matrices, columns] as [experts, rows, columns] of one.
  static Result<void> halve_rows(Change change, const SafeTensor& tensor, WeightView& view) {
    if (view.shape.size() != 3 || view.shape[1] % 2 != 0) {
      return corrupt(tensor, "isn't two matrices for each expert");
    }
    view.shape[1] /= 2;
    if (change == Change::kLastHalf) view.strides.first = view.shape[0] * view.shape[1];
    return {};
  }

  // [experts, columns, rows] as [experts, rows, columns].
  static Result<void> turn_side(Change change, const SafeTensor& tensor, WeightView& view) {
    const std::uint64_t n_turns = change == Change::kOnItsSide ? 1 : 2;
    if (view.shape.size() != 3 || view.shape[0] % n_turns != 0) {
      return corrupt(tensor, "isn't a matrix for each expert, on its side");
    }
    view.strides = {.matrix = view.shape[0] * view.shape[1],
                    .row = n_turns,
                    .column = view.shape[0],
                    .first = change == Change::kOddColumns ? 1U : 0U};
    view.shape = {view.shape[1], view.shape[0] / n_turns, view.shape[2]};
    return {};
  }

  static Result<void> halve_elements(Change change, const SafeTensor& tensor, WeightView& view) {
    if (view.shape.size() != 2 || view.shape[0] % 2 != 0) {
      return corrupt(tensor, "isn't an even number of elements for each expert");
    }
    view.strides.column = 2;
    view.strides.first = change == Change::kOddElements ? 1 : 0;
    view.shape[0] /= 2;
    return {};
  }

  // [experts, rows, blocks, 16 bytes]: 32 weights a block.
  Result<void> read_blocks(Change change, const SafeTensor& tensor, WeightView& view) const {
    constexpr std::string_view kBlocks = "_blocks";
    constexpr std::uint64_t kWeights = 32;
    const std::uint64_t n_turns = change == Change::kBlocks ? 1 : 2;
    if (view.shape.size() != 4 || view.shape[0] * 2 != kWeights || view.shape[2] % n_turns != 0) {
      return corrupt(tensor, "isn't blocks of 16 bytes for each row of each expert");
    }
    const std::string name = tensor.name.substr(0, tensor.name.size() - kBlocks.size()) + "_scales";
    view.scales = model_.find(name);
    if (view.scales == nullptr || view.scales->type != "U8" ||
        view.scales->n_elements * view.shape[0] != tensor.n_elements) {
      return corrupt(tensor, fmt::format("has no scales that fit in {}", name));
    }
    const std::uint64_t n_cols = view.shape[1] * kWeights;
    const std::uint64_t n_rows = view.shape[2];
    view.strides = {.matrix = n_rows * n_cols,
                    .row = n_turns * n_cols,
                    .column = 1,
                    .first = change == Change::kOddBlockRows ? n_cols : 0};
    view.shape = {n_cols, n_rows / n_turns, view.shape[3]};
    view.format = Format::kMXFP4;
    return {};
  }

  Result<void> leave_padding(const SafeTensor& tensor, WeightView& view) const {
    if (view.shape.size() != 2 || view.shape[1] <= facts_.n_padding) {
      return corrupt(tensor, "has no position behind that of padding");
    }
    view.strides.first = view.shape[0] * facts_.n_padding;
    view.shape[1] -= facts_.n_padding;
    return {};
  }

  const SafetensorsModel& model_;
  const HubFamily& family_;
  const TensorFacts& facts_;
  std::vector<const NameRule*> rules_;
  std::map<Place, Entry> entries_;
};

}  // namespace

Result<std::vector<WeightView>> find_views(const SafetensorsModel& model, const HubFamily& family,
                                           const TensorFacts& facts) {
  return ViewMaker(model, family, facts).make();
}

std::optional<RenamedTensor> rename_tensor(std::string_view theirs, std::string_view architecture) {
  for (const HubFamily& family : hub_families()) {
    if (family.architecture != architecture) continue;
    const Pattern pattern = pattern_of(plain_name(theirs, family.is_encoder));
    const std::uint32_t layer = pattern.numbers.empty() ? 0 : pattern.numbers[0];
    for (const auto& rules : family.names) {
      for (const NameRule& rule : rules) {
        if (rule.change == Change::kSkip || !matches(rule.theirs, pattern.text)) continue;
        return RenamedTensor{our_name(rule, layer), rule.change};
      }
    }
  }
  return std::nullopt;
}

}  // namespace jarip
