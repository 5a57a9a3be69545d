#include "api/openai/admin/certificates.h"

#include <set>

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/schema/values.h"
#include "governance/client_certificate_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using store::CertificateRow;

constexpr std::size_t kNameMax = 256;
constexpr char kOne[] = "certificate";
constexpr char kOfOrganization[] = "organization.certificate";
constexpr char kOfProject[] = "organization.project.certificate";

governance::ClientCertificates& certificates(const Exchange& exchange) {
  return exchange.services().governance.client_certificates();
}

// Whose certificates a path is about: project "" = the organization's.
struct Whose {
  std::string organization, project;
};

std::string kind_of(const Whose& whose) {
  return whose.project.empty() ? kOfOrganization : kOfProject;
}

Object certificate_object(const CertificateRow& row, const std::string& kind, bool with_content) {
  Object details{{"valid_at", row.valid_s}, {"expires_at", row.expires_s}};
  if (with_content) details["content"] = row.content;
  base::json::value name;
  if (row.name) name = base::json::string(*row.name);
  return {{"object", kind},
          {"id", row.id},
          {"name", name},
          {"created_at", row.created_s},
          {"certificate_details", std::move(details)}};
}

Object listed(const CertificateRow& row, const Whose& whose, bool active) {
  auto out = certificate_object(row, kind_of(whose), false);
  out["active"] = active;
  return out;
}

absl::StatusOr<std::set<std::string>> active_ids(const Exchange& exchange, const Whose& whose) {
  ASSIGN_OR_RETURN(const auto rows,
                   certificates(exchange).rows().active(whose.organization, whose.project));
  std::set<std::string> ids;
  for (const auto& row : rows) ids.insert(row.id);
  return ids;
}

absl::StatusOr<Object> list(const Exchange& exchange, const Whose& whose) {
  ASSIGN_OR_RETURN(const auto query, read_query(exchange, certificate_list_query()));
  ASSIGN_OR_RETURN(auto rows, certificates(exchange).rows().list(whose.organization));
  ASSIGN_OR_RETURN(const auto active, active_ids(exchange, whose));
  ASSIGN_OR_RETURN(const auto page,
                   page_of_list(std::move(rows), page_of(certificate_list_query(), query)));
  return list_object(
      page, [&](const CertificateRow& row) { return listed(row, whose, active.contains(row.id)); });
}

absl::StatusOr<Object> set_active(const Exchange& exchange, const Whose& whose, bool active) {
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, certificate_activation_request_schema()));
  std::vector<std::string> ids;
  for (const auto& id : body.at("certificate_ids").get_array()) ids.emplace_back(id.get_string());
  const auto status =
      certificates(exchange).set_active(whose.organization, whose.project, ids, active);
  if (absl::IsInvalidArgument(status))
    return parameter_error(base::message(status), "certificate_ids", "invalid_value");
  RETURN_IF_ERROR(status);
  base::json::array data;
  for (const auto& id : ids) {
    ASSIGN_OR_RETURN(const auto row, certificates(exchange).rows().find(whose.organization, id));
    data.push_back(listed(row, whose, active));
  }
  return Object{{"object", kind_of(whose) + (active ? ".activation" : ".deactivation")},
                {"data", std::move(data)}};
}
absl::StatusOr<Object> activate(const Exchange& exchange, const Whose& whose) {
  return set_active(exchange, whose, true);
}
absl::StatusOr<Object> deactivate(const Exchange& exchange, const Whose& whose) {
  return set_active(exchange, whose, false);
}

using Action = absl::StatusOr<Object> (*)(const Exchange&, const Whose&);

// What changes answers with names what it changed.
void note_ids(Exchange& exchange) {
  const auto body = base::parse_json(exchange.request().body);
  const auto* ids =
      body.ok() && body->is_object() ? body->get_object().if_contains("certificate_ids") : nullptr;
  if (ids == nullptr || !ids->is_array()) return;
  for (const auto& id : ids->get_array()) {
    if (id.is_string()) exchange.audit.resources.emplace_back(id.get_string());
  }
  exchange.audit.details["certificates"] = *ids;
}

void of_project(const ExchangePtr& exchange, Action action) {
  const auto project = find_project(*exchange, exchange->parameter(0));
  if (!project.ok()) return exchange->refuse(project.status());
  answer(exchange, action(*exchange, {project->organization, project->id}));
}

void of_organization(const ExchangePtr& exchange, Action action) {
  answer(exchange, action(*exchange, {exchange->principal.organization, ""}));
}

std::optional<std::string> name_of(const Object& body) {
  const auto* name = body.if_contains("name");
  if (name == nullptr || !name->is_string()) return std::nullopt;
  return std::string(name->get_string());
}

}  // namespace

