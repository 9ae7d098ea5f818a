// What of a step's attention the threads compute, the same for every layer: one task for a run of
// tokens and a key-value head, and where these are too few for the threads, pieces of them. Owned
// by the transformer; built on the engine's thread, ended piece by piece by the workers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/kernels.h"

namespace jarip {

// For every thread that many pieces, if there is so much to do: what is left when the first threads
// have nothing more is then small.
inline constexpr std::uint32_t kPiecesPerThread = 8;

class AttentionPlan {
 public:
  // Positions [begin, end) of one whole.
  struct Piece {
    std::uint32_t whole;
    std::uint32_t begin, end;
  };

  void clear();
  // task: without page_offset and scratch, which differ by layer and worker. kv_head: its head.
  void add(const AttentionTask& task, std::uint32_t kv_head);
  // Cuts what was added. How never shows in the bytes.
  void cut(unsigned n_threads);

  [[nodiscard]] std::span<const AttentionTask> wholes() const { return wholes_; }
  [[nodiscard]] std::span<const Piece> pieces() const { return pieces_; }
  [[nodiscard]] std::uint32_t kv_head(const Piece& piece) const { return kv_heads_[piece.whole]; }
  // The whole, kept to the piece's positions.
  [[nodiscard]] AttentionTask task(const Piece& piece) const;
  // Whether this piece was its whole's last to be computed, in this layer. Any thread.
  [[nodiscard]] bool end(const Piece& piece);

 private:
  std::vector<AttentionTask> wholes_;
  std::vector<std::uint32_t> kv_heads_;  // [wholes]
  std::vector<std::uint32_t> n_pieces_;  // [wholes]
  std::vector<std::uint32_t> n_left_;    // [wholes]; changed by workers, atomically
  std::vector<Piece> pieces_;
  std::vector<float> parts_;
};

}  // namespace jarip
