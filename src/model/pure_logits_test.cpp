// Law L1, over whole models: the hash of a sequence's logits is the same in every batch, chunking,
// number of threads and instruction set. And a step that has run before allocates nothing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/synth.h"
#include "tensor/kernels.h"

// Counts what the whole program allocates, on whichever thread.
namespace {
std::atomic<std::uint64_t> n_allocations{0};
}  // namespace

void* operator new(std::size_t n_bytes) {
  n_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(n_bytes == 0 ? 1 : n_bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*n_bytes*/) noexcept { std::free(memory); }

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kTokens = 70;  // of each sequence's prompt
constexpr std::uint32_t kSteps = 3;    // that decode after it
constexpr std::uint32_t kSequences = 64;

// FNV-1a.
std::uint64_t hash_of(std::span<const float> logits) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::byte byte : std::as_bytes(logits)) {
    hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3U;
  }
  return hash;
}

// Sequences over one model, each with pages of its own that lie between the others'.
class Sequences {
 public:
  Sequences(const GgufFile& file, KvFormat kv_format, unsigned n_threads, std::uint32_t count)
      : pool_(n_threads), count_(count) {
    auto model = load_model(file, pool_, {.kv_format = kv_format});
    EXPECT_TRUE(model.has_value());
    model_ = std::move(*model);
    constexpr std::uint32_t kPages = (kTokens + kSteps + 31) / 32;
    memory_ = *AlignedBuffer::allocate(model_->kv_page_bytes() * kPages * count);
    tables_.resize(count);
    for (std::uint32_t s = 0; s < count; ++s) {
      for (std::uint32_t i = 0; i < kPages; ++i) tables_[s].push_back((kPages - 1 - i) * count + s);
    }
  }

  static TokenId token(std::uint32_t sequence, std::uint32_t position) {
    return (sequence * 131 + position * 7919 + position * position) % 300;
  }

  // Feeds positions [begin, end) of every sequence; the hashes of the logits after the last.
  std::vector<std::uint64_t> feed(std::uint32_t begin, std::uint32_t end, std::uint32_t first = 0) {
    tokens_.assign(count_, {});
    chunks_.clear();
    for (std::uint32_t s = 0; s < count_; ++s) {
      for (std::uint32_t i = begin; i < end; ++i) tokens_[s].push_back(token(first + s, i));
      chunks_.push_back({tokens_[s], begin, tables_[s], 1});
    }
    const std::size_t n_vocab = model_->config().n_vocab;
    logits_.resize(count_ * n_vocab);
    step();
    std::vector<std::uint64_t> hashes;
    for (std::uint32_t s = 0; s < count_; ++s) {
      hashes.push_back(hash_of(std::span(logits_).subspan(s * n_vocab, n_vocab)));
    }
    return hashes;
  }

  // The last feed once more.
  void step() {
    const auto n_pages = static_cast<std::uint32_t>(count_ * tables_[0].size());
    model_->step(chunks_, {memory_.data(), model_->kv_page_bytes(), n_pages}, logits_);
  }

 private:
  ThreadPool pool_;
  std::uint32_t count_;
  std::unique_ptr<Model> model_;
  AlignedBuffer memory_;
  std::vector<std::vector<PageId>> tables_;
  std::vector<std::vector<TokenId>> tokens_;
  std::vector<SequenceChunk> chunks_;
  std::vector<float> logits_;
};

// The hashes after the prompt and after each step that decodes, the prompt in chunks.
using Answer = std::vector<std::uint64_t>;

std::vector<Answer> answers(Sequences& sequences, std::uint32_t count, std::uint32_t chunk,
                            std::uint32_t first = 0) {
  std::vector<Answer> out(count);
  const auto add = [&](const std::vector<std::uint64_t>& hashes) {
    for (std::uint32_t s = 0; s < count; ++s) out[s].push_back(hashes[s]);
  };
  for (std::uint32_t at = 0; at < kTokens; at += chunk) {
    const std::uint32_t end = std::min(at + chunk, kTokens);
    const auto hashes = sequences.feed(at, end, first);
    if (end == kTokens) add(hashes);
  }
  for (std::uint32_t i = 0; i < kSteps; ++i) {
    add(sequences.feed(kTokens + i, kTokens + i + 1, first));
  }
  return out;
}

