#include "engine/kv_pages.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <bit>
#include <limits>

namespace jarip {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20U;

}  // namespace

void Unmap::operator()(std::byte* mapping) const { munmap(mapping, n_bytes); }

Result<KvPages> KvPages::create(std::size_t page_bytes, std::uint32_t n_pages) {
  std::size_t n_bytes = 0;
  if (__builtin_mul_overflow(page_bytes, std::size_t{n_pages}, &n_bytes) ||
      __builtin_add_overflow(n_bytes, kHugePage, &n_bytes)) {
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("{} KV pages of {} bytes are beyond the address space", n_pages, page_bytes));
  }
  void* const mapping = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("the system refuses {} MiB of memory for KV pages; give the cache less "
                            "memory or a shorter context",
                            n_bytes >> 20U));
  }
  // Advice only: without huge pages everything works, slower.
  madvise(mapping, n_bytes, MADV_HUGEPAGE);

  KvPages pages;
  pages.mapping_ = {static_cast<std::byte*>(mapping), Unmap{n_bytes}};
  const std::size_t misaligned = std::bit_cast<std::uintptr_t>(mapping) % kHugePage;
  pages.memory_.base = pages.mapping_.get() + (misaligned == 0 ? 0 : kHugePage - misaligned);
  pages.memory_.page_bytes = page_bytes;
  pages.memory_.n_pages = n_pages;
  pages.free_.reserve(n_pages);
  for (PageId page = n_pages; page > 0; --page) pages.free_.push_back(page - 1);
  return pages;
}

bool KvPages::grow(PageTable& table, std::uint32_t n_tokens) {
  const std::size_t wanted = pages_for(n_tokens);
  if (wanted <= table.size()) return true;
  if (wanted - table.size() > free_.size()) return false;
  while (table.size() < wanted) {
    table.push_back(free_.back());
    free_.pop_back();
  }
  return true;
}

}  // namespace jarip
