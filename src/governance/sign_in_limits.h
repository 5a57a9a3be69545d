// Bounds of sign-in, with their reasons.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// Tokens. With 200 groups, the most that Entra puts into one, a token is about 10 KiB; no header
// that carries a longer one gets through our HTTP server.
inline constexpr std::size_t kJwtBytesMax = 16u << 10;
// alg, kid, typ and perhaps a certificate thumbprint: about 150 bytes.
inline constexpr std::size_t kJwtHeaderBytesMax = 2u << 10;
static_assert(kJwtHeaderBytesMax < kJwtBytesMax);
// Providers use thumbprints and UUIDs.
inline constexpr std::size_t kKeyIdBytesMax = 256;
// Claims are strings, lists and one level of objects (Keycloak's realm_access.roles).
inline constexpr std::size_t kJwtDepthMax = 8;
// OpenID Connect Core 1.0, section 2.
inline constexpr std::size_t kSubjectBytesMax = 255;
// Clocks under NTP differ by milliseconds; a minute forgives a machine that lost its own.
inline constexpr std::chrono::seconds kJwtLeeway{60};

// Keys. NIST SP 800-131A asks 2048 bits. Verifying costs 20 times as much with 16384 as with 4096,
// and no provider goes past 8192.
inline constexpr int kRsaBitsMin = 2048;
inline constexpr int kRsaBitsMax = 8192;
// FIPS 186-5 asks more than 2^16; with 1 every text would be its own signature.
inline constexpr std::uint64_t kRsaExponentMin = 65537;

// Key sets. Entra publishes about ten keys with their certificates, 20 KiB in all.
inline constexpr std::size_t kJwksBytesMax = 256u << 10;
inline constexpr std::size_t kJwksKeysMax = 64;
inline constexpr std::size_t kDiscoveryBytesMax = 64u << 10;
// Providers announce a key a day or more before they sign with it.
inline constexpr std::chrono::seconds kProviderRefresh{3600};
// So that tokens with invented key ids cannot make us hammer the provider.
inline constexpr std::chrono::seconds kProviderRefetchMin{30};
// Keys still count while the provider is unreachable: a night's outage does not lock everybody out,
// and a key that was withdrawn meanwhile does not live on for ever.
inline constexpr std::chrono::seconds kProviderOutageMax{24 * 3600};
static_assert(kProviderRefetchMin < kProviderRefresh && kProviderRefresh < kProviderOutageMax);

// Sign-ins under way. People type a password and a second factor in well under ten minutes.
inline constexpr std::chrono::seconds kSignInTimeMax{600};
// Of those that ended, whose state may not be used again: at 300 bytes each this is 3 MB. Past it
// the oldest goes: the provider does not take its code again either.
inline constexpr std::size_t kSpentSignInsMax = 10'000;
// Codes of providers stay under 2 KiB; a token answer holds up to three tokens.
inline constexpr std::size_t kCodeBytesMax = 4u << 10;
inline constexpr std::size_t kTokenAnswerBytesMax = 128u << 10;

// Sessions. NIST SP 800-63B asks this at its second level: again after half an hour without use and
// after 12 hours in any case.
inline constexpr std::chrono::seconds kSessionIdleMax{30 * 60};
inline constexpr std::chrono::seconds kSessionTimeMax{12 * 3600};
// When it was last used is written down no more often, so that a page of ten requests is one write.
inline constexpr std::chrono::seconds kSessionTouch{60};
static_assert(kSessionTouch < kSessionIdleMax && kSessionIdleMax < kSessionTimeMax);
// Browsers and devices of one person; the session unused for longest makes room.
inline constexpr std::size_t kSessionsPerUserMax = 20;
// At about 1 KiB each these are 100 MB. Only who has signed in takes one.
inline constexpr std::size_t kSessionsMax = 100'000;
inline constexpr std::size_t kSessionKeyBytesMin = 32;
// What a person or program may is remembered so long, as an API key's rights are: it bounds how
// late another gateway sees that somebody was disabled.
inline constexpr std::chrono::seconds kPrincipalCacheMax{10};
// At some 500 bytes each these are 5 MB; past it all are read anew.
inline constexpr std::size_t kPrincipalsKnownMax = 10'000;

// Passwords. NIST SP 800-63B-4 asks 15 characters where a password is the only factor, and that
// long phrases pass; past 1 KiB it is no phrase.
inline constexpr std::size_t kPasswordCharsMin = 15;
inline constexpr std::size_t kPasswordBytesMax = 1024;
// A stored row that asks for more is damaged or hostile: it could take all memory.
inline constexpr std::uint32_t kPasswordMemoryKibMax = 1u << 20;
inline constexpr std::uint32_t kPasswordPassesMax = 16;
inline constexpr std::uint32_t kPasswordLanesMax = 16;
inline constexpr std::size_t kPasswordPhcBytesMax = 512;
// Checks at once, each 19 MiB and some 30 ms of a core: 150 MB, whoever knocks.
inline constexpr int kPasswordChecksAtOnce = 8;
inline constexpr std::size_t kAccountNameBytesMax = 128;

// Failed sign-ins. People mistype a few times; then each failure doubles the wait, from a second.
inline constexpr int kAccountFailuresFree = 5;
// A minute still leaves 1,440 guesses a day, too few for any password that was let in, and whoever
// fails on purpose in another's name keeps them out for no longer than that.
inline constexpr std::chrono::seconds kAccountDelayMax{60};
// Behind one address there may be a whole office.
inline constexpr int kSourceFailuresFree = 20;
inline constexpr std::chrono::seconds kSourceDelayMax{15 * 60};
// Failures count until nothing has failed for this long.
inline constexpr std::chrono::seconds kFailuresForgotten{3600};
static_assert(kAccountDelayMax < kFailuresForgotten && kSourceDelayMax < kFailuresForgotten);
// Accounts, and as many sources, that are remembered: 200 bytes each, 40 MB in all. Past it the one
// whose last failure is oldest is forgotten.
inline constexpr std::size_t kFailuresRemembered = 100'000;

}  // namespace plinth::governance
