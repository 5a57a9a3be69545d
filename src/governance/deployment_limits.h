// Bounds of deployments, with the reason of each.
#pragma once

#include <cstddef>
#include <cstdint>

namespace plinth::governance {

// Azure's own bound on names.
inline constexpr std::size_t kDeploymentNameMax = 64;
// Everything a gateway routes by is in its memory: more names in one project are a mistake.
inline constexpr std::int64_t kDeploymentsMax = 256;
inline constexpr std::int64_t kVersionsMax = 256;
inline constexpr std::size_t kModelNameBytesMax = 512;
// Of the list that says which models a project may call: as many as it can have deployments.
inline constexpr std::size_t kPermittedModelsMax = 256;
inline constexpr std::size_t kVersionBytesMax = 64;
inline constexpr std::size_t kCanariesMax = 8;
inline constexpr std::size_t kParametersMax = 32;

// A unit of standard capacity is a thousand tokens and six requests a minute, as Azure sells it.
inline constexpr std::int64_t kTokensOfCapacity = 1000;
inline constexpr std::int64_t kRequestsOfCapacity = 6;
// Its tokens stay within kLimitMax.
inline constexpr std::int64_t kCapacityMax = 100'000;

// Of one replica of a model: a unit is a hundredth of what it sustains.
inline constexpr std::int64_t kUnitsOfReplica = 100;
// Of a model, over all gateways: more machines are a cluster of another kind.
inline constexpr std::int64_t kReplicasMax = 100;
// Of one provisioned deployment. With kUnitTokensMax the level of its rate fits 64 bits.
inline constexpr std::int64_t kUnitsMax = kReplicasMax * kUnitsOfReplica;
// Input-equivalent tokens a minute of one unit. A thousand times what the largest machine does.
inline constexpr std::int64_t kUnitTokensMax = 10'000'000;
// An output token is worth at most so many input tokens: decoding reads every weight for one token
// that prefill reads for thousands.
inline constexpr std::int64_t kOutputWeightMax = 10'000;

// First tokens within a minute and tokens at one a second: slower is no target.
inline constexpr std::int64_t kFirstTokenMsMax = 60'000;
inline constexpr std::int64_t kTokenUsMax = 1'000'000;

// Input-equivalent tokens a minute of one deployment.
inline constexpr std::int64_t kProvisionedTokensMax = kUnitsMax * kUnitTokensMax;
// The brim of its bucket: what drains in ten seconds. Less would refuse single long prompts of
// small deployments; more would let a burst wait longer than anybody wants to.
inline constexpr std::int64_t kBrimMs = 10'000;
static_assert(kProvisionedTokensMax <= INT64_MAX / 60'000, "a rate's level fits 64 bits");

// Of one unit for an hour: 100 units of money, fifty times what others ask.
inline constexpr std::int64_t kUnitHourPicoMax = 100'000'000'000'000;
static_assert(kUnitHourPicoMax <= INT64_MAX / kUnitsMax, "an hour of a deployment fits 64 bits");

}  // namespace plinth::governance
