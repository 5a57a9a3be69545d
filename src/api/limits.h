// Bounds of what one request may ask for, with their reasons.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "protocol/limits.h"

namespace plinth::api {

// OpenAI publishes no bound on messages; the body limit of 16 MiB allows about this many short
// ones, and each costs a template some two hundred steps of its twenty million.
inline constexpr std::size_t kMessagesMax = 10'000;
inline constexpr std::size_t kContentPartsMax = 1024;  // far past what a person writes
inline constexpr std::size_t kToolsMax = 128;          // OpenAI's limit
inline constexpr std::size_t kToolCallsMax = 128;      // a message answers at most every tool
inline constexpr std::size_t kFunctionNameMax = 64;    // OpenAI's limit
inline constexpr std::size_t kStopMax = 4;             // OpenAI's limit
inline constexpr std::size_t kLogitBiasMax = 1024;     // OpenAI's limit
inline constexpr std::size_t kMetadataMax = 16;        // OpenAI's limits: pairs, key, value
inline constexpr std::size_t kMetadataKeyMax = 64;
inline constexpr std::size_t kMetadataValueMax = 512;
inline constexpr std::size_t kUserMax = 512;  // an opaque id, never a document
inline constexpr std::size_t kModelNameMax = 512;
inline constexpr int kChoicesMax = protocol::kChoicesMax;
inline constexpr int kTopLogprobsMax = 20;        // OpenAI's limit for chat
inline constexpr int kCompletionLogprobsMax = 5;  // OpenAI's limit for text completions

// Prompts of one text completion. They run at once: a quarter of a model's queue of 1,024, so that
// one request leaves room for others. Evaluation harnesses send some tens.
inline constexpr std::size_t kPromptsMax = 256;
// All choices of one text completion together: the answer is held in memory until it is whole.
inline constexpr std::size_t kCompletionChoicesMax = 1024;

inline constexpr std::size_t kEmbedInputsMax = protocol::kEmbedInputsMax;
// Texts of one moderation, and their bytes together: lists read a megabyte in a quarter of a
// second.
inline constexpr std::size_t kModerationInputsMax = 1024;
inline constexpr std::size_t kModerationBytesMax = 1u << 20;
// The widest published embedding has 12,288 numbers; a model's own width is the real bound.
inline constexpr std::int64_t kDimensionsMax = 65'536;
inline constexpr std::int64_t kTokenIdMax = INT32_MAX;
inline constexpr std::size_t kPromptTokensMax = protocol::kPromptTokensMax;

// Sign-ins and tokens of a provider that are looked at at once; a provider that hangs holds them
// for ten seconds each.
inline constexpr int kSlowThreads = 4;
// At most kHttpHeaderBytesMax each: 8 MiB.
inline constexpr std::size_t kSlowWorkMax = 256;
// Tokens whose key the provider may have, or nobody: they wait for its keys, which are fetched at
// most twice a minute, and one thread is enough to find out.
inline constexpr int kDoubtfulThreads = 1;
inline constexpr std::size_t kDoubtfulWorkMax = 64;
static_assert(kDoubtfulThreads < kSlowThreads);
// Where somebody goes after signing in, and what a form of sign-in may hold.
inline constexpr std::size_t kReturnToBytesMax = 1024;
inline constexpr std::size_t kSignInFormBytesMax = 8u << 10;

// A server that ends waits so long for requests whose rows wait for the database.
inline constexpr std::chrono::seconds kCloseWait{45};
// Threads that seal and open bodies of files, and put uploads together: they wait for the disk.
inline constexpr int kFileThreads = 4;
// One piece of work for each upload and download that goes on: as many as connections.
inline constexpr std::size_t kFileWorkMax = 4096;
// Of a download at once: four chunks of a sealed file, a quarter of what a stream may hold.
inline constexpr std::size_t kFilePieceBytes = 256u << 10;
// A form's other fields, and what stands between them.
inline constexpr std::uint64_t kFormBytesMax = 1u << 20;
inline constexpr std::size_t kFormFieldBytesMax = 4u << 10;
// OpenAI's.
inline constexpr std::int64_t kFilesPageMax = 10'000;

static_assert(kStopMax <= protocol::kStopMax);
static_assert(kLogitBiasMax <= protocol::kLogitBiasMax);

}  // namespace plinth::api