const Schema& certificate_schema() {
  static const Schema schema =
      object("Certificate",
             {required("object", one_string_of({kOne, kOfOrganization, kOfProject}, "")),
              required("id", string("")), required("name", string("").or_null()),
              required("created_at", integer(0, INT64_MAX, "")),
              required("certificate_details",
                       object("",
                              {required("valid_at", integer(INT64_MIN, INT64_MAX, "")),
                               required("expires_at", integer(INT64_MIN, INT64_MAX, "")),
                               optional("content", string("PEM, where `include` asks for it."))},
                              "")),
              optional("active", boolean("In lists: whether it counts there."))},
             "");
  return schema;
}

const Schema& certificate_list_schema() {
  static const Schema schema = list_schema("CertificateList", certificate_schema());
  return schema;
}

const Schema& certificate_request_schema() {
  static const Schema schema =
      object("CertificateRequest",
             {required("certificate",
                       string("PEM of one authority.").length(1, governance::kClientCaBytesMax)),
              optional("name", string("").length(1, kNameMax))},
             "");
  return schema;
}

const Schema& certificate_change_schema() {
  static const Schema schema =
      object("CertificateChange", {optional("name", string("").length(1, kNameMax))}, "");
  return schema;
}

const Schema& certificate_deletion_schema() {
  static const Schema schema = object(
      "CertificateDeletion",
      {required("object", one_string_of({"certificate.deleted"}, "")), required("id", string(""))},
      "");
  return schema;
}

const Schema& certificate_activation_schema() {
  static const Schema schema =
      object("CertificateActivation",
             {required("object", one_string_of({"organization.certificate.activation",
                                                "organization.certificate.deactivation",
                                                "organization.project.certificate.activation",
                                                "organization.project.certificate.deactivation"},
                                               "")),
              required("data", array(certificate_schema(), 0, governance::kClientCasAtOnce, ""))},
             "");
  return schema;
}

const Schema& certificate_activation_request_schema() {
  static const Schema schema = object(
      "CertificateActivationRequest",
      {required("certificate_ids",
                array(string("").length(1, 256), 1, governance::kClientCasAtOnce, "All or none."))},
      "");
  return schema;
}

const Schema& certificate_query() {
  static const Schema schema = object(
      "", {optional("include", array(one_string_of({"content"}, ""), 0, 8, "`content`: the PEM."))},
      "");
  return schema;
}

const Schema& certificate_list_query() {
  static const Schema schema = page_query({optional(
      "order", one_string_of({"asc", "desc"}, "Oldest or newest first.").or_else("asc"))});
  return schema;
}

void list_certificates(const ExchangePtr& exchange) { of_organization(exchange, list); }
void list_project_certificates(const ExchangePtr& exchange) { of_project(exchange, list); }
void activate_certificates(const ExchangePtr& exchange) {
  note_ids(*exchange);
  of_organization(exchange, activate);
}
void deactivate_certificates(const ExchangePtr& exchange) {
  note_ids(*exchange);
  of_organization(exchange, deactivate);
}
void activate_project_certificates(const ExchangePtr& exchange) {
  note_ids(*exchange);
  of_project(exchange, activate);
}
void deactivate_project_certificates(const ExchangePtr& exchange) {
  note_ids(*exchange);
  of_project(exchange, deactivate);
}

void upload_certificate(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, certificate_request_schema()));
    const auto row = certificates(*exchange).add(exchange->principal.organization,
                                                 std::string(body.at("certificate").get_string()),
                                                 name_of(body));
    if (absl::IsInvalidArgument(row.status()))
      return parameter_error(base::message(row.status()), "certificate", "invalid_value");
    RETURN_IF_ERROR(row.status());
    exchange->audit.details["fingerprint"] = row->fingerprint;
    return certificate_object(*row, kOne, false);
  }());
}

void retrieve_certificate(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, certificate_query()));
    ASSIGN_OR_RETURN(const auto row, certificates(*exchange).rows().find(
                                         exchange->principal.organization, exchange->parameter(0)));
    const auto* include = query.if_contains("include");
    const bool content = include != nullptr && include->is_array() && !include->get_array().empty();
    return certificate_object(row, kOne, content);
  }());
}

void modify_certificate(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, certificate_change_schema()));
    const auto& organization = exchange->principal.organization;
    if (const auto name = name_of(body))
      RETURN_IF_ERROR(certificates(*exchange).rename(organization, exchange->parameter(0), name));
    ASSIGN_OR_RETURN(const auto row,
                     certificates(*exchange).rows().find(organization, exchange->parameter(0)));
    return certificate_object(row, kOne, false);
  }());
}

void delete_certificate(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    const auto& id = exchange->parameter(0);
    const auto status = certificates(*exchange).remove(exchange->principal.organization, id);
    if (absl::IsFailedPrecondition(status)) return base::invalid_argument(base::message(status));
    RETURN_IF_ERROR(status);
    return Object{{"object", "certificate.deleted"}, {"id", id}};
  }());
}

}  // namespace plinth::api
