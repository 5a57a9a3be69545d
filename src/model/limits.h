// Bounds on model files, which are hostile input, with the reason of each.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plinth::model {

// The largest vocabularies have 262,144 tokens and as many merges; 16 times that is no vocabulary.
inline constexpr std::uint64_t kArrayElementsMax = 1u << 22;
// Tokens, types, scores and merges of the largest vocabulary are 1.1 million; each element takes up
// to 16 bytes once it is read.
inline constexpr std::uint64_t kArrayElementsTotalMax = 1u << 24;
// A file with more keys than this is padding; the richest models have about 60.
inline constexpr std::uint64_t kMetadataKeysMax = 4096;
// 200 layers of 60 tensors with 256 experts apart stay under it.
inline constexpr std::uint64_t kTensorsMax = 1u << 17;
// A chat template of 1 MiB is the longest string that anything needs.
inline constexpr std::uint64_t kStringBytesMax = 1u << 20;
inline constexpr std::uint64_t kNameBytesMax = 256;
inline constexpr std::uint32_t kDimensionsMax = 4;
// Convolutions have 5 at most; the list is bounded before it is believed.
inline constexpr std::size_t kSafetensorsDimensionsMax = 8;
// The format's own bound; kTensorsMax tensors with long names take a third of it.
inline constexpr std::size_t kSafetensorsHeaderBytesMax = 100'000'000;
// The index of a model in shards, and the JSON files beside the weights but for the tokenizer's.
inline constexpr std::size_t kIndexBytesMax = 32u << 20;
inline constexpr std::size_t kConfigBytesMax = 1u << 20;
// The largest published model has 163 shards.
inline constexpr std::size_t kShardsMax = 4096;
inline constexpr std::uint64_t kAlignmentMax = 1u << 16;
inline constexpr std::int64_t kLayersMax = 1024;
inline constexpr std::int64_t kWidthMax = 1 << 20;  // d_model, feed-forward width
inline constexpr std::int64_t kVocabMax = 1 << 22;
inline constexpr std::int64_t kContextMax = 1 << 24;
inline constexpr std::int64_t kExpertsMax = 1024;  // of one layer; the largest models have 512
// Published scalings stretch by at most a few hundred.
inline constexpr double kRopeFactorMax = 1 << 20;
// No tokenizer has tokens longer than a few hundred bytes.
inline constexpr std::size_t kTokenBytesMax = 1u << 12;

static_assert(kVocabMax <= static_cast<std::int64_t>(kArrayElementsMax));

}  // namespace plinth::model
