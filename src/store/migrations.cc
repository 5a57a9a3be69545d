#include "store/migrations.h"

#include <fmt/format.h>

#include <array>
#include <span>

#include "store/ledger_table.h"

namespace plinth::store {

namespace {

// Numbers are bigint: SQLite keeps 64 bits in any integer, PostgreSQL only there. Times are seconds
// since 1970 (_s) or milliseconds (_ms), money is in pico-units (_pico).
constexpr const char* kKeys[] = {
    "create table api_key ("
    " id text primary key, project text not null, name text not null, role text not null,"
    " secret_hmac text not null, created_unix_s bigint not null, revoked_unix_s bigint)",
};

constexpr const char* kTenants[] = {
    "create table organization ("
    " id text primary key, name text not null, created_s bigint not null)",

    // seq: the order of lists, in which nothing appears before what was listed already.
    "create table project ("
    " id text primary key, seq bigint not null, organization text not null, name text not null,"
    " created_s bigint not null, archived_s bigint)",
    "create index project_by_organization on project (organization, seq)",

    "create table service_account ("
    " id text primary key, seq bigint not null, project text not null, name text not null,"
    " role text not null, created_s bigint not null)",
    "create index service_account_by_project on service_account (project, seq)",

    // models, networks, scopes: JSON arrays; null allows all.
    "alter table api_key add column seq bigint not null default 0",
    "alter table api_key add column organization text not null default 'default'",
    "alter table api_key add column service_account text",
    "alter table api_key add column hint text not null default ''",
    "alter table api_key add column models text",
    "alter table api_key add column networks text",
    "alter table api_key add column scopes text",
    "alter table api_key add column expires_unix_s bigint",
    "alter table api_key add column last_used_unix_s bigint",
    "create index api_key_by_project on api_key (project, role, seq)",
};

constexpr const char* kMoney[] = {
    // What a scope (organization, project, key, deployment) may use of a model ("" = of all
    // together): resource as governance names it.
    "create table limit_rule ("
    " scope_kind text not null, scope text not null, model text not null, resource text not null,"
    " amount bigint not null, primary key (scope_kind, scope, model, resource))",

    // spent_pico: what rows of the ledger since period_start_s cost.
    "create table budget ("
    " scope_kind text not null, scope text not null, period text not null,"
    " limit_pico bigint not null, period_start_s bigint not null, spent_pico bigint not null,"
    " primary key (scope_kind, scope, period))",

    // Pico-units a token, from effective_s on. model "" is every model without a row of its own.
    "create table price ("
    " model text not null, service_class text not null, effective_s bigint not null,"
    " input_pico bigint not null, cached_pico bigint not null, output_pico bigint not null,"
    " version bigint not null, primary key (model, service_class, effective_s))",

    // Sums of the ledger, one row for each combination in an hour; and without project, user and
    // key in a day.
    "create table usage_hour ("
    " organization text not null, hour_s bigint not null, project text not null,"
    " api_key text not null, user_id text not null, deployment text not null, model text not null,"
    " operation text not null, service_class text not null,"
    " requests bigint not null, input_tokens bigint not null, cached_tokens bigint not null,"
    " output_tokens bigint not null, amount_pico bigint not null, device_us bigint not null,"
    " primary key (organization, hour_s, project, api_key, user_id, deployment, model, operation,"
    " service_class))",
    "create table usage_day ("
    " organization text not null, day_s bigint not null, model text not null,"
    " operation text not null, service_class text not null,"
    " requests bigint not null, input_tokens bigint not null, cached_tokens bigint not null,"
    " output_tokens bigint not null, amount_pico bigint not null, device_us bigint not null,"
    " primary key (organization, day_s, model, operation, service_class))",

    // Months of the ledger that have a table.
    "create table ledger_month (month text primary key)",
};

constexpr const char* kDocuments[] = {
    // What administrators declare and programs read whole, as JSON.
    "create table document ("
    " kind text not null, scope text not null, name text not null, body text not null,"
    " created_s bigint not null, updated_s bigint not null, primary key (kind, scope, name))",
};

constexpr const char* kPeople[] = {
    // email_key: the address in lower case, by which it is unique. issuer and subject: who signs
    // in,
    // as the identity provider names them; "local" where password_phc is ours.
    "create table person ("
    " id text primary key, seq bigint not null, organization text not null, email text,"
    " email_key text, name text not null, issuer text, subject text, password_phc text,"
    " added_s bigint not null, disabled_s bigint)",
    "create unique index person_by_email on person (organization, email_key)",
    "create unique index person_by_identity on person (issuer, subject)",
    "create index person_by_organization on person (organization, seq)",

    "create table person_group ("
    " id text primary key, seq bigint not null, organization text not null, name text not null,"
    " created_s bigint not null)",
    "create index person_group_by_organization on person_group (organization, seq)",
    "create table group_member ("
    " group_id text not null, person text not null, seq bigint not null, added_s bigint not null,"
    " primary key (group_id, person))",
    "create index group_member_by_person on group_member (person)",

    // permissions: a JSON array. project "" = of the organization.
    "create table custom_role ("
    " id text primary key, seq bigint not null, organization text not null, project text not null,"
    " name text not null, description text, permissions text not null, created_s bigint not null,"
    " updated_s bigint not null)",
    "create unique index custom_role_by_name on custom_role (organization, project, name)",

    // kind: 'user' or 'group'. project "" = in all of the organization.
    "create table role_assignment ("
    " kind text not null, subject text not null, project text not null, role text not null,"
    " seq bigint not null, assigned_s bigint not null,"
    " primary key (kind, subject, project, role))",
    "create index role_assignment_by_role on role_assignment (role, project)",
    "create table project_member ("
    " project text not null, kind text not null, subject text not null, seq bigint not null,"
    " added_s bigint not null, primary key (project, kind, subject))",
    "create index project_member_by_subject on project_member (kind, subject)",

    // projects: a JSON array of {"id", "role"}. token_hash: SHA-256 of what only the answer that
    // made the invite shows.
    "create table invite ("
    " id text primary key, seq bigint not null, organization text not null, email text not null,"
    " email_key text not null, role text not null, projects text not null,"
    " token_hash text not null unique, created_s bigint not null, expires_s bigint not null,"
    " accepted_s bigint)",
    "create index invite_by_organization on invite (organization, seq)",

    "create table person_session ("
    " id_hash text primary key, person text not null, created_s bigint not null,"
    " last_seen_s bigint not null, expires_s bigint not null)",
    "create index person_session_by_person on person_session (person)",

    // Whose key it is, where a person owns it.
    "alter table api_key add column person text",
    "create index api_key_by_person on api_key (person)",
};

constexpr const char* kLeases[] = {
    // A gateway that runs. Whoever finds a lease that lapsed deletes it, with the blocks under it.
    "create table gateway_lease ("
    " gateway text primary key, epoch bigint not null, expires_ms bigint not null)",

    // What a gateway holds of a limit (name: its resource) or of a budget (name: its period, money
    // that is not in spent_pico yet).
    "create table quota_block ("
    " scope_kind text not null, scope text not null, model text not null, name text not null,"
    " gateway text not null, held bigint not null,"
    " primary key (scope_kind, scope, model, name, gateway))",
    "create index quota_block_by_gateway on quota_block (gateway)",

    // What a rate has beside the blocks, in units times milliseconds of its period.
    "create table rate_level ("
    " scope_kind text not null, scope text not null, model text not null, name text not null,"
    " level bigint not null, filled_ms bigint not null,"
    " primary key (scope_kind, scope, model, name))",
};

constexpr const char* kAudit[] = {
    // One chain: `record` is canonical JSON, `hash` its SHA-256; the other columns repeat what it
    // says, to be searched. owner: whose key acted, a service account or a person.
    "create table audit_record ("
    " idx bigint primary key, id text not null, time_ms bigint not null, record text not null,"
    " hash text not null, organization text not null, type text not null, project text not null,"
    " actor text not null, owner text not null, email text not null)",
    "create unique index audit_record_by_id on audit_record (id)",
    "create index audit_record_by_time on audit_record (organization, time_ms)",
    "create index audit_record_by_type on audit_record (organization, type, idx)",
    "create table audit_resource ("
    " resource text not null, idx bigint not null, primary key (resource, idx))",
    "create index audit_resource_by_record on audit_resource (idx)",

    // Signed heads of the chain. frontier: roots of the perfect subtrees that make up the tree.
    "create table audit_checkpoint ("
    " size bigint primary key, checkpoint text not null, signature text not null,"
    " frontier text not null)",
};

constexpr const char* kReports[] = {
    // What an hour of one device costs from effective_s on, and how many there are.
    // In parentheses, since clang takes two lines that become one text for a forgotten comma.
    ("create table device_cost ("
     " effective_s bigint primary key, device_hour_pico bigint not null, devices bigint not null)"),

    // What one project or key used, and what its budget has left, without the organization's
    // other hours.
    "create index usage_hour_by_project on usage_hour (project, hour_s)",
    "create index usage_hour_by_key on usage_hour (api_key, hour_s)",
};

// The next number of each list, without a look at all of it.
constexpr const char* kLists[] = {
    "create index api_key_by_seq on api_key (seq)",
    "create index custom_role_by_seq on custom_role (seq)",
    "create index group_member_by_seq on group_member (seq)",
    "create index invite_by_seq on invite (seq)",
    "create index person_by_seq on person (seq)",
    "create index person_group_by_seq on person_group (seq)",
    "create index project_by_seq on project (seq)",
    "create index project_member_by_seq on project_member (seq)",
    "create index role_assignment_by_seq on role_assignment (seq)",
    "create index service_account_by_seq on service_account (seq)",
};

constexpr const char* kSessionClaims[] = {
    // Roles and groups by which an identity provider let somebody in, for as long as the session.
    "alter table person_session add column claims text",
};

constexpr const char* kAlerts[] = {
    // project "" = of the organization. recipients: a JSON array of addresses.
    "create table spend_alert ("
    " id text primary key, seq bigint not null, organization text not null, project text not null,"
    " threshold_pico bigint not null, recipients text not null, subject_prefix text,"
    " created_s bigint not null)",
    "create index spend_alert_by_scope on spend_alert (organization, project, seq)",

    // That a month's spending passed a threshold: once, whatever gateway saw it. claimed_until_s:
    // somebody delivers it until then.
    "create table spend_firing ("
    " alert text not null, month_s bigint not null, threshold_pico bigint not null,"
    " spent_pico bigint not null, fired_s bigint not null, claimed_until_s bigint not null,"
    " delivered_s bigint, primary key (alert, month_s, threshold_pico))",
};

constexpr const char* kCertificates[] = {
    // Authorities that sign clients' certificates: content is PEM, fingerprint its SHA-256.
    "create table client_ca ("
    " id text primary key, seq bigint not null, organization text not null, name text,"
    " content text not null, fingerprint text not null, valid_s bigint not null,"
    " expires_s bigint not null, created_s bigint not null)",
    "create unique index client_ca_by_fingerprint on client_ca (organization, fingerprint)",

    // Where they count. project "" = in all of the organization.
    "create table client_ca_use ("
    " certificate text not null, organization text not null, project text not null,"
    " primary key (certificate, project))",
    "create index client_ca_use_by_scope on client_ca_use (organization, project)",
};

constexpr const char* kVault[] = {
    // Wrapped keys of organizations (project "") and of projects. A backup leaves them out.
    "create table data_key ("
    " id text primary key, seq bigint not null, organization text not null, project text not null,"
    " wrapped text not null, wrapped_by text not null, created_s bigint not null,"
    " retired_s bigint)",

    // Tombstones: keys that are to be destroyed wherever they come back.
    "create table shredded_key ("
    " id text primary key, organization text not null, project text not null, proof text not null,"
    " shredded_s bigint not null)",

    // Bodies that lie sealed in files; sha256 is the sealed file's.
    "create table content ("
    " id text primary key, seq bigint not null, organization text not null, project text not null,"
    " kind text not null, bytes bigint not null, sha256 text not null, data_key text not null,"
    " created_s bigint not null, expires_s bigint)",
    "create index content_by_project on content (organization, project, kind, seq)",
    "create index content_by_key on content (data_key)",
    "create index content_by_expiry on content (expires_s)",
};

constexpr const char* kCommitments[] = {
    // What a deployment holds of provisioned throughput from from_s on, as far as it is not charged
    // yet: the first row of a deployment is where its charges go on. units 0: it ended.
    "create table commitment_span ("
    " project text not null, deployment text not null, from_s bigint not null,"
    " organization text not null, model text not null, units bigint not null,"
    " primary key (project, deployment, from_s))",

    // What one unit costs for an hour, beside the tokens.
    "alter table price add column unit_hour_pico bigint not null default 0",

    // What of a block no request has taken yet, where somebody shows how much of a rate is in use.
    "alter table quota_block add column idle bigint not null default 0",
};

constexpr const char* kFiles[] = {
    // What people know of a body in `content`, which has the same id.
    "create table file ("
    " id text primary key, seq bigint not null, organization text not null, project text not null,"
    " purpose text not null, filename text not null, bytes bigint not null,"
    " created_s bigint not null, expires_s bigint, status text not null)",
    "create index file_by_project on file (project, seq)",
    "create index file_by_purpose on file (project, purpose, seq)",
    "create index file_by_seq on file (seq)",

    // Files that arrive in parts. file: the one that became of it.
    "create table upload ("
    " id text primary key, seq bigint not null, organization text not null, project text not null,"
    " purpose text not null, filename text not null, mime_type text not null,"
    " bytes bigint not null, created_s bigint not null, expires_s bigint not null,"
    " file_expires_after_s bigint, status text not null, file text)",
    "create index upload_by_project on upload (project, status, expires_s)",
    "create index upload_by_seq on upload (seq)",

    // A part is a body in `content`, too.
    "create table upload_part ("
    " id text primary key, upload text not null, bytes bigint not null,"
    " created_s bigint not null)",
    "create index upload_part_by_upload on upload_part (upload)",
};

constexpr const char* kTuning[] = {
    // request, progress: JSON. runner: the home whose folder the job has.
    "create table tuning_job ("
    " id text primary key, seq bigint not null, organization text not null, project text not null,"
    " model text not null, training_file text not null, validation_file text not null,"
    " request text not null, created_s bigint not null, status text not null,"
    " runner text not null, progress text not null, started_s bigint not null, finished_s bigint,"
    " estimated_s bigint, trained_tokens bigint, tuned_model text, result_file text,"
    " device_ms bigint not null, crashes bigint not null)",
    "create index tuning_job_by_project on tuning_job (project, seq)",
    "create index tuning_job_by_status on tuning_job (status)",
    "create index tuning_job_by_seq on tuning_job (seq)",

    "create table tuning_event ("
    " id text primary key, seq bigint not null, job text not null, created_s bigint not null,"
    " level text not null, type text not null, message text not null, data text not null)",
    "create index tuning_event_by_job on tuning_event (job, seq)",
    "create index tuning_event_by_seq on tuning_event (seq)",

    "create table tuning_checkpoint ("
    " id text primary key, seq bigint not null, job text not null, created_s bigint not null,"
    " step bigint not null, model text not null, metrics text not null)",
    "create index tuning_checkpoint_by_job on tuning_checkpoint (job, seq)",
    "create index tuning_checkpoint_by_seq on tuning_checkpoint (seq)",
};

struct Migration {
  std::span<const char* const> statements;
  bool ledger = false;  // the ledger's table comes with it
};
// Numbered from 1, applied once each, never changed after a release.
constexpr std::array kMigrations = {
    Migration{kKeys},          Migration{kTenants},     Migration{kMoney, true},
    Migration{kDocuments},     Migration{kPeople},      Migration{kLeases},
    Migration{kAudit},         Migration{kReports},     Migration{kLists},
    Migration{kSessionClaims}, Migration{kAlerts},      Migration{kCertificates},
    Migration{kVault},         Migration{kCommitments}, Migration{kFiles},
    Migration{kTuning}};

std::int64_t read_version(Sql& sql) {
  if (sql.dialect() == Dialect::sqlite) return sql.first("pragma user_version", {}, 1)->integer(0);
  // One of the processes that start together migrates; the others wait here.
  sql.each("select pg_advisory_xact_lock(7236842)", {}, 1, [](const SqlRow&) {});
  sql.run("create table if not exists schema_version (version bigint not null)");
  const auto row = sql.first("select version from schema_version", {}, 1);
  if (row) return row->integer(0);
  sql.run("insert into schema_version values (0)");
  return 0;
}

void write_version(Sql& sql, std::size_t version) {
  const auto statement = sql.dialect() == Dialect::sqlite ? "pragma user_version={}"
                                                          : "update schema_version set version={}";
  sql.run(fmt::format(fmt::runtime(statement), version));
}

}  // namespace

std::int64_t newest_schema_version() { return static_cast<std::int64_t>(kMigrations.size()); }

std::int64_t schema_version(Sql& sql) {
  if (sql.dialect() == Dialect::sqlite) return sql.first("pragma user_version", {}, 1)->integer(0);
  const auto table = sql.first("select cast(to_regclass('schema_version') as text)", {}, 1);
  if (!table || !table->maybe_text(0)) return 0;
  const auto row = sql.first("select version from schema_version", {}, 1);
  return row ? row->integer(0) : 0;
}

absl::Status migrate(Sql& sql) {
  const auto version = read_version(sql);
  const auto newest = newest_schema_version();
  if (version > newest) {
    return base::failed_precondition(fmt::format(
        "schema version {} is newer than this program's {}; upgrade Plinth", version, newest));
  }
  for (auto next = static_cast<std::size_t>(version); next < kMigrations.size(); ++next) {
    for (const std::string_view statement : kMigrations[next].statements) {
      sql.run(statement);
    }
    if (kMigrations[next].ledger) create_ledger(sql);
    write_version(sql, next + 1);
  }
  return absl::OkStatus();
}

}  // namespace plinth::store
