#include "governance/refusal.h"

#include <array>
#include <charconv>

#include "absl/strings/cord.h"

namespace plinth::governance {

namespace {

constexpr char kKindPayload[] = "plinth/refusal";
constexpr char kRetryPayload[] = "plinth/retry_after_us";

}  // namespace

absl::Status refuse(std::string_view message, const Refusal& refusal) {
  absl::Status status = base::resource_exhausted(message);
  status.SetPayload(kKindPayload, absl::Cord(std::to_string(static_cast<int>(refusal.kind))));
  if (refusal.retry_after) {
    const auto us = std::chrono::ceil<std::chrono::microseconds>(*refusal.retry_after).count();
    status.SetPayload(kRetryPayload, absl::Cord(std::to_string(us)));
  }
  return status;
}

std::optional<Refusal> refusal_of(const absl::Status& status) {
  const auto number = [&](const char* key) -> std::optional<std::int64_t> {
    const auto payload = status.GetPayload(key);
    if (!payload) return std::nullopt;
    const std::string text(*payload);
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  const auto kind = number(kKindPayload);
  if (!kind) return std::nullopt;
  Refusal refusal{static_cast<RefusalKind>(*kind), std::nullopt};
  if (const auto us = number(kRetryPayload)) refusal.retry_after = std::chrono::microseconds(*us);
  return refusal;
}

}  // namespace plinth::governance
