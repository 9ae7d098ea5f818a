#include "cli/sampling_settings.h"

#include "cli/model_settings.h"

namespace jarip {
namespace {

void declare_length(OptionSet& set, SamplingSettings& settings) {
  set.add_number<std::uint32_t>(
      {.name = "max-tokens",
       .letter = 'n',
       .value_name = "N",
       .help = {"End the answer after this many tokens; without it, where the context ends",
                "답을 끝낼 토큰 수. 없으면 문맥이 끝나는 곳까지"},
       .reach = Reach::kFlag},
      settings.max_tokens, {1, kMaxContext});
  set.add_texts({.name = "stop",
                 .value_name = "TEXT",
                 .help = {"End the answer before this text; may be given several times",
                          "이 글이 나오기 직전에 답을 끝낸다. 여러 번 쓸 수 있다"},
                 .reach = Reach::kFlag},
                settings.stop);
  set.add_number<std::uint64_t>(
      {.name = "seed",
       .value_name = "N",
       .help = {"The same seed gives the same answer; without it, one is drawn",
                "시드가 같으면 답도 같다. 없으면 무작위로 정한다"},
       .reach = Reach::kFlag},
      settings.seed, {0, UINT64_MAX});
}

void declare_penalties(OptionSet& set, SamplingSettings& settings) {
  set.add_number({.name = "repetition-penalty",
                  .value_name = "X",
                  .help = {"Divide the odds of tokens that prompt or answer already have; 1 is off",
                           "질문이나 답에 이미 나온 토큰의 가능성을 줄인다. 1이면 끔"}},
                 settings.repetition_penalty, {0.01F, 10});
  set.add_number({.name = "presence-penalty",
                  .value_name = "X",
                  .help = {"Lower the odds of tokens that the answer already has",
                           "답에 이미 나온 토큰의 가능성을 줄인다"}},
                 settings.presence_penalty, {-2, 2});
  set.add_number({.name = "frequency-penalty",
                  .value_name = "X",
                  .help = {"Lower the odds of tokens by how often the answer has them",
                           "답에 나온 횟수만큼 그 토큰의 가능성을 줄인다"}},
                 settings.frequency_penalty, {-2, 2});
}

}  // namespace

void declare_sampling(OptionSet& set, SamplingSettings& settings) {
  declare_length(set, settings);
  set.add_switch({.name = "greedy",
                  .help = {"Always take the likeliest token, whatever the temperature says",
                           "온도와 상관없이 늘 가장 가능성 높은 토큰을 고른다"},
                  .reach = Reach::kFlag},
                 settings.greedy);
  set.add_number({.name = "temperature",
                  .value_name = "X",
                  .help = {"Higher is more varied; 0 always takes the likeliest token",
                           "높을수록 다양하다. 0이면 늘 가장 가능성 높은 토큰"}},
                 settings.temperature, {0, 10});
  set.add_number<std::uint32_t>({.name = "top-k",
                                 .value_name = "N",
                                 .help = {"Draw only from the N likeliest tokens; 0 is off",
                                          "가능성 높은 N개 토큰에서만 고른다. 0이면 끔"}},
                                settings.top_k, {0, kMaxContext});
  set.add_number(
      {.name = "top-p",
       .value_name = "X",
       .help = {"Draw only from the likeliest tokens that together reach this "
                "probability; 1 is off",
                "가능성 높은 순서로 확률의 합이 이만큼 되는 토큰에서만 고른다. 1이면 끔"}},
      settings.top_p, {0, 1});
  set.add_number({.name = "min-p",
                  .value_name = "X",
                  .help = {"Draw only from tokens at least this probable as a share of the "
                           "likeliest one; 0 is off",
                           "가장 가능성 높은 토큰의 이 비율보다 낮은 토큰은 버린다. 0이면 끔"}},
                 settings.min_p, {0, 1});
  declare_penalties(set, settings);
}

void apply(const SamplingSettings& settings, Turn& turn) {
  turn.sampling.temperature = settings.greedy ? 0 : settings.temperature;
  turn.sampling.top_k = settings.top_k;
  turn.sampling.top_p = settings.top_p;
  turn.sampling.min_p = settings.min_p;
  turn.sampling.repetition_penalty = settings.repetition_penalty;
  turn.sampling.presence_penalty = settings.presence_penalty;
  turn.sampling.frequency_penalty = settings.frequency_penalty;
  turn.seed = settings.seed;
  turn.max_new_tokens = settings.max_tokens;
  turn.stop = settings.stop;
}

}  // namespace jarip
