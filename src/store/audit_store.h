// Rows of the audit log: a chain of records without gaps, and signed checkpoints of its head.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/paging.h"

namespace plinth::store {

struct AuditRow {
  std::int64_t index = 0;  // from 0, without gaps
  std::string id;
  std::int64_t time_ms = 0;
  std::string record;  // the text that `hash` covers
  std::string hash;    // SHA-256 in lower-case hex
  // What searches go by; repeats what the record says.
  std::string organization, type, project, actor, owner, email;
  std::vector<std::string> resources;  // ids of what was acted on, sorted
};

// The end of the chain.
struct AuditHead {
  std::int64_t size = 0;  // records; the next one's index
  std::string hash;       // of the last; "" = none yet
};

struct AuditCheckpointRow {
  std::int64_t size = 0;
  std::string checkpoint;  // the text that is signed
  std::string signature;
  std::string frontier;
};

// Lists are empty where they restrict nothing. Times are in milliseconds since 1970.
struct AuditFilter {
  std::string organization;
  std::optional<std::int64_t> from_ms, before_ms;  // from_ms <= time < before_ms
  std::vector<std::string> projects, types, actors, emails, resources;
  // Ids; at most one is given. Pages run from new to old: `after` an entry come older ones.
  std::string after, before;
  std::int64_t limit = 20;
};

// Thread-safe as its Database is.
class AuditStore {
 public:
  explicit AuditStore(Database& database) : database_(database) {}

  // Appends what `make` says of the chain's end, which stays the end until this transaction is
  // over: gateways that share a database wait for each other here. Part of the caller's transaction
  // where there is one; best at its end.
  absl::Status append(const std::function<absl::StatusOr<AuditRow>(const AuditHead&)>& make);
  absl::StatusOr<AuditHead> head();
  // At most `limit` records from that index on, in order.
  absl::StatusOr<std::vector<AuditRow>> rows(std::int64_t from, std::int64_t limit);
  // NotFound where `after` or `before` is no record of the organization.
  absl::StatusOr<Page<AuditRow>> list(const AuditFilter& filter);

  // Keeps the one that is there where another gateway signed the same size.
  absl::Status insert_checkpoint(const AuditCheckpointRow& row);
  // At most `limit` of them, larger than that size, in order.
  absl::StatusOr<std::vector<AuditCheckpointRow>> checkpoints(std::int64_t after_size,
                                                              std::int64_t limit);
  absl::StatusOr<std::optional<AuditCheckpointRow>> last_checkpoint();

 private:
  Database& database_;
};

}  // namespace plinth::store
