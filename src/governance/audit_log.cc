#include "governance/audit_log.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "governance/audit/audit_record.h"
#include "governance/audit/notary.h"
#include "governance/audit/refusal_counter.h"
#include "governance/audit_limits.h"

namespace plinth::governance {

namespace {

AuditEntry to_entry(const store::AuditRow& row) {
  AuditEntry entry{row.id, row.index, row.time_ms, {}};
  auto record = parse_audit_record(row.record);
  if (record.ok()) {
    entry.event = std::move(record->event);
    return entry;
  }
  entry.event.type = row.type;
  entry.event.organization = row.organization;
  entry.event.project = row.project;
  entry.event.details = {{"damaged", std::string(base::message(record.status()))}};
  return entry;
}

}  // namespace

struct AuditLog::Impl {
  Impl(store::Database& database_, const base::Clock& clock_)
      : database(database_), store(database_), clock(clock_), sealed(clock_.now()) {}

  absl::Status append(const AuditEvent& event) {
    return store.append([&](const store::AuditHead& head) {
      return to_audit_row(event, head, clock.unix_millis());
    });
  }

  // In one transaction. What cannot be written is counted on: the database may come back.
  absl::Status write_refusals() {
    RefusalCounter taken;
    {
      std::lock_guard lock(mutex);
      std::swap(taken, refusals);
    }
    const auto events = taken.events();
    if (events.empty()) return absl::OkStatus();
    auto status = database.transaction("write refusals", [&](store::Sql&) -> absl::Status {
      for (const auto& event : events) {
        if (auto one = append(event); !one.ok()) return one;
      }
      return absl::OkStatus();
    });
    if (status.ok()) return status;
    std::lock_guard lock(mutex);
    refusals.merge(std::move(taken));
    return status;
  }

  absl::Status seal() {
    const auto written = write_refusals();
    std::lock_guard lock(notary_mutex);
    sealed = clock.now();
    RETURN_IF_ERROR(notary->seal());
    return written;
  }

  void tick() {
    const auto now = clock.now();
    bool due = false;
    {
      std::lock_guard lock(mutex);
      due = refusals.due(now);
    }
    if (const auto status = due ? write_refusals() : absl::OkStatus(); !status.ok())
      LOG(error, "refusals wait for the audit log: {}", status.ToString());
    {
      std::lock_guard lock(notary_mutex);
      if (now - sealed < kCheckpointInterval) return;
    }
    if (const auto status = seal(); !status.ok())
      LOG(error, "the audit log is not sealed: {}", status.ToString());
  }

  void keep() {
    std::unique_lock lock(mutex);
    while (!stopped.wait_for(lock, kAuditTick, [&] { return stopping; })) {
      lock.unlock();
      tick();
      lock.lock();
    }
  }

  store::Database& database;
  store::AuditStore store;
  const base::Clock& clock;
  std::mutex mutex;
  RefusalCounter refusals;  // protected by mutex, as is `stopping`
  bool stopping = false;
  std::condition_variable stopped;
  std::mutex notary_mutex;
  std::unique_ptr<Notary> notary;  // protected by notary_mutex, as is `sealed`
  base::TimePoint sealed;
  std::thread keeper;
};

AuditLog::AuditLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AuditLog::~AuditLog() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->stopped.notify_all();
  if (impl_->keeper.joinable()) impl_->keeper.join();
  if (const auto status = impl_->seal(); !status.ok())
    LOG(error, "the audit log is not sealed: {}", status.ToString());
}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& home,
                                                         store::Database& database,
                                                         const base::Clock& clock,
                                                         const AuditOptions& options) {
  auto impl = std::make_unique<Impl>(database, clock);
  const auto folder = options.copy_to.empty() ? home + "/audit-checkpoints" : options.copy_to;
  ASSIGN_OR_RETURN(impl->notary, Notary::open(home, folder, impl->store, clock));
  if (options.keeps_itself) impl->keeper = std::thread([&all = *impl] { all.keep(); });
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(impl)));
}

absl::Status AuditLog::append(const AuditEvent& event) { return impl_->append(event); }

void AuditLog::refused(const AuditEvent& event, std::string_view endpoint) {
  std::lock_guard lock(impl_->mutex);
  impl_->refusals.add(event, endpoint, impl_->clock);
}

absl::StatusOr<store::Page<AuditEntry>> AuditLog::list(const store::AuditFilter& filter) {
  ASSIGN_OR_RETURN(const auto page, impl_->store.list(filter));
  store::Page<AuditEntry> out;
  out.has_more = page.has_more;
  for (const auto& row : page.rows) out.rows.push_back(to_entry(row));
  return out;
}

void AuditLog::tick() { impl_->tick(); }
absl::Status AuditLog::seal() { return impl_->seal(); }

}  // namespace plinth::governance
