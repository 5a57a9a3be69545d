// Refusals by kind and source, in bounded memory, so that whoever knocks a million times makes one
// record a minute.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "governance/audit_event.h"

namespace plinth::governance {

// Not thread-safe.
class RefusalCounter {
 public:
  // `event` is what the record of its kind and source will say, besides the count. Of kinds and
  // sources past kRefusalSourcesMax there is one record for each kind, which names no source.
  void add(const AuditEvent& event, std::string_view endpoint, const base::Clock& clock);
  // Whether the first of them waits for kRefusalWindow.
  bool due(base::TimePoint now) const;
  // A record for each; the details say how often, when and where.
  std::vector<AuditEvent> events() const;
  // Counts on with what could not be written.
  void merge(RefusalCounter other);

 private:
  struct Entry {
    AuditEvent event;
    std::int64_t count = 0, first_ms = 0, last_ms = 0;
    std::set<std::string, std::less<>> endpoints;
  };
  static base::json::object details_of(const Entry& entry);
  Entry& entry_of(std::string key, const AuditEvent& event);

  std::map<std::string, Entry> entries_;
  base::TimePoint since_{};
};

}  // namespace plinth::governance
