// Refusals of a limit, as dialects need them to answer in their own form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace plinth::governance {

enum class RefusalKind : std::uint8_t {
  requests,   // too many for now
  tokens,     // too many for now
  too_large,  // more than the limit lets through at any time: a retry cannot help
  budget      // no money is left: a retry cannot help before the period ends or somebody raises it
};

struct Refusal {
  RefusalKind kind = RefusalKind::requests;
  std::optional<base::Duration> retry_after;  // where waiting helps
};

// A ResourceExhausted that carries the refusal.
absl::Status refuse(std::string_view message, const Refusal& refusal);
// Nothing where the status is no refusal of a limit.
std::optional<Refusal> refusal_of(const absl::Status& status);

}  // namespace plinth::governance
