// Bounds of what crosses between gateway and worker, with their reasons.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plinth::protocol {

// The HTTP body limit is 16 MiB; text grows little in protobuf, so this leaves room for a step's
// logprobs and for 2048 embeddings of 4096 floats (32 MiB).
inline constexpr std::size_t kFrameBytesMax = 64u << 20;
inline constexpr int kEmbedInputsMax = 2048;            // OpenAI's own limit
inline constexpr int kEmbedTokensMax = 300'000;         // OpenAI's own limit, all inputs together
inline constexpr int kStopMax = 64;                     // the dialects allow 4 to 16
inline constexpr int kLogitBiasMax = 4096;              // OpenAI allows 1024
inline constexpr int kChoicesMax = 128;                 // OpenAI's limit on n
inline constexpr int kPromptTokensMax = 4 << 20;        // past any model's context
inline constexpr std::size_t kAdapterIdBytesMax = 128;  // a digest has 64
inline constexpr std::size_t kAdapterPathBytesMax = 4096;  // the system's own bound
// 80 bytes, and where the file belongs: four lengths, two tenants, a kind and an id.
inline constexpr std::size_t kAdapterKeyBytesMax = 2048;
inline constexpr std::size_t kTenantBytesMax = 256;  // a project's id has some 30
// Shares of one tenant over another's one: more would leave the other hardly a token a second.
inline constexpr int kTenantWeightMax = 1000;
// 30 days, past any request's deadline; a sum of 64 bits holds three million of them.
inline constexpr std::int64_t kDeviceUsMax = std::int64_t{30} * 86'400 * 1'000'000;
inline constexpr std::size_t kStatusTextMax = 4096;  // an error message is for a person

}  // namespace plinth::protocol
