// Bounds of the HTTP server, with their reasons. HttpServerOptions starts from these.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plinth::net {

// OpenAI's own limit for a chat request with pictures is about this; a text request needs far less.
inline constexpr std::uint64_t kHttpBodyBytesMax = 16u << 20;
// Bodies that are being read by all connections together: 16 of the largest. Without it a thousand
// connections could hold 16 GiB before anybody looked at their keys.
inline constexpr std::uint64_t kHttpBodiesBytesMax = 16 * kHttpBodyBytesMax;
// What waits of a body that is read in pieces: four chunks of a sealed file, so that the peer sends
// on while one is written.
inline constexpr std::size_t kHttpStreamedBytesMax = 256u << 10;
// Browsers send 4 to 8 KiB with large cookies; bearer tokens of identity providers reach 16 KiB.
inline constexpr std::uint32_t kHttpHeaderBytesMax = 32u << 10;
inline constexpr std::size_t kHttpHeadersMax = 128;
// What a client may present in a handshake: eight certificates of 8 KiB, four times what is common.
inline constexpr long kTlsClientChainBytesMax = 64L << 10;
// Model names and cursors are short; 8 KiB is what proxies on the way allow.
inline constexpr std::size_t kHttpUriBytesMax = 8u << 10;
static_assert(kHttpUriBytesMax < kHttpHeaderBytesMax);
// Requests that wait behind the one in progress. Past it the peer is not read until that is over.
inline constexpr std::size_t kHttpPipelineBytesMax = 64u << 10;

// 1,000 streams and as many idle keep-alive connections have room, and 4,096 of them fit the
// descriptor limit that Linux grants at most without asking (a hard limit of 4,096 or more).
inline constexpr int kHttpConnectionsMax = 4096 - 256;
// One more ends the one that has waited longest for its next request. Where all are busy it is told
// 503 and closed; more than this many of these wait in the kernel's backlog.
inline constexpr int kHttpTurnedAwayMax = 128;

// What one stream may hold for a client that takes nothing. A step with n = 128 choices and 20
// log-probabilities each is about 400 KiB, a chunk of plain text 250 bytes: 4,000 tokens.
inline constexpr std::size_t kHttpStreamBytesMax = 1u << 20;

// A peer that neither sends nor takes a byte for this long is cut off. SDKs drop their idle
// connections after 5 s, proxies after 60 to 75.
inline constexpr std::chrono::seconds kHttpIdleMax{75};
// From a request's first byte to the end of its headers: one round trip, or a slowloris.
inline constexpr std::chrono::seconds kHttpHeaderTimeMax{15};
// A body has this long, and longer by a second for each 8 KiB that has come: slow links pass.
inline constexpr std::chrono::seconds kHttpBodyTimeMax{30};
inline constexpr std::uint64_t kHttpBodyBytesPerSecondMin = 8u << 10;
// After a refusal the rest of the request is read for a moment: a peer that is still sending would
// lose the answer to a reset.
inline constexpr std::chrono::seconds kHttpLingerMax{2};
inline constexpr std::uint64_t kHttpLingerBytesMax = 64u << 20;

// Of multipart bodies. RFC 2046 has boundaries of 70 characters; a part's headers are its names and
// a type, and OpenAI's forms have some ten fields.
inline constexpr std::size_t kMultipartBoundaryMax = 70;
inline constexpr std::size_t kMultipartHeaderBytesMax = 8u << 10;
inline constexpr std::size_t kMultipartHeadersMax = 16;
inline constexpr std::size_t kMultipartPartsMax = 64;
inline constexpr std::size_t kMultipartNameMax = 256;
// Blanks between a boundary and the end of its line.
inline constexpr std::size_t kMultipartPaddingMax = 64;

// A longer body is handled on a thread of its own: parsing it may take tens of milliseconds, for
// which no stream should have to wait.
inline constexpr std::size_t kHttpLargeBodyBytes = 128u << 10;

// Of the link between a gateway and a worker. A frame is a request with its prompt at most, whose
// body is bounded above, or the events of a step: 4,096 choices with log-probabilities are 15 MB.
inline constexpr std::size_t kRpcFrameBytesMax = 64u << 20;
// A peer for which so much collects is lost: it has taken nothing for thousands of steps.
inline constexpr std::size_t kRpcUnsentBytesMax = 256u << 20;

}  // namespace plinth::net
