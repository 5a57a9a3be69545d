#include "governance/governance.h"

#include <chrono>

#include "absl/strings/escaping.h"
#include "base/log.h"
#include "governance/random_bytes.h"
#include "governance/shared_secrets.h"

namespace plinth::governance {

namespace {

// How late a change by another gateway may take effect here.
constexpr std::chrono::seconds kRefreshInterval{5};
// Of a gateway's name: no two are ever the same.
constexpr std::size_t kGatewayBytes = 12;
constexpr std::int64_t kHour = 3600;  // seconds

}  // namespace

absl::StatusOr<std::unique_ptr<Governance>> Governance::open(const std::string& home,
                                                             store::Database& database,
                                                             const base::Clock& clock,
                                                             const AuditOptions& audit,
                                                             const ContentOptions& content) {
  // Before anything is signed or looked up by them.
  RETURN_IF_ERROR(check_shared_secrets(home, database, clock));
  std::unique_ptr<Governance> made(new Governance(database, clock));
  ASSIGN_OR_RETURN(made->audit_, AuditLog::open(home, database, clock, audit));
  const auto now_s = clock.unix_seconds();
  RETURN_IF_ERROR(made->tenants_.ensure_organization({kDefaultTenant, kDefaultTenant, now_s}));
  if (absl::IsNotFound(made->tenants_.project(kDefaultTenant).status())) {
    const auto status =
        made->tenants_.insert_project({kDefaultTenant, kDefaultTenant, kDefaultTenant, now_s, {}});
    // Another process was faster.
    if (!status.ok() && !absl::IsAlreadyExists(status)) return status;
  }
  ASSIGN_OR_RETURN(made->keys_, ApiKeys::open(home, database, clock));
  RETURN_IF_ERROR(made->open_admission(database.dialect() == store::Dialect::postgresql, clock));
  made->ledger_ = std::make_unique<store::LedgerWriter>(made->usage_, clock);
  made->meter_ = std::make_unique<Meter>(*made->admission_, *made->ledger_);
  ASSIGN_OR_RETURN(made->throughput_, ProvisionedThroughput::open(made->documents_, clock));
  ASSIGN_OR_RETURN(made->deployments_,
                   Deployments::open({made->documents_, *made->admission_, *made->throughput_,
                                      made->commitments_, clock}));
  ASSIGN_OR_RETURN(made->model_permissions_, ModelPermissions::open(made->documents_, clock));
  made->spend_alerts_ = std::make_unique<SpendAlerts>(
      database, made->clock(),
      [&governance = *made](const auto& act) { return governance.on_record(act); });
  RETURN_IF_ERROR(made->open_content(home, content, audit));
  made->refresher_ = std::thread([&governance = *made] { governance.keep_fresh(); });
  return made;
}

absl::Status Governance::open_content(const std::string& home, const ContentOptions& options,
                                      const AuditOptions& audit) {
  ASSIGN_OR_RETURN(vault_, Vault::open(home, database_, clock(), {audit.copy_to}));
  if (!vault_->shredded_again().empty()) {
    AuditEvent event{"vault.shredded_again", {"system", ""}};
    base::json::array keys;
    for (const auto& id : vault_->shredded_again()) keys.push_back(base::json::string(id));
    event.details = {{"id", kDefaultTenant}, {"data", {{"keys", std::move(keys)}}}};
    RETURN_IF_ERROR(audit_->append(event));
  }
  ASSIGN_OR_RETURN(content_policies_,
                   ContentPolicies::open(documents_, *vault_, tenants_, clock()));
  ASSIGN_OR_RETURN(retention_, RetentionPolicies::open(documents_, clock()));
  const auto folder = options.folder.empty() ? home + "/content" : options.folder;
  ASSIGN_OR_RETURN(content_, ContentStore::open(folder, database_, *vault_, *retention_, clock()));
  files_ = std::make_unique<Files>(database_, *content_, *retention_, clock(), system_random_bytes,
                                   options.project_bytes_max);
  uploads_ = std::make_unique<Uploads>(database_, *files_, *content_, *retention_, clock());
  fine_tuning_ =
      std::make_unique<FineTuningJobs>(database_, clock(), system_random_bytes, options.tuning);
  content_->also_leave(
      [this](const std::string& key) { return content_policies_->leave_key(key); });
  if (audit.keeps_itself) content_->start();
  return absl::OkStatus();
}

absl::Status Governance::open_admission(bool is_shared, const base::Clock& clock) {
  ASSIGN_OR_RETURN(const auto random, system_random_bytes(kGatewayBytes));
  const std::string name = absl::BytesToHexString(base::to_absl(random));
  // The home is this process's alone, and with it a database in it: what held a lease before died.
  if (!is_shared) RETURN_IF_ERROR(leases_.take_over(name));
  ASSIGN_OR_RETURN(admission_, Admission::create(limits_, leases_, clock, {name, is_shared}));
  admission_->start();
  return absl::OkStatus();
}

absl::Status Governance::open_sign_in(const std::string& home, const base::Clock& clock,
                                      SignInOptions options) {
  ASSIGN_OR_RETURN(sign_in_, SignIn::open(home, {database_, people_, invites_, *audit_, clock},
                                          std::move(options)));
  return absl::OkStatus();
}

void Governance::forget_rights() {
  keys_->forget();
  if (sign_in_ != nullptr) sign_in_->forget();
}

absl::StatusOr<Credentials> Governance::first_start() {
  absl::StatusOr<Credentials> credentials;
  RETURN_IF_ERROR(database_.transaction("first start", [&](store::Sql&) -> absl::Status {
    credentials = keys_->first_start();
    if (!credentials.ok() || !credentials->created) return credentials.status();
    for (const auto& key : {credentials->api_key, credentials->admin_key}) {
      AuditEvent event{"api_key.created", {"system", ""}};
      const std::string id(key_id(key));
      event.resources = {id};
      event.details = {{"id", id}, {"data", {{"name", "made at the first start"}}}};
      if (auto status = audit_->append(event); !status.ok()) return status;
    }
    return absl::OkStatus();
  }));
  return credentials;
}

absl::Status Governance::on_record(const std::function<absl::Status(AuditEvent&)>& act) {
  std::lock_guard acting(acts_);
  const auto status = database_.transaction("administer", [&](store::Sql&) -> absl::Status {
    AuditEvent event;
    if (auto done = act(event); !done.ok()) return done;
    return event.type.empty() ? absl::OkStatus() : audit_->append(event);
  });
  // A key that was read while the act was not durable yet has the rights of before.
  forget_rights();
  if (const auto settled = vault_->settle(); !settled.ok())
    LOG(warn, "what is left of destroyed keys goes later: {}", settled.ToString());
  // What an act changes in memory holds before it is durable: where it was undone, or where another
  // transaction read the database between, memory may not be as the database is.
  if (status.ok() && database_.dialect() == store::Dialect::sqlite) return status;
  if (const auto refreshed = refresh(); !refreshed.ok())
    LOG(warn, "limits and policies may not be as they are stored: {}", refreshed.ToString());
  return status;
}

Governance::~Governance() {
  stop_refreshing();
  if (keys_ != nullptr) keys_->write_uses(true);
  spend_alerts_.reset();
  content_.reset();
  // Rows that wait are written before their blocks go back.
  ledger_.reset();
  if (admission_ != nullptr) admission_->close();
}

void Governance::stop_refreshing() {
  if (!refresher_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  refresher_.join();
}

absl::Status Governance::refresh() {
  RETURN_IF_ERROR(admission_->refresh());
  RETURN_IF_ERROR(deployments_->refresh());
  RETURN_IF_ERROR(throughput_->refresh());
  RETURN_IF_ERROR(model_permissions_->refresh());
  RETURN_IF_ERROR(vault_->refresh());
  RETURN_IF_ERROR(retention_->refresh());
  return content_policies_->refresh();
}

absl::Status Governance::charge_commitments() {
  if (clock().unix_seconds() < charged_s_ + kHour) return absl::OkStatus();
  ASSIGN_OR_RETURN(charged_s_, commitments_.charge());
  return absl::OkStatus();
}

void Governance::keep_fresh() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, kRefreshInterval, [&] { return stopping_; })) {
    lock.unlock();
    keys_->write_uses();
    const bool is_shared = database_.dialect() == store::Dialect::postgresql;
    const auto status = is_shared ? refresh() : absl::OkStatus();
    if (!status.ok()) LOG(warn, "what others changed is not known yet: {}", status.ToString());
    if (const auto charged = charge_commitments(); !charged.ok())
      LOG(warn, "provisioned units are charged later: {}", charged.ToString());
    lock.lock();
  }
}

}  // namespace plinth::governance
