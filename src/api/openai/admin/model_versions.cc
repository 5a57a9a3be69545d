#include "api/openai/admin/model_versions.h"

#include "api/openai/admin/listing.h"
#include "api/openai/models.h"
#include "governance/deployment_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr char kVersion[] = "model_version";

governance::Governance& governed(const Exchange& exchange) {
  return exchange.services().governance;
}

Object version_object(const governance::ModelVersion& version) {
  return {{"object", kVersion},
          {"id", version.model + ":" + version.version},
          {"model", version.model},
          {"version", version.version},
          {"served", version.served},
          {"isDefault", version.is_default},
          {"retiresAt", time_or_null(version.retires_s)}};
}

Object throughput_object(const governance::ThroughputRow& row) {
  return {{"object", "provisioned_throughput"},
          {"id", row.model},
          {"model", row.model},
          {"version", row.version},
          {"unitTokensPerMinute", row.unit_tokens},
          {"outputWeight", row.output_weight},
          {"firstTokenMs", row.first_token_ms},
          {"tokenUs", row.token_us},
          {"replicas", row.replicas},
          {"acceptedBy", row.accepted_by},
          {"acceptedAt", row.accepted_s}};
}

std::vector<Field> throughput_fields() {
  using namespace governance;
  return {required("unitTokensPerMinute",
                   integer(1, kUnitTokensMax,
                           "Input-equivalent tokens a minute of one unit: a hundredth of what a "
                           "replica sustains.")),
          required("outputWeight",
                   integer(1, kOutputWeightMax, "Input tokens that an output token is worth.")),
          required("firstTokenMs", integer(1, kFirstTokenMsMax, "The latency target.")),
          required("tokenUs", integer(1, kTokenUsMax, "And between tokens, in microseconds."))};
}

Field replicas_field(bool is_answer) {
  auto count = integer(1, governance::kReplicasMax,
                       "Of the model, over all gateways: each sustains a hundred units.");
  return is_answer ? required("replicas", count) : optional("replicas", count.or_else(1));
}

}  // namespace

const Schema& model_version_schema() {
  static const Schema schema =
      object("ModelVersion",
             {required("object", one_string_of({kVersion}, "")), required("id", string("")),
              required("model", string("")), required("version", string("")),
              required("served", string("The installed model behind it.")),
              required("isDefault", boolean("")),
              required("retiresAt", integer(0, INT64_MAX, "Seconds since 1970.").or_null())},
             "");
  return schema;
}

const Schema& model_version_list_schema() {
  static const Schema schema = list_schema("ModelVersionList", model_version_schema());
  return schema;
}

const Schema& model_version_request_schema() {
  static const Schema schema = object(
      "ModelVersionRequest",
      {required("served",
                string("The installed model behind it.").length(1, governance::kModelNameBytesMax)),
       optional("isDefault", boolean("Deployments that follow the default get it.").or_else(false)),
       optional("retiresAt", integer(0, 253'402'300'799, "Seconds since 1970."))},
      "");
  return schema;
}

const Schema& model_version_deletion_schema() {
  static const Schema schema = deletion_schema("ModelVersionDeletion", "model_version.deleted");
  return schema;
}

void list_model_versions(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    const auto& model = exchange->parameter(0);
    const auto versions = governed(*exchange).deployments().versions();
    const bool known =
        !versions.declared(model).empty() || exchange->services().models.find(model).ok();
    if (!known) return model_not_found(model, true);
    base::json::array out;
    for (const auto& version : versions.of(model)) out.push_back(version_object(version));
    return list_object(std::move(out), false);
  }());
}

void put_model_version(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, model_version_request_schema()));
    ASSIGN_OR_RETURN(auto version, governance::parse_model_version(body));
    version.model = exchange->parameter(0);
    version.version = exchange->parameter(1);
    if (!exchange->services().models.find(version.served).ok())
      return model_not_found(version.served, true);
    ASSIGN_OR_RETURN(const auto stored, governed(*exchange).deployments().put_version(version));
    return version_object(stored);
  }());
}

void delete_model_version(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    const auto& version = exchange->parameter(1);
    RETURN_IF_ERROR(
        governed(*exchange).deployments().remove_version(exchange->parameter(0), version));
    return deletion_object("model_version.deleted", version);
  }());
}

const Schema& throughput_schema() {
  static const Schema schema = [] {
    auto fields = throughput_fields();
    fields.push_back(replicas_field(true));
    fields.push_back(required("object", one_string_of({"provisioned_throughput"}, "")));
    fields.push_back(required("id", string("")));
    fields.push_back(required("model", string("")));
    fields.push_back(required("version", integer(1, INT64_MAX, "Of the model's rows.")));
    fields.push_back(required("acceptedBy", string("The key that did.")));
    fields.push_back(required("acceptedAt", integer(0, INT64_MAX, "Seconds since 1970.")));
    return object("ProvisionedThroughput", std::move(fields), "");
  }();
  return schema;
}

const Schema& throughput_list_schema() {
  static const Schema schema = list_schema("ProvisionedThroughputList", throughput_schema());
  return schema;
}

const Schema& throughput_request_schema() {
  static const Schema schema = [] {
    auto fields = throughput_fields();
    fields.push_back(replicas_field(false));
    return object("ProvisionedThroughputRequest", std::move(fields), "");
  }();
  return schema;
}

void list_throughput(const ExchangePtr& exchange) {
  base::json::array out;
  for (const auto& row : governed(*exchange).throughput().list())
    out.push_back(throughput_object(row));
  exchange->send_json(list_object(std::move(out), false));
}

void accept_throughput(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, throughput_request_schema()));
    ASSIGN_OR_RETURN(auto row, governance::parse_throughput(body));
    row.model = exchange->parameter(0);
    row.accepted_by = exchange->principal.key_id;
    if (!exchange->services().models.find(row.model).ok()) return model_not_found(row.model, true);
    ASSIGN_OR_RETURN(const auto stored, governed(*exchange).deployments().accept(std::move(row)));
    return throughput_object(stored);
  }());
}

}  // namespace plinth::api
