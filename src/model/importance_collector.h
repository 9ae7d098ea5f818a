// Sums up what the matrices of a model are multiplied with while it reads text. One model's, fed by
// the thread that steps it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "model/gguf.h"
#include "model/importance.h"
#include "model/input_observer.h"

namespace jarip {

class ImportanceCollector final : public InputObserver {
 public:
  void on_rows(ProductInput input, std::uint32_t layer, std::uint32_t expert,
               std::span<const float> rows, std::uint32_t n_cols) override;

  // Under the names of the file's tensors.
  [[nodiscard]] Importance result(const GgufFile& file) const;

 private:
  struct Sums {
    std::vector<double> squares;  // [n_cols]
    std::uint64_t n_rows = 0;
  };

  void fill(const GgufTensor& tensor, ProductInput input, std::uint32_t layer,
            std::uint32_t first_expert, Importance& importance) const;

  std::map<std::tuple<ProductInput, std::uint32_t, std::uint32_t>, Sums> sums_;
};

}  // namespace jarip
