// Tells people by e-mail or webhook when a month's spending reaches a threshold. What was spent is
// what the ledger's sums say; a look costs a sum for each project that has an alert which did not
// fire yet.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "governance/audit_event.h"
#include "store/alert_store.h"

namespace plinth::governance {

struct SpendAlert {
  std::string id;
  std::string organization, project;  // project "" = of the whole organization
  std::int64_t threshold_pico = 0;    // of a month, UTC's
  std::vector<std::string> recipients;
  std::string subject_prefix;
  bool operator==(const SpendAlert&) const = default;
};

// That an alert's threshold was reached.
struct SpendNotice {
  std::string id;  // the same however often it is delivered
  SpendAlert alert;
  std::int64_t month_s = 0, spent_pico = 0, fired_s = 0;
};
// {id, type, alert_id, organization_id, project_id, month, threshold, spent, currency, ...}
std::string notice_json(const SpendNotice& notice);
// A letter to the recipients, as `sendmail -t` takes it (RFC 5322).
std::string notice_letter(const SpendNotice& notice);

// Told of a notice; an error tries it again in a minute.
using DeliverNotice = std::function<absl::Status(const SpendNotice&)>;
// Runs an act in a transaction with its record: Governance::on_record().
using OnRecord =
    std::function<absl::Status(const std::function<absl::Status(AuditEvent& event)>& act)>;

// Thread-safe.
class SpendAlerts {
 public:
  // The references outlive it; `clock` is the database's, by which months begin.
  SpendAlerts(store::Database& database, const base::Clock& clock, OnRecord on_record);
  ~SpendAlerts();

  // Makes the id. InvalidArgument names a field at fault, ResourceExhausted says how many there
  // may be. Others: NotFound where there is no such alert of this organization and project.
  absl::StatusOr<SpendAlert> create(SpendAlert alert);
  absl::StatusOr<SpendAlert> find(const std::string& organization, const std::string& project,
                                  const std::string& id);
  // From old to new.
  absl::StatusOr<std::vector<SpendAlert>> list(const std::string& organization,
                                               const std::string& project);
  absl::Status update(const SpendAlert& alert);
  absl::Status remove(const SpendAlert& alert);

  // Looks once: alerts that were passed fire, on record, and who waits is told. A month that is
  // over is looked at for another day.
  absl::Status tick(const DeliverNotice& deliver);
  // Does so every few seconds (kAlertTick) on a thread of its own, until the end.
  void start(DeliverNotice deliver);

 private:
  absl::Status look();
  absl::Status deliver_waiting(const DeliverNotice& deliver);

  const base::Clock& clock_;
  const OnRecord on_record_;
  store::AlertStore rows_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // protected by mutex_
  std::thread thread_;     // last: it uses the fields above
};

}  // namespace plinth::governance