struct PureCase {
  FileType weights;
  KvFormat kv = KvFormat::kF16;

  [[nodiscard]] std::string name() const {
    return std::string(file_type_row(weights).name) + "_kv_" + std::string(kv_format_name(kv));
  }
};

class PureLogits : public testing::TestWithParam<PureCase> {
 protected:
  PureLogits() {
    path_ = fs::temp_directory_path() /
            ("jarip-pure-" + std::to_string(::getpid()) + "-" + GetParam().name() + ".gguf");
    ThreadPool pool(2);
    const auto* shape =
        &*std::ranges::find(synth_shapes(), std::string_view("llama-tiny"), &SynthShape::name);
    const auto written = write_synthetic_model(
        {.shape = shape, .format = GetParam().weights, .seed = 5, .path = path_}, pool);
    EXPECT_TRUE(written.has_value());
    file_ = *GgufFile::open(path_);
    Sequences plain = load(1, 1);
    for (std::uint32_t s = 0; s < kSequences; ++s) {
      alone_.push_back(answers(plain, 1, kTokens, s).front());
    }
  }
  ~PureLogits() override {
    unsetenv("JARIP_CPU");
    fs::remove(path_);
  }

  [[nodiscard]] Sequences load(unsigned n_threads, std::uint32_t count) const {
    return {file_, GetParam().kv, n_threads, count};
  }

  fs::path path_;
  GgufFile file_;
  std::vector<Answer> alone_;  // of each sequence by itself, on one thread
};

TEST_P(PureLogits, DifferFromSequenceToSequence) {
  const std::set<Answer> all(alone_.begin(), alone_.end());
  EXPECT_EQ(all.size(), alone_.size());
}

TEST_P(PureLogits, AreTheSameInBatchesOf1To64) {
  for (const std::uint32_t count :
       {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 12U, 13U, 16U, 17U, 31U, 32U, 33U, 48U, 63U, 64U}) {
    Sequences batch = load(2, count);
    const auto together = answers(batch, count, kTokens);
    for (std::uint32_t s = 0; s < count; ++s) {
      EXPECT_EQ(together[s], alone_[s]) << "sequence " << s << " of " << count;
    }
  }
}

TEST_P(PureLogits, AreTheSameInChunksOfEverySize) {
  Sequences one = load(2, 1);
  for (std::uint32_t chunk = 1; chunk <= kTokens; ++chunk) {
    EXPECT_EQ(answers(one, 1, chunk).front(), alone_[0]) << "chunks of " << chunk;
  }
}

TEST_P(PureLogits, AreTheSameOn1To8ThreadsOfEveryInstructionSet) {
  for (const Kernels* kernels : available_kernels()) {
    setenv("JARIP_CPU", std::string(kernels->name).c_str(), 1);
    // Every count on the best one; on the others, which may be slow, those at the ends.
    const bool best = kernels == available_kernels().front();
    for (unsigned n_threads = 1; n_threads <= 8; ++n_threads) {
      if (!best && n_threads != 1 && n_threads != 3 && n_threads != 8) continue;
      Sequences batch = load(n_threads, 5);
      const auto together = answers(batch, 5, 32);
      for (std::uint32_t s = 0; s < 5; ++s) {
        EXPECT_EQ(together[s], alone_[s]) << kernels->name << ", " << n_threads << " threads";
      }
    }
  }
}

TEST_P(PureLogits, TakeNoAllocationOnceAStepOfTheirSizeHasRun) {
  Sequences batch = load(2, 5);
  answers(batch, 5, 32);
  const std::uint64_t before = n_allocations.load();
  for (int i = 0; i < 10; ++i) batch.step();
  EXPECT_EQ(n_allocations.load(), before);
}

INSTANTIATE_TEST_SUITE_P(, PureLogits,
                         testing::Values(PureCase{FileType::kBF16}, PureCase{FileType::kQ8_0},
                                         PureCase{FileType::kQ4_0}, PureCase{FileType::kQ4_K_M},
                                         PureCase{FileType::kQ4_0, KvFormat::kQ8_0}),
                         [](const auto& info) { return info.param.name(); });

}  // namespace
}  // namespace jarip
