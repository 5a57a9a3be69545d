// Bounds of `plinth bench serve`, each with its reason.
#pragma once

#include <cstddef>

namespace plinth::serve {

// Conversations of one run: each keeps its outcomes until the report.
inline constexpr int kConversationsMax = 100'000;
// Each open conversation is a thread here and a connection there.
inline constexpr std::size_t kOpenMax = 1000;
// Of one conversation: its history is sent again with every turn.
inline constexpr std::size_t kTurnsMax = 256;
// More words than any context takes, and still no gigabyte of prompt.
inline constexpr int kWordsMax = 1 << 20;
inline constexpr int kTokensMax = 1 << 20;
// A day: a trace that takes longer is a mistake in its unit.
inline constexpr double kSecondsMax = 86'400;
inline constexpr int kTenantsMax = 1000;
inline constexpr std::size_t kTenantNameMax = 64;
// A trace is read whole.
inline constexpr std::size_t kTraceBytesMax = std::size_t{256} << 20;

}  // namespace plinth::serve
