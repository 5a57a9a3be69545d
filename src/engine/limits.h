// Bounds of the engine, with their reasons.
#pragma once

#include <chrono>
#include <cstdint>

namespace plinth::engine {

// Log-probabilities of a prompt need one row of logits a token: 64 rows of a vocabulary of 152k in
// fp32 are 37 MiB, and the rest of a chunk would gain little speed.
inline constexpr std::int32_t kPromptRowsMax = 64;
// Beyond this a draft that comes true nine times of ten is wrong more often than not.
inline constexpr std::int32_t kDraftTokensMax = 16;
// Drafts of all sequences in a step. Each is a row of logits, as in kPromptRowsMax; and beyond so
// many tokens no step of decodes has time to spare.
inline constexpr std::int32_t kDraftStepTokensMax = 64;
static_assert(kDraftTokensMax <= kDraftStepTokensMax);
// Places that the look-up of drafts keeps for each length of match: 48 KiB a sequence in all three,
// and the latest 4,096 tokens are where answers quote from.
inline constexpr std::int32_t kNgramSlots = 4096;
// How often a cached page counts as found: once nobody comes back, it outlives at most so many
// turnovers of the whole cache.
inline constexpr std::int32_t kFoundMax = 8;
// Pages that prompts before their start may pin: one part in so many of all. The rest goes by worth
// alone, so that those who ask for much at once do not decide what everybody's cache keeps.
inline constexpr std::int32_t kPinnedShare = 2;
// For how long a prompt that is prepared keeps the pages that it found: its gateway commits within
// microseconds, or a transaction or two where the database has to be asked for a block of a limit.
// Where that is away for longer the request is counted again without them.
inline constexpr std::chrono::seconds kPinLease{2};
// Tenants that are remembered without a request, each some 200 bytes: projects that all were served
// more, not long ago, than those that wait now.
inline constexpr std::int32_t kIdleTenantsMax = 1024;
// How far a tenant with something running may fall behind by asking for little, in full steps: then
// it takes so many of them alone at most, which is some seconds.
inline constexpr std::int32_t kCreditSteps = 8;
inline constexpr std::int32_t kChoicesMax = 128;     // OpenAI's limit on n
inline constexpr std::int32_t kTopLogprobsMax = 20;  // OpenAI's limit on top_logprobs
inline constexpr std::int32_t kBlocksMax = 1
                                           << 24;  // page numbers and token counts stay in 32 bits
static_assert(std::int64_t{kBlocksMax} * 16 <= INT32_MAX);

}  // namespace plinth::engine
