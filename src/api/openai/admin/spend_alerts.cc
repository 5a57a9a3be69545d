#include "api/openai/admin/spend_alerts.h"

#include <algorithm>

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/schema/values.h"
#include "governance/limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::SpendAlert;

constexpr std::int64_t kCent = 10'000'000'000;  // pico-units

governance::SpendAlerts& alerts(const Exchange& exchange) {
  return exchange.services().governance.spend_alerts();
}

// Whose alerts a path is about: project "" = the organization's.
struct Whose {
  std::string organization, project;
};

std::string kind_of(const Whose& whose) {
  return whose.project.empty() ? "organization.spend_alert" : "project.spend_alert";
}

Object alert_object(const SpendAlert& alert) {
  base::json::array recipients;
  for (const auto& one : alert.recipients) recipients.emplace_back(one);
  base::json::value prefix;
  if (!alert.subject_prefix.empty()) prefix = base::json::string(alert.subject_prefix);
  return {{"id", alert.id},
          {"object", kind_of({alert.organization, alert.project})},
          {"threshold_amount", alert.threshold_pico / kCent},
          {"currency", "USD"},
          {"interval", "month"},
          {"notification_channel", Object{{"type", "email"},
                                          {"recipients", std::move(recipients)},
                                          {"subject_prefix", prefix}}}};
}

Schema channel_schema(bool in_answers) {
  auto prefix = string("What subjects begin with.").length(0, governance::kAlertPrefixBytesMax);
  if (in_answers) prefix = prefix.or_null();
  return object("",
                {required("type", one_string_of({"email"}, "")),
                 required("recipients", array(string("").length(1, governance::kEmailBytesMax), 1,
                                              governance::kAlertRecipientsMax, "Addresses.")),
                 optional("subject_prefix", std::move(prefix))},
                "");
}

// What a body says, of an alert that is new or `alert`.
absl::StatusOr<SpendAlert> read_alert(const Exchange& exchange, SpendAlert alert) {
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, spend_alert_request_schema()));
  const Values values(spend_alert_request_schema(), body);
  alert.threshold_pico = values.integer("threshold_amount") * kCent;
  const auto& channel = body.at("notification_channel").get_object();
  alert.recipients.clear();
  for (const auto& one : channel.at("recipients").get_array())
    alert.recipients.emplace_back(one.get_string());
  const auto* prefix = channel.if_contains("subject_prefix");
  alert.subject_prefix =
      prefix != nullptr && prefix->is_string() ? std::string(prefix->get_string()) : "";
  return alert;
}

// What governance refuses is in the channel: the rest the schema has looked at.
absl::Status named(const absl::Status& status) {
  if (!absl::IsInvalidArgument(status)) return status;
  return parameter_error(base::message(status), "notification_channel", "invalid_value");
}

absl::StatusOr<Object> list(const Exchange& exchange, const Whose& whose) {
  ASSIGN_OR_RETURN(const auto query, read_query(exchange, spend_alert_query()));
  auto page = page_of(spend_alert_query(), query);
  const std::string before(Values(spend_alert_query(), query).string("before"));
  if (!before.empty() && !page.after.empty())
    return parameter_error("Give 'after' or 'before', not both.", "before", "invalid_value");
  ASSIGN_OR_RETURN(auto rows, alerts(exchange).list(whose.organization, whose.project));
  if (!before.empty()) {
    // The page that ends before an entry is one of the list the other way round.
    page.after = before;
    page.descending = !page.descending;
  }
  ASSIGN_OR_RETURN(auto found, page_of_list(std::move(rows), page));
  if (!before.empty()) std::reverse(found.rows.begin(), found.rows.end());
  return list_object(found, alert_object);
}

absl::StatusOr<Object> create(const Exchange& exchange, const Whose& whose) {
  SpendAlert fresh;
  fresh.organization = whose.organization;
  fresh.project = whose.project;
  ASSIGN_OR_RETURN(const auto alert, read_alert(exchange, std::move(fresh)));
  auto made = alerts(exchange).create(alert);
  if (absl::IsResourceExhausted(made.status()))
    return base::invalid_argument(base::message(made.status()));
  RETURN_IF_ERROR(named(made.status()));
  return alert_object(*made);
}

