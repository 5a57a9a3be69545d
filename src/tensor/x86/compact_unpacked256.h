// Products of many tokens on AVX2: a part of a tile is unpacked into the first-level cache, once
// for all tokens, so that what is done for each token is multiplying and adding alone. Of unsigned
// integers: signed ones have nothing to unpack.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>

#include "tensor/x86/compact_vectors256.h"

namespace plinth::tensor {

// Unpacked at once: some 20 KiB, which the first-level cache holds while the activations pass by.
inline constexpr std::int64_t kUnpackedBlocks = 32;

// From so many tokens on it pays: nibbles are two operations away from bytes, others five and more.
constexpr int unpacked_from(Integers integers) { return integers == Integers::nibbles ? 64 : 16; }

// Weights of 16 rows and 32 columns as bytes, vector by vector as in the compact form.
template <Integers kIntegers, int kSubs, bool kOffsets>
struct alignas(64) UnpackedBlock {
  static constexpr int kScales = kSubs * (kOffsets ? 2 : 1);

  std::uint8_t q[8][kCompactVector];
  float scales[kScales][kCompactRows];

  void take(const Record<kIntegers, kSubs, kOffsets>& record) {
    [&]<int... kVectors>(std::integer_sequence<int, kVectors...>) {
      (take_vector<kVectors>(record), ...);
    }
    (std::make_integer_sequence<int, 8>());
    for (int i = 0; i < kScales; ++i) {
      for (int h = 0; h < 2; ++h) _mm256_store_ps(&scales[i][h * kHalfRows], record.scale(i, h));
    }
  }
  template <int kVector>
  [[gnu::always_inline]] __m256i weights(int half) const {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(&q[kVector][half * kHalfVector]));
  }
  [[gnu::always_inline]] __m256 scale(int index, int half) const {
    return _mm256_load_ps(&scales[index][half * kHalfRows]);
  }

 private:
  template <int kVector>
  [[gnu::always_inline]] void take_vector(const Record<kIntegers, kSubs, kOffsets>& record) {
    for (int h = 0; h < 2; ++h) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(&q[kVector][h * kHalfVector]),
                         record.template weights<kVector>(h));
    }
  }
};

// kM tokens over blocks [task.first_block, task.last_block), which are at `blocks`.
template <Integers kIntegers, int kSubs, bool kOffsets, int kM>
void unpacked_tile(const UnpackedBlock<kIntegers, kSubs, kOffsets>* blocks,
                   const CompactTask& task) {
  Sums<kM> sums;
  sums.begin(task);
  for (auto b = task.first_block; b < task.last_block; ++b, ++blocks) {
    add_block<kIntegers, kSubs, kOffsets, kM>(*blocks, task.panels[b], sums.at);
  }
  sums.end(task);
}

// How much of the next `bytes`, in whole cache lines.
inline std::int64_t fetched_with_each_panel(std::int64_t bytes, const CompactTask& task) {
  if (!task.cold) return 0;
  const int panels = (task.m + kPanelTokens - 1) / kPanelTokens;
  return (bytes / panels + kCacheLine - 1) / kCacheLine * kCacheLine;
}

// All tokens of a task, kUnpackedBlocks at a time.
template <Integers kIntegers, int kSubs, bool kOffsets>
void many_tokens(const CompactTask& whole) {
  using R = Record<kIntegers, kSubs, kOffsets>;
  UnpackedBlock<kIntegers, kSubs, kOffsets> blocks[kUnpackedBlocks];
  R record{whole.record()};
  for (auto first = whole.first_block; first < whole.last_block; first += kUnpackedBlocks) {
    CompactTask task = whole;
    task.first_block = first;
    task.last_block = std::min(first + kUnpackedBlocks, whole.last_block);
    for (auto b = first; b < task.last_block; ++b, record.at += R::kBytes) {
      if (task.cold) fetch_ahead(record);
      blocks[b - first].take(record);
    }
    // The next blocks come from memory while these are multiplied, evenly: it would have nothing to
    // do otherwise.
    const std::uint8_t* next = record.at;
    const auto share = fetched_with_each_panel(kUnpackedBlocks * R::kBytes, whole);
    for_each_panel(task, [&]<int kM>(std::integral_constant<int, kM>) {
      for (const auto* end = next + share; next < end; next += kCacheLine)
        _mm_prefetch(next, _MM_HINT_T1);
      unpacked_tile<kIntegers, kSubs, kOffsets, kM>(blocks, task);
    });
  }
}

}  // namespace plinth::tensor
