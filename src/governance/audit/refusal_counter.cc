#include "governance/audit/refusal_counter.h"

#include <fmt/format.h>

#include <algorithm>

#include "governance/audit_limits.h"
#include "governance/sign_in_throttle.h"

namespace plinth::governance {

RefusalCounter::Entry& RefusalCounter::entry_of(std::string key, const AuditEvent& event) {
  const bool others = entries_.size() >= kRefusalSourcesMax && !entries_.contains(key);
  if (others) key = fmt::format("{}\nothers", event.type);
  auto& entry = entries_[key];
  if (entry.count > 0) return entry;
  entry.event = event;
  if (others) {
    entry.event.actor = {"system", "", "", "", "", ""};
    entry.event.details = {{"sources", "others"}};
  }
  return entry;
}

void RefusalCounter::add(const AuditEvent& event, std::string_view endpoint,
                         const base::Clock& clock) {
  if (entries_.empty()) since_ = clock.now();
  auto& entry = entry_of(
      fmt::format("{}\n{}\n{}", event.type, event.actor.id, throttle_source(event.actor.ip)),
      event);
  entry.last_ms = clock.unix_millis();
  if (entry.count++ == 0) entry.first_ms = entry.last_ms;
  if (entry.endpoints.size() < kRefusalEndpointsMax) entry.endpoints.emplace(endpoint);
}

void RefusalCounter::merge(RefusalCounter other) {
  since_ = entries_.empty() ? other.since_ : std::min(since_, other.since_);
  for (auto& [key, lost] : other.entries_) {
    auto& entry = entry_of(key, lost.event);
    entry.first_ms = entry.count == 0 ? lost.first_ms : std::min(entry.first_ms, lost.first_ms);
    entry.last_ms = std::max(entry.last_ms, lost.last_ms);
    entry.count += lost.count;
    for (const auto& endpoint : lost.endpoints) {
      if (entry.endpoints.size() < kRefusalEndpointsMax) entry.endpoints.insert(endpoint);
    }
  }
}

bool RefusalCounter::due(base::TimePoint now) const {
  return !entries_.empty() && now - since_ >= kRefusalWindow;
}

base::json::object RefusalCounter::details_of(const Entry& entry) {
  auto details = entry.event.details;
  base::json::array endpoints;
  for (const auto& endpoint : entry.endpoints) endpoints.emplace_back(endpoint);
  details["count"] = entry.count;
  details["first_at"] = entry.first_ms / 1000;
  details["last_at"] = entry.last_ms / 1000;
  details["endpoints"] = std::move(endpoints);
  return details;
}

std::vector<AuditEvent> RefusalCounter::events() const {
  std::vector<AuditEvent> events;
  for (const auto& [key, entry] : entries_) {
    events.push_back(entry.event);
    events.back().details = details_of(entry);
  }
  return events;
}

}  // namespace plinth::governance
