// Everything that governs one installation, opened together: tenants, keys, limits, prices, the
// ledger.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "governance/admission.h"
#include "governance/api_keys.h"
#include "governance/audit_log.h"
#include "governance/client_certificates.h"
#include "governance/commitments.h"
#include "governance/content_policies.h"
#include "governance/content_store.h"
#include "governance/deployments.h"
#include "governance/files.h"
#include "governance/fine_tuning_jobs.h"
#include "governance/invites.h"
#include "governance/meter.h"
#include "governance/model_permissions.h"
#include "governance/people.h"
#include "governance/provisioned_throughput.h"
#include "governance/retention.h"
#include "governance/sign_in.h"
#include "governance/spend_alerts.h"
#include "governance/uploads.h"
#include "governance/vault.h"
#include "store/lease_store.h"
#include "store/ledger_writer.h"
#include "store/limit_store.h"
#include "store/tenant_store.h"
#include "store/usage_store.h"

namespace plinth::governance {

// Every installation has this organization and a project of the same name in it.
inline constexpr char kDefaultTenant[] = "default";

struct ContentOptions {
  std::string folder;  // of sealed bodies; "" = content in the home
  std::int64_t project_bytes_max = kProjectBytesMax;
  store::TuningLimits tuning = {kTuningProjectJobsMax, kTuningJobsMax};
};

// Thread-safe, as all of its parts are.
class Governance {
 public:
  // `home` holds secrets/. Makes the default tenant. The references outlive it. FailedPrecondition
  // where the home's secrets are not those of the database (shared_secrets.h).
  static absl::StatusOr<std::unique_ptr<Governance>> open(const std::string& home,
                                                          store::Database& database,
                                                          const base::Clock& clock,
                                                          const AuditOptions& audit = {},
                                                          const ContentOptions& content = {});

  // Once, before anybody asks: how people and programs sign in.
  absl::Status open_sign_in(const std::string& home, const base::Clock& clock,
                            SignInOptions options = {});

  // ApiKeys::first_start(), on record.
  absl::StatusOr<Credentials> first_start();
  // Runs an act of administration in one transaction with its record: either both are durable when
  // this returns OK, or neither is there. `act` may run again, as Database says; it fills the event
  // in. An event without a type is not recorded.
  absl::Status on_record(const std::function<absl::Status(AuditEvent& event)>& act);

  AuditLog& audit() { return *audit_; }
  ApiKeys& keys() { return *keys_; }
  Admission& admission() { return *admission_; }
  Meter& meter() { return *meter_; }
  Deployments& deployments() { return *deployments_; }
  ProvisionedThroughput& throughput() { return *throughput_; }
  Commitments& commitments() { return commitments_; }
  ModelPermissions& model_permissions() { return *model_permissions_; }
  ContentPolicies& content_policies() { return *content_policies_; }
  ClientCertificates& client_certificates() { return client_certificates_; }
  SpendAlerts& spend_alerts() { return *spend_alerts_; }
  Vault& vault() { return *vault_; }
  RetentionPolicies& retention() { return *retention_; }
  ContentStore& content() { return *content_; }
  Files& files() { return *files_; }
  Uploads& uploads() { return *uploads_; }
  FineTuningJobs& fine_tuning() { return *fine_tuning_; }
  People& people() { return people_; }
  Invites& invites() { return invites_; }
  // Null before open_sign_in().
  SignIn* sign_in() { return sign_in_.get(); }
  store::TenantStore& tenants() { return tenants_; }
  store::LimitStore& limits() { return limits_; }
  store::UsageStore& usage() { return usage_; }
  // The database's: of what periods of budgets and times of the ledger's rows mean.
  const base::Clock& clock() const { return admission_->clock(); }
  ~Governance();
  // For whoever reads the ledger right after an answer.
  store::LedgerWriter& ledger() { return *ledger_; }

 private:
  Governance(store::Database& database, const base::Clock& clock)
      : database_(database),
        tenants_(database),
        limits_(database),
        leases_(database, store::database_time(clock)),
        usage_(database),
        commitments_(database, store::database_time(clock)),
        documents_(database),
        people_(database, clock, system_random_bytes, [this] { forget_rights(); }),
        invites_(database, people_, clock, system_random_bytes),
        client_certificates_(database, clock, system_random_bytes) {}

  store::Database& database_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<Vault> vault_;
  store::TenantStore tenants_;
  store::LimitStore limits_;
  store::LeaseStore leases_;
  store::UsageStore usage_;
  Commitments commitments_;
  store::DocumentStore documents_;
  std::unique_ptr<ApiKeys> keys_;
  People people_;
  Invites invites_;
  std::unique_ptr<SignIn> sign_in_;
  ClientCertificates client_certificates_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<Meter> meter_;
  std::unique_ptr<ProvisionedThroughput> throughput_;
  std::unique_ptr<Deployments> deployments_;
  std::unique_ptr<ModelPermissions> model_permissions_;
  std::unique_ptr<ContentPolicies> content_policies_;
  std::unique_ptr<RetentionPolicies> retention_;
  std::unique_ptr<ContentStore> content_;
  std::unique_ptr<Files> files_;
  std::unique_ptr<Uploads> uploads_;
  std::unique_ptr<FineTuningJobs> fine_tuning_;
  std::unique_ptr<store::LedgerWriter> ledger_;  // after what its thread uses
  std::unique_ptr<SpendAlerts> spend_alerts_;    // the same

  absl::Status open_content(const std::string& home, const ContentOptions& options,
                            const AuditOptions& audit);
  absl::Status open_admission(bool is_shared, const base::Clock& clock);
  // What people and keys may is read anew.
  void forget_rights();
  void stop_refreshing();
  // Reads again what other gateways may have changed, where the database is one that they share,
  // writes which keys were used, and charges for hours of provisioned units.
  void keep_fresh();
  // Where an hour has begun since it did.
  absl::Status charge_commitments();
  absl::Status refresh();
  // One act at a time: a later part of one may need a mutex of an object that another one holds
  // while it waits for rows of the first.
  std::mutex acts_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;       // protected by mutex_
  std::int64_t charged_s_ = 0;  // the refresher's own: hours before are charged
  std::thread refresher_;       // last: it uses the fields above
};

}  // namespace plinth::governance
