#include "api/openai/admin/data_retention.h"

#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/schema/values.h"
#include "governance/vault_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::RetentionSetting;

std::vector<std::string> texts(std::span<const std::string_view> all) {
  return {all.begin(), all.end()};
}

Schema answer_schema(const char* name, const char* kind, std::span<const std::string_view> types) {
  return object(name,
                {required("object", one_string_of({kind}, "")),
                 required("type", one_string_of(texts(types), "What is kept.")),
                 required("days", integer(1, governance::kRetentionDaysMax,
                                          "Older content is deleted; null = as the organization"
                                          " says, else when somebody deletes it.")
                                      .or_null()),
                 required("legal_hold", boolean("Nothing is deleted or shredded."))},
                "");
}

Schema request_schema(const char* name, std::span<const std::string_view> types) {
  return object(
      name,
      {required("retention_type",
                one_string_of(texts(types),
                              "zero_data_retention: no content is stored. The others keep content"
                              " until it is deleted or past due; Plinth keeps none for abuse"
                              " monitoring.")),
       extension("days", integer(0, governance::kRetentionDaysMax,
                                 "Content older than this is deleted; 0 = no such limit. Absent ="
                                 " as it was.")),
       extension("legal_hold",
                 boolean("Nothing is deleted or shredded, whoever asks. Absent = as it was."))},
      "");
}

Object setting_object(const char* kind, const RetentionSetting& setting) {
  Object out{{"object", kind}, {"type", setting.type}, {"days", nullptr}};
  if (setting.days) out["days"] = *setting.days;
  out["legal_hold"] = setting.legal_hold;
  return out;
}

// `setting` with what the request says.
absl::StatusOr<RetentionSetting> changed(const Exchange& exchange, const Schema& schema,
                                         RetentionSetting setting) {
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, schema));
  const Values values(schema, body);
  setting.type = std::string(values.string("retention_type"));
  if (const auto* days = values.given("days"); days != nullptr) {
    setting.days.reset();
    if (to_integer(*days) > 0) setting.days = to_integer(*days);
  }
  if (const auto* hold = values.given("legal_hold"); hold != nullptr)
    setting.legal_hold = hold->get_bool();
  return setting;
}

governance::RetentionPolicies& retention(const Exchange& exchange) {
  return exchange.services().governance.retention();
}

constexpr char kOrganizationKind[] = "organization.data_retention";
constexpr char kProjectKind[] = "project.data_retention";

}  // namespace

const Schema& data_retention_schema() {
  static const Schema schema = answer_schema("OrganizationDataRetention", kOrganizationKind,
                                             governance::organization_retention_types());
  return schema;
}

const Schema& project_data_retention_schema() {
  static const Schema schema =
      answer_schema("ProjectDataRetention", kProjectKind, governance::project_retention_types());
  return schema;
}

const Schema& data_retention_request_schema() {
  static const Schema schema = request_schema("OrganizationDataRetentionRequest",
                                              governance::organization_retention_types());
  return schema;
}

const Schema& project_data_retention_request_schema() {
  static const Schema schema =
      request_schema("ProjectDataRetentionRequest", governance::project_retention_types());
  return schema;
}

void retrieve_data_retention(const ExchangePtr& exchange) {
  answer(exchange, setting_object(kOrganizationKind, retention(*exchange).of_organization(
                                                         exchange->principal.organization)));
}

void update_data_retention(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    const auto& organization = exchange->principal.organization;
    ASSIGN_OR_RETURN(const auto setting,
                     changed(*exchange, data_retention_request_schema(),
                             retention(*exchange).of_organization(organization)));
    RETURN_IF_ERROR(retention(*exchange).set_organization(organization, setting));
    return setting_object(kOrganizationKind, setting);
  }());
}

void retrieve_project_data_retention(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    return setting_object(kProjectKind, retention(*exchange).of_project(project.id));
  }());
}

// Of an archived project, too: what it left behind is still there.
void update_project_data_retention(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto setting, changed(*exchange, project_data_retention_request_schema(),
                                                 retention(*exchange).of_project(project.id)));
    RETURN_IF_ERROR(retention(*exchange).set_project(project.id, setting));
    return setting_object(kProjectKind, setting);
  }());
}

}  // namespace plinth::api
