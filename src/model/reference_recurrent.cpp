#include "model/reference_recurrent.h"

#include <algorithm>
#include <cmath>

namespace jarip {
namespace {

float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

// The causal convolution of every channel by itself, and SiLU.
std::vector<float> convolve(const RecurrentConfig& net, const RecurrentTensors& vectors,
                            const std::vector<float>& mixed, std::span<float> inputs) {
  const std::size_t n = net.mixed_dim();
  const std::size_t width = net.conv_width;
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    float sum = mixed[i] * vectors.conv[i * width + width - 1];
    for (std::size_t j = 0; j + 1 < width; ++j)
      sum += inputs[j * n + i] * vectors.conv[i * width + j];
    out[i] = sum * sigmoid(sum);
  }
  std::shift_left(inputs.begin(), inputs.end(), static_cast<std::ptrdiff_t>(n));
  std::ranges::copy(mixed, inputs.end() - static_cast<std::ptrdiff_t>(n));
  return out;
}

void make_length_one(std::span<float> x, float eps) {
  float squares = eps;
  for (const float value : x) squares += value * value;
  for (float& value : x) value /= std::sqrt(squares);
}

}  // namespace

std::vector<float> step_delta_net(const ModelConfig& config, const RecurrentTensors& vectors,
                                  const DeltaInputs& in, std::span<float> state) {
  const RecurrentConfig& net = config.recurrent;
  const std::size_t d = net.head_dim;
  const std::size_t n_inputs = std::size_t{net.conv_width - 1} * net.mixed_dim();
  std::vector<float> mixed = convolve(net, vectors, in.mixed, state.first(n_inputs));
  for (std::size_t head = 0; head < 2 * std::size_t{net.n_key_heads}; ++head) {
    make_length_one(std::span(mixed).subspan(head * d, d), config.norm_eps);
  }
  std::vector<float> out(net.value_dim());
  for (std::uint32_t head = 0; head < net.n_value_heads; ++head) {
    const float* q = mixed.data() + net.key_head_of(head) * d;
    const float* k = q + net.key_dim();
    const float* v = mixed.data() + 2 * net.key_dim() + head * d;
    float* s = state.data() + n_inputs + head * d * d;
    const float alpha = in.alpha[head] + vectors.alpha_bias[head];
    const float softplus = alpha > 20 ? alpha : std::log1p(std::exp(alpha));
    const float decay = std::exp(vectors.decay[head] * softplus);
    const float beta = sigmoid(in.beta[head]);
    std::vector<float> y(d);
    for (std::size_t j = 0; j < d; ++j) {
      float known = 0;
      for (std::size_t i = 0; i < d; ++i) known += (s[i * d + j] *= decay) * k[i];
      const float delta = (v[j] - known) * beta;
      for (std::size_t i = 0; i < d; ++i) y[j] += (s[i * d + j] += k[i] * delta) * q[i];
      y[j] /= std::sqrt(static_cast<float>(d));
    }
    float squares = 0;
    for (const float value : y) squares += value * value;
    const float scale = 1.0F / std::sqrt(squares / static_cast<float>(d) + config.norm_eps);
    for (std::size_t j = 0; j < d; ++j) {
      const float gate = in.gate[head * d + j];
      out[head * d + j] = y[j] * scale * vectors.norm[j] * gate * sigmoid(gate);
    }
  }
  return out;
}

}  // namespace jarip