absl::StatusOr<SpendAlert> find(const Exchange& exchange, const Whose& whose) {
  return alerts(exchange).find(whose.organization, whose.project, exchange.parameters.back());
}

absl::StatusOr<Object> retrieve(const Exchange& exchange, const Whose& whose) {
  ASSIGN_OR_RETURN(const auto alert, find(exchange, whose));
  return alert_object(alert);
}

absl::StatusOr<Object> update(const Exchange& exchange, const Whose& whose) {
  ASSIGN_OR_RETURN(auto alert, find(exchange, whose));
  ASSIGN_OR_RETURN(alert, read_alert(exchange, std::move(alert)));
  RETURN_IF_ERROR(named(alerts(exchange).update(alert)));
  return alert_object(alert);
}

absl::StatusOr<Object> remove(const Exchange& exchange, const Whose& whose) {
  ASSIGN_OR_RETURN(const auto alert, find(exchange, whose));
  RETURN_IF_ERROR(alerts(exchange).remove(alert));
  return Object{{"id", alert.id}, {"object", kind_of(whose) + ".deleted"}, {"deleted", true}};
}

using Action = absl::StatusOr<Object> (*)(const Exchange&, const Whose&);

void of_project(const ExchangePtr& exchange, Action action) {
  const auto project = find_project(*exchange, exchange->parameter(0));
  if (!project.ok()) return exchange->refuse(project.status());
  answer(exchange, action(*exchange, {project->organization, project->id}));
}

void of_organization(const ExchangePtr& exchange, Action action) {
  answer(exchange, action(*exchange, {exchange->principal.organization, ""}));
}

}  // namespace

const Schema& spend_alert_schema() {
  static const Schema schema = object(
      "SpendAlert",
      {required("id", string("")),
       required("object", one_string_of({"organization.spend_alert", "project.spend_alert"}, "")),
       required("threshold_amount", integer(0, INT64_MAX, "In cents.")),
       required("currency", one_string_of({"USD"}, "")),
       required("interval", one_string_of({"month"}, "UTC's.")),
       required("notification_channel", channel_schema(true))},
      "");
  return schema;
}

const Schema& spend_alert_list_schema() {
  static const Schema schema = list_schema("SpendAlertList", spend_alert_schema());
  return schema;
}

const Schema& spend_alert_request_schema() {
  static const Schema schema = object(
      "SpendAlertRequest",
      {required("threshold_amount", integer(0, governance::kBudgetPicoMax / kCent, "In cents.")),
       required("currency", one_string_of({"USD"}, "")),
       required("interval", one_string_of({"month"}, "")),
       required("notification_channel", channel_schema(false))},
      "");
  return schema;
}

const Schema& spend_alert_deletion_schema() {
  static const Schema schema = object(
      "SpendAlertDeletion",
      {required("id", string("")),
       required(
           "object",
           one_string_of({"organization.spend_alert.deleted", "project.spend_alert.deleted"}, "")),
       required("deleted", boolean(""))},
      "");
  return schema;
}

const Schema& spend_alert_query() {
  static const Schema schema = page_query(
      {optional("before",
                string("The id of the first entry of the page after.").length(0, 512).or_else("")),
       optional("order",
                one_string_of({"asc", "desc"}, "Oldest or newest first.").or_else("asc"))});
  return schema;
}

void list_spend_alerts(const ExchangePtr& exchange) { of_organization(exchange, list); }
void create_spend_alert(const ExchangePtr& exchange) { of_organization(exchange, create); }
void retrieve_spend_alert(const ExchangePtr& exchange) { of_organization(exchange, retrieve); }
void update_spend_alert(const ExchangePtr& exchange) { of_organization(exchange, update); }
void delete_spend_alert(const ExchangePtr& exchange) { of_organization(exchange, remove); }
void list_project_spend_alerts(const ExchangePtr& exchange) { of_project(exchange, list); }
void create_project_spend_alert(const ExchangePtr& exchange) { of_project(exchange, create); }
void retrieve_project_spend_alert(const ExchangePtr& exchange) { of_project(exchange, retrieve); }
void update_project_spend_alert(const ExchangePtr& exchange) { of_project(exchange, update); }
void delete_project_spend_alert(const ExchangePtr& exchange) { of_project(exchange, remove); }

}  // namespace plinth::api
