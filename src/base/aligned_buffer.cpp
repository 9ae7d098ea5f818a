#include "base/aligned_buffer.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <utility>

namespace jarip {

AlignedBuffer::~AlignedBuffer() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

Result<AlignedBuffer> AlignedBuffer::allocate(std::size_t n_bytes) {
  AlignedBuffer buffer;
  if (n_bytes == 0) return buffer;
  void* address = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("no memory for {} MiB; close other programs or choose a smaller model "
                            "or context",
                            (n_bytes >> 20U) + 1));
  }
  // Advice only: small pages serve as well, more slowly.
  madvise(address, n_bytes, MADV_HUGEPAGE);
  buffer.bytes_ = {static_cast<std::byte*>(address), n_bytes};
  return buffer;
}

}  // namespace jarip
