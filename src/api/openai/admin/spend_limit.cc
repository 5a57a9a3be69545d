#include "api/openai/admin/spend_limit.h"

#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/schema/values.h"
#include "governance/limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr std::int64_t kCent = 10'000'000'000;  // pico-units
constexpr char kMonth[] = "month";

// Whose budget: "project" or "organization", and its id.
struct Scope {
  std::string kind, id;
};

absl::StatusOr<Scope> project_of(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto project, find_project(exchange, exchange.parameter(0)));
  return Scope{"project", project.id};
}

Scope organization_of(const Exchange& exchange) {
  return {"organization", exchange.principal.organization};
}

absl::StatusOr<Object> read(const Exchange& exchange, const Scope& scope) {
  ASSIGN_OR_RETURN(const auto rows, exchange.services().governance.limits().budgets(
                                        scope.kind, scope.id,
                                        exchange.services().governance.clock().unix_seconds()));
  for (const auto& row : rows) {
    if (row.period != kMonth) continue;
    const bool enforcing = row.spent_pico >= row.limit_pico;
    return Object{{"object", scope.kind + ".spend_limit"},
                  {"currency", "USD"},
                  {"interval", kMonth},
                  {"threshold_amount", row.limit_pico / kCent},
                  {"enforcement", {{"status", enforcing ? "enforcing" : "inactive"}}}};
  }
  return base::not_found("There is no spend limit of the " + scope.kind + " " + scope.id + ".");
}

absl::StatusOr<Object> update(const Exchange& exchange, const Scope& scope) {
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, month_limit_request_schema()));
  store::BudgetRow row;
  row.scope_kind = scope.kind;
  row.scope = scope.id;
  row.period = kMonth;
  row.limit_pico = Values(month_limit_request_schema(), body).integer("threshold_amount") * kCent;
  RETURN_IF_ERROR(exchange.services().governance.admission().set_budget(row));
  return read(exchange, scope);
}

absl::StatusOr<Object> remove(const Exchange& exchange, const Scope& scope) {
  RETURN_IF_ERROR(exchange.services().governance.admission().remove_budget(
      {scope.kind, scope.id, kMonth, 0, 0, 0}));
  return Object{{"object", scope.kind + ".spend_limit.deleted"}, {"deleted", true}};
}

using Action = absl::StatusOr<Object> (*)(const Exchange&, const Scope&);

void of_project(const ExchangePtr& exchange, Action action) {
  const auto scope = project_of(*exchange);
  if (!scope.ok()) return exchange->refuse(scope.status());
  answer(exchange, action(*exchange, *scope));
}

void of_organization(const ExchangePtr& exchange, Action action) {
  answer(exchange, action(*exchange, organization_of(*exchange)));
}

}  // namespace

const Schema& month_limit_schema() {
  static const Schema schema = object(
      "MonthSpendLimit",
      {required("object", one_string_of({"project.spend_limit", "organization.spend_limit"}, "")),
       required("currency", string("")), required("interval", one_string_of({kMonth}, "")),
       required("threshold_amount", integer(0, INT64_MAX, "In cents.")),
       required(
           "enforcement",
           object("", {required("status", one_string_of({"inactive", "enforcing"}, ""))}, ""))},
      "");
  return schema;
}

const Schema& month_limit_request_schema() {
  static const Schema schema = object(
      "MonthSpendLimitRequest",
      {required("currency", one_string_of({"USD"}, "")),
       required("interval", one_string_of({kMonth}, "")),
       required("threshold_amount", integer(0, governance::kBudgetPicoMax / kCent, "In cents."))},
      "");
  return schema;
}

const Schema& month_limit_deletion_schema() {
  static const Schema schema = object(
      "MonthSpendLimitDeletion",
      {required(
           "object",
           one_string_of({"project.spend_limit.deleted", "organization.spend_limit.deleted"}, "")),
       required("deleted", boolean(""))},
      "");
  return schema;
}

void retrieve_month_limit(const ExchangePtr& exchange) { of_organization(exchange, read); }
void update_month_limit(const ExchangePtr& exchange) { of_organization(exchange, update); }
void remove_month_limit(const ExchangePtr& exchange) { of_organization(exchange, remove); }
void retrieve_project_month_limit(const ExchangePtr& exchange) { of_project(exchange, read); }
void update_project_month_limit(const ExchangePtr& exchange) { of_project(exchange, update); }
void remove_project_month_limit(const ExchangePtr& exchange) { of_project(exchange, remove); }

}  // namespace plinth::api
