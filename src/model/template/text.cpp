#include "model/template/text.h"

#include <algorithm>

namespace jarip::jinja {

bool Text::any_from_input() const {
  if (origins_.empty()) return from_input_ && !bytes_.empty();
  return origins_.find('\1') != std::string::npos;
}

std::size_t Text::run_end(std::size_t i) const {
  if (origins_.empty()) return bytes_.size();
  const std::size_t end = origins_.find(origins_[i] == 0 ? '\1' : '\0', i);
  return std::min(end, bytes_.size());
}

void Text::append(std::string_view bytes, bool from_input) {
  if (bytes.empty()) return;
  if (bytes_.empty()) from_input_ = from_input;
  if (origins_.empty() && from_input_ != from_input) {
    origins_.assign(bytes_.size(), from_input_ ? '\1' : '\0');
  }
  if (!origins_.empty()) origins_.append(bytes.size(), from_input ? '\1' : '\0');
  bytes_.append(bytes);
}

void Text::append(const Text& other, std::size_t begin, std::size_t n) {
  if (other.origins_.empty()) {
    append(other.view().substr(begin, n), other.from_input_);
    return;
  }
  const std::size_t end = begin + std::min(n, other.size() - begin);
  while (begin < end) {
    const std::size_t stop = std::min(other.run_end(begin), end);
    append(other.view().substr(begin, stop - begin), other.from_input(begin));
    begin = stop;
  }
}

Text Text::slice(std::size_t begin, std::size_t n) const {
  Text out;
  out.append(*this, begin, n);
  return out;
}

}  // namespace jarip::jinja
