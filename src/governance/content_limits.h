// Bounds of content policies, with the reason of each. Texts are hostile, and patterns come from
// whoever may manage policies, who may err.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// Azure allows 128 characters an item; one character may decompose into 18.
inline constexpr std::size_t kTermBytesMax = 512;
inline constexpr std::size_t kTermCharsMax = 1024;  // after normalisation
// Azure's own bounds on lists.
inline constexpr std::size_t kBlocklistItemsMax = 10'000;
inline constexpr std::size_t kBlocklistsMax = 32;
inline constexpr std::size_t kBlocklistNameBytesMax = 128;
// An automaton takes about 24 bytes a character of its patterns, so 24 MiB at most.
inline constexpr std::size_t kTermCharsTotalMax = 1u << 20;

inline constexpr std::size_t kRegexBytesMax = 1000;
// Each is run over the whole of every text.
inline constexpr std::size_t kRegexesMax = 256;
// The longest match, in bytes of normalised text: what a regex could still match is held back.
inline constexpr std::size_t kRegexWindowBytes = 1024;
// Backtracking steps from one place in the text. A pattern with a few gaps over the window takes a
// few times its length; what takes more grows faster than the text.
inline constexpr std::uint32_t kRegexStepsMax = 20 * kRegexWindowBytes;
inline constexpr std::uint32_t kRegexDepthMax = 8 * kRegexWindowBytes;
inline constexpr std::uint32_t kRegexHeapKibMax = 16u << 10;
// Characters before a match that lookbehind may see.
inline constexpr std::size_t kRegexLookbehindMax = 64;

// Invisible or repeated white characters within a match, in bytes of the text: more than this in
// one place ends the match, so that what is held back stays bounded.
inline constexpr std::size_t kGapBytesMax = 128;
// Original bytes of one normalised character, with the gap before it.
inline constexpr std::size_t kCharBytesMax = kGapBytesMax + 8;

// RFC 5321: 64 bytes before the @, 255 after it.
inline constexpr std::size_t kEmailLocalBytesMax = 64;
inline constexpr std::size_t kEmailDomainBytesMax = 255;
// Lists 34 characters in groups of 4 and numbers of 19 digits are shorter.
inline constexpr std::size_t kPiiBytesMax = kEmailLocalBytesMax + 1 + kEmailDomainBytesMax + 1;

// What a ContentStream may hold back.
inline constexpr std::size_t kHoldBytesMax =
    kCharBytesMax * (std::max(kTermCharsMax, kRegexWindowBytes) + 1);

// Spans that a verdict lists; what is blocked or redacted is not bounded by it.
inline constexpr std::size_t kVerdictSpansMax = 1000;

// Of one project; each is compiled and in memory.
inline constexpr std::int64_t kPoliciesMax = 64;
inline constexpr std::size_t kPolicyFiltersMax = 64;
inline constexpr std::size_t kPolicyNameBytesMax = 128;

static_assert(kHoldBytesMax < 160u << 10, "a choice of a stream keeps no more than this");
static_assert(kPiiBytesMax < kHoldBytesMax);
static_assert(kTermBytesMax <= kTermCharsMax);

}  // namespace plinth::governance
