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
// The largest tokenizer.json (262,144 tokens, 580,000 merges as pairs) has 33 MB.
inline constexpr std::size_t kTokenizerFileBytesMax = 128u << 20;
// Configuration files beside it: the largest hold a chat template and thousands of added tokens.
inline constexpr std::size_t kConfigFileBytesMax = 16u << 20;
// Ids that no token has: models pad their vocabularies by a few thousand.
inline constexpr std::int64_t kVocabHolesMax = 1 << 16;
// The richest tokenizer.json has 8 steps; each is one level of recursion.
inline constexpr std::size_t kTokenizerStepsMax = 32;
// The longest published expression has about 1,000 bytes.
inline constexpr std::size_t kExpressionBytesMax = 1u << 14;
// Backtracking steps for one match: a megabyte of spaces needs about its length, and a hostile
// expression ends within about a second.
inline constexpr std::uint32_t kMatchStepsMax = 20'000'000;
inline constexpr std::uint32_t kMatchHeapKibMax = 64u << 10;
// A request's body is bounded by 16 MiB; normalizers of hostile files could make it grow.
inline constexpr std::size_t kNormalizedBytesMax = 256u << 20;
// BERT's is 100.
inline constexpr std::size_t kWordCharsMax = 10'000;
// Of an adapter: published ones have ranks of 4 to 256; a higher one is no saving.
inline constexpr std::int64_t kAdapterRankMax = 1024;
// 4 GiB in fp32: rank 256 on all matrices of a model of 70 billion weights has a third of it.
inline constexpr std::size_t kAdapterNumbersMax = std::size_t{1} << 30;
inline constexpr double kAdapterAlphaMax = 1 << 16;      // some multiples of the rank
inline constexpr std::size_t kAdapterTargetsMax = 4096;  // names, or every module's path

static_assert(kVocabMax <= static_cast<std::int64_t>(kArrayElementsMax));

}  // namespace plinth::model
