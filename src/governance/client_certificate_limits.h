// Bounds of clients' certificates, with their reasons.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// An authority's certificate in PEM, or one of a client's chain: some have a dozen names and
// policies, none has this much.
inline constexpr std::size_t kClientCaBytesMax = 32u << 10;
// As OpenAI's: of an organization, and of one act.
inline constexpr std::int64_t kClientCasMax = 50;
inline constexpr std::size_t kClientCasAtOnce = 10;
// Of a chain: a client's certificate and those between it and an authority.
inline constexpr std::size_t kClientChainMax = 8;
// RSA of 2048 bits and P-224 have 112 (NIST SP 800-57): OpenSSL's level 2 asks for the same of what
// an authority signed.
inline constexpr int kClientCaSecurityBitsMin = 112;
inline constexpr int kClientAuthLevel = 2;

// As long as rights of keys are remembered (api_keys.cc).
inline constexpr std::chrono::seconds kClientCheckKept{10};
// At some 100 bytes each this is a megabyte; past it all are looked at anew.
inline constexpr std::size_t kClientChecksKept = 10'000;

}  // namespace plinth::governance
