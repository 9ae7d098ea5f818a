// The memory of KV pages and which of them are free. Owned by the engine's prefix cache; the
// engine's thread alone calls it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "model/model.h"

namespace jarip {

// pages[i] holds a sequence's positions [32 i, 32 i + 32).
using PageTable = std::vector<PageId>;

// Pages that n_tokens tokens take.
constexpr std::uint32_t pages_for(std::uint32_t n_tokens) {
  return n_tokens / kKvPageTokens + (n_tokens % kKvPageTokens == 0 ? 0 : 1);
}

struct Unmap {
  std::size_t n_bytes = 0;
  void operator()(std::byte* mapping) const;
};

class KvPages {
 public:
  // Only address space is taken: a page costs memory from its first use on. Errors: kUnavailable
  // when the system refuses.
  [[nodiscard]] static Result<KvPages> create(std::size_t page_bytes, std::uint32_t n_pages);

  [[nodiscard]] const KvMemory& memory() const { return memory_; }
  [[nodiscard]] std::uint32_t n_pages() const { return memory_.n_pages; }
  [[nodiscard]] std::uint32_t n_free() const { return static_cast<std::uint32_t>(free_.size()); }
  [[nodiscard]] std::uint32_t n_used() const { return n_pages() - n_free(); }

  // Adds pages until the table covers n_tokens. False, and nothing changed, when too few are free.
  [[nodiscard]] bool grow(PageTable& table, std::uint32_t n_tokens);

  // The page is free again; no table has it any more.
  void give_back(PageId page) { free_.push_back(page); }

 private:
  KvPages() = default;

  std::unique_ptr<std::byte, Unmap> mapping_;
  KvMemory memory_;
  std::vector<PageId> free_;  // the page returned last is used first: it is the warmest
};

}  // namespace jarip
