// Every bound of training, with its reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plinth::train {

// Of a file of examples: OpenAI's limit.
inline constexpr std::size_t kDataBytesMax = 512u << 20;
// Of one line: half a million tokens, past any model's context.
inline constexpr std::size_t kLineBytesMax = 4u << 20;
// Of one example: as many as a chat request may have.
inline constexpr std::size_t kMessagesMax = 10'000;
// Of examples in a file: each takes some 100 bytes beside its tokens.
inline constexpr std::size_t kExamplesMax = 10'000'000;
// Of choices that are compared: each is a pass of the model.
inline constexpr std::size_t kEvalChoicesMax = 64;
// Errors of a file that are told at once: who sees a hundred knows what is wrong.
inline constexpr std::size_t kDataErrorsMax = 100;
// Of what layers leave for the way back, in bytes; beyond it they are gone through once more: 512
// tokens of a model of 135 million weights take 640 MB.
inline constexpr std::int64_t kKeptBytesMax = std::int64_t{768} << 20;
// The same, and tokens of a pass, where all weights learn, which takes 16 bytes for each beside:
// products that add to a weight's gradient read and write it once for a pass.
inline constexpr std::int64_t kKeptBytesMaxWhole = std::int64_t{3} << 30;
inline constexpr std::int64_t kPassTokensWhole = 2048;
// Of an adapter: far past where a larger one learns more.
inline constexpr std::int64_t kRankMax = 1024;
// That a rank waits for another: rank 0 writes checkpoints meanwhile, the largest for minutes.
inline constexpr std::chrono::minutes kRankWaitMax{15};
// Of gradients of other ranks that lie beside the own until they are added.
inline constexpr std::size_t kReduceBytesMax = 128u << 20;
// Of messages: what MPI promises at least.
inline constexpr int kMessageTags = 1 << 15;

}  // namespace plinth::train
