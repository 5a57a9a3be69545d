// Every administrative act, sign-in and denied permission, in a chain that proves itself
// (docs/decisions/0013).
//
//   RETURN_IF_ERROR(audit.append({.type = "project.archived", .actor = actor, .project = id,
//                                 .resources = {id}, .details = {{"id", id}}}));
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "governance/audit_event.h"
#include "store/audit_store.h"

namespace plinth::governance {

struct AuditOptions {
  std::string copy_to;  // folder of the checkpoints' copies; "" = audit-checkpoints in the home
  // Whether a thread of its own calls tick().
  bool keeps_itself = true;
};

// One entry as it is read again.
struct AuditEntry {
  std::string id;
  std::int64_t index = 0, time_ms = 0;
  // Of a record that is damaged what its columns say, with `damaged` in its details.
  AuditEvent event;
};

// Thread-safe.
class AuditLog {
 public:
  // `home` holds secrets/audit_key, which is made on first use. The references outlive it.
  // A log whose chain is broken opens, says so once a minute, and is signed no more.
  static absl::StatusOr<std::unique_ptr<AuditLog>> open(const std::string& home,
                                                        store::Database& database,
                                                        const base::Clock& clock,
                                                        const AuditOptions& options = {});
  // Writes what waits, and seals it.
  ~AuditLog();

  // Durable when this returns OK. Inside a transaction of the database, on its thread, it is part
  // of that, best the last: the act and its record are there together or not at all.
  // InvalidArgument names a field that is too long or no text.
  absl::Status append(const AuditEvent& event);
  // A denied permission, an API key that is none, a failed sign-in: counted, and written once a
  // minute for each kind and source. Costs no more than a look into a map. `endpoint` is one of few
  // names, never what a client sent.
  void refused(const AuditEvent& event, std::string_view endpoint);

  // From new to old.
  absl::StatusOr<store::Page<AuditEntry>> list(const store::AuditFilter& filter);

  // Does what is due: writes refusals, signs a checkpoint.
  void tick();
  // Both at once, due or not. DataLoss where the chain is broken.
  absl::Status seal();

 private:
  struct Impl;
  explicit AuditLog(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
