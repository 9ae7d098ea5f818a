// Text that remembers, byte for byte, whether it came from the input or from the template itself.
// A plain value; copied and owned like a string.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace jarip::jinja {

class Text {
 public:
  Text() = default;
  Text(std::string bytes, bool from_input) : bytes_(std::move(bytes)), from_input_(from_input) {}

  [[nodiscard]] std::string_view view() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

  [[nodiscard]] bool from_input(std::size_t i) const {
    return origins_.empty() ? from_input_ : origins_[i] != 0;
  }
  [[nodiscard]] bool any_from_input() const;
  // The end of the run of equal origin that begins at i.
  [[nodiscard]] std::size_t run_end(std::size_t i) const;

  void append(std::string_view bytes, bool from_input);
  void append(const Text& other) { append(other, 0, other.size()); }
  void append(const Text& other, std::size_t begin, std::size_t n);
  [[nodiscard]] Text slice(std::size_t begin, std::size_t n = std::string_view::npos) const;
  void reserve(std::size_t n) { bytes_.reserve(n); }

 private:
  // One byte a byte (1: input) when the origins differ; empty while they are all from_input_.
  std::string origins_;
  std::string bytes_;
  bool from_input_ = false;
};

}  // namespace jarip::jinja
