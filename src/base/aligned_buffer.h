// Zeroed memory for weights, KV pages and scratch: page-aligned, on huge pages where the system
// gives them, touched only as it is used. One owner; freed on destruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace jarip {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;

  // Errors: kUnavailable, naming the size. 0 bytes give an empty buffer.
  [[nodiscard]] static Result<AlignedBuffer> allocate(std::size_t n_bytes);

  [[nodiscard]] std::byte* data() const { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

  // The buffer seen as n values of T from a byte offset; the caller keeps within size().
  template <class T>
  [[nodiscard]] T* at(std::size_t byte_offset) const {
    return reinterpret_cast<T*>(bytes_.data() + byte_offset);
  }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace jarip
