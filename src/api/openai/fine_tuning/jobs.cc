#include "api/openai/fine_tuning/jobs.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/error_map.h"
#include "api/openai/admin/listing.h"
#include "api/openai/fine_tuning/job_objects.h"
#include "api/openai/models.h"
#include "api/openai/project_errors.h"
#include "base/log.h"
#include "governance/money_left.h"
#include "governance/refusal.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::FineTuningJobs;
using store::TuningJobRow;

FineTuningJobs& jobs(const Exchange& exchange) {
  return exchange.services().governance.fine_tuning();
}

// As clients should see it.
absl::Status tuning_error(const absl::Status& status, std::string_view param) {
  if (!absl::IsResourceExhausted(status)) return error_at(status, param);
  // Another request would be let through, once a job is over.
  return governance::refuse(base::message(status), {governance::RefusalKind::requests, {}});
}

absl::Status check_file(const Exchange& exchange, const std::string& id, std::string_view param) {
  const auto& who = exchange.principal;
  const auto row = exchange.services().governance.files().find(who.organization, who.project, id);
  if (absl::IsNotFound(row.status()))
    return parameter_error(fmt::format("Invalid '{}': no such file: {}", param, id), param,
                           fmt::format("invalid_{}", param));
  if (!row.ok()) return row.status();
  if (row->purpose == "fine-tune") return absl::OkStatus();
  return parameter_error(
      fmt::format("Invalid '{}': {} has the purpose {}; upload it with the purpose fine-tune.",
                  param, id, row->purpose),
      param, fmt::format("invalid_{}", param));
}

absl::Status check_model(const Exchange& exchange, const std::string& model) {
  const auto& services = exchange.services();
  const auto& who = exchange.principal;
  const bool allowed =
      who.may_call(model) && services.governance.model_permissions().may_call(who.project, {model});
  const auto card = services.models.find(model);
  if (allowed && card.ok() && card->generates) return absl::OkStatus();
  if (allowed && !card.ok() && !absl::IsNotFound(card.status())) return card.status();
  const bool embeds = allowed && card.ok();
  return parameter_error(
      fmt::format("Model {} is not available for fine-tuning or does not exist.{}", model,
                  embeds ? " Models that generate text can be tuned." : ""),
      "model", "model_not_available");
}

// What a job costs is known once its data was read; one that nothing is left for is not taken.
absl::Status check_money(const Exchange& exchange) {
  auto& governance = exchange.services().governance;
  const auto& who = exchange.principal;
  return governance::check_money_left(governance.limits(), who.organization, who.project,
                                      governance.clock().unix_seconds());
}

std::string text_or_empty(const Object& body, std::string_view name) {
  const auto* value = body.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// The method in full, whichever of its two places it was written in.
absl::StatusOr<Object> method_of(const Object& body) {
  Object hyperparameters;
  std::string type = "supervised";
  const auto* legacy = body.if_contains("hyperparameters");
  const auto* method = body.if_contains("method");
  const bool has_method = method != nullptr && method->is_object();
  if (legacy != nullptr && legacy->is_object()) {
    if (has_method) {
      return parameter_error("Invalid 'hyperparameters': 'method' has them, too; send one of both.",
                             "hyperparameters", "invalid_value");
    }
    hyperparameters = legacy->get_object();
  }
  if (has_method) {
    type = text_or_empty(method->get_object(), "type");
    const auto* of_type = method->get_object().if_contains(type);
    const auto* inner = of_type != nullptr && of_type->is_object()
                            ? of_type->get_object().if_contains("hyperparameters")
                            : nullptr;
    if (inner != nullptr && inner->is_object()) hyperparameters = inner->get_object();
  }
  return Object{{"type", type}, {type, {{"hyperparameters", hyperparameters}}}};
}

absl::StatusOr<Object> create(Exchange& exchange) {
  RETURN_IF_ERROR(check_has_project(exchange, "Fine-tuning jobs"));
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, tuning_request_schema()));
  governance::TuningSpec spec;
  spec.organization = exchange.principal.organization;
  spec.project = exchange.principal.project;
  spec.model = text_or_empty(body, "model");
  spec.training_file = text_or_empty(body, "training_file");
  spec.validation_file = text_or_empty(body, "validation_file");
  RETURN_IF_ERROR(check_money(exchange));
  RETURN_IF_ERROR(check_model(exchange, spec.model));
  RETURN_IF_ERROR(check_file(exchange, spec.training_file, "training_file"));
  if (!spec.validation_file.empty())
    RETURN_IF_ERROR(check_file(exchange, spec.validation_file, "validation_file"));
  ASSIGN_OR_RETURN(spec.request["method"], method_of(body));
  for (const auto* name : {"suffix", "seed", "metadata"}) {
    const auto* value = body.if_contains(name);
    if (value != nullptr && !value->is_null()) spec.request[name] = *value;
  }
  // What no one chose is chosen here, so that a job can be repeated.
  if (!spec.request.contains("seed"))
    spec.request["seed"] = static_cast<std::int64_t>(exchange.services().entropy() % INT32_MAX);
  const auto row = jobs(exchange).create(spec);
  if (!row.ok()) return tuning_error(row.status(), "model");
  exchange.audit.resources.push_back(spec.training_file);
  return tuning_job_object(*row);
}

using Act = absl::StatusOr<TuningJobRow> (FineTuningJobs::*)(const std::string&,
                                                             const std::string&);

absl::StatusOr<Object> act(const Exchange& exchange, Act act) {
  RETURN_IF_ERROR(check_has_project(exchange, "Fine-tuning jobs"));
  const auto row = (jobs(exchange).*act)(exchange.principal.project, exchange.parameter(0));
  if (!row.ok()) return tuning_error(row.status(), "fine_tune_id");
  return tuning_job_object(*row);
}

store::PageRequest newest_first(const Schema& schema, const Object& query) {
  auto page = page_of(schema, query);
  page.descending = true;
  return page;
}

absl::StatusOr<store::PageRequest> page_below_job(const Exchange& exchange) {
  RETURN_IF_ERROR(check_has_project(exchange, "Fine-tuning jobs"));
  ASSIGN_OR_RETURN(const auto query, read_query(exchange, tuning_page_query()));
  return newest_first(tuning_page_query(), query);
}

// Which jobs have the pairs of a query's `metadata`; every one where it has none.
store::TuningRows::Wanted wanted_by(const Object& query) {
  const auto* asked = query.if_contains("metadata");
  if (asked == nullptr) return nullptr;
  return [pairs = *asked](const TuningJobRow& job) {
    const auto request = base::parse_json(job.request);
    const auto* has = request.ok() ? request->get_object().if_contains("metadata") : nullptr;
    const bool none = has == nullptr || !has->is_object() || has->get_object().empty();
    if (!pairs.is_object()) return none;
    const auto& wanted = pairs.get_object();
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
      const auto* value = none ? nullptr : has->get_object().if_contains(pair.key());
      return value != nullptr && *value == pair.value();
    });
  };
}

absl::StatusOr<Object> list(const Exchange& exchange) {
  RETURN_IF_ERROR(check_has_project(exchange, "Fine-tuning jobs"));
  ASSIGN_OR_RETURN(const auto query, read_query(exchange, tuning_jobs_query()));
  const auto rows = jobs(exchange).list(exchange.principal.project,
                                        newest_first(tuning_jobs_query(), query), wanted_by(query));
  if (!rows.ok()) return tuning_error(rows.status(), "after");
  return list_object(*rows, tuning_job_object);
}

// A job that is not there is not the cursor's fault.
absl::Status list_error(const Exchange& exchange, const absl::Status& status) {
  const auto job = jobs(exchange).find(exchange.principal.project, exchange.parameter(0));
  return tuning_error(status, job.ok() ? "after" : "fine_tune_id");
}

absl::StatusOr<Object> list_events(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto page, page_below_job(exchange));
  const auto rows = jobs(exchange).events(exchange.principal.project, exchange.parameter(0), page);
  if (!rows.ok()) return list_error(exchange, rows.status());
  return list_object(*rows, tuning_event_object);
}

absl::StatusOr<Object> list_checkpoints(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto page, page_below_job(exchange));
  const auto rows =
      jobs(exchange).checkpoints(exchange.principal.project, exchange.parameter(0), page);
  if (!rows.ok()) return list_error(exchange, rows.status());
  return list_object(*rows, tuning_checkpoint_object);
}

absl::StatusOr<Object> delete_model(const Exchange& exchange) {
  const auto& name = exchange.parameter(0);
  auto& services = exchange.services();
  auto& permissions = services.governance.model_permissions();
  const auto& project = exchange.principal.project;
  const bool seen = permissions.may_call(project, {name}) && services.models.find(name).ok();
  if (!seen) return model_not_found(name, true);
  if (!permissions.owns(project, name)) {
    return absl::PermissionDeniedError(base::to_absl(fmt::format(
        "The model `{}` cannot be deleted over this API: only fine-tuned models can. Its owner "
        "removes it with `plinth model rm`.",
        name)));
  }
  if (services.tuned_models == nullptr) return base::internal("no tuned models are kept here");
  if (const auto removed = services.tuned_models->remove(name); !removed.ok())
    return error_at(removed, "model");
  RETURN_IF_ERROR(permissions.take(name, project));
  return deletion_object("model", name);
}

}  // namespace

void create_tuning_job(const ExchangePtr& exchange) { answer(exchange, create(*exchange)); }
void list_tuning_jobs(const ExchangePtr& exchange) { answer(exchange, list(*exchange)); }
void retrieve_tuning_job(const ExchangePtr& exchange) {
  answer(exchange, act(*exchange, &FineTuningJobs::find));
}
void cancel_tuning_job(const ExchangePtr& exchange) {
  answer(exchange, act(*exchange, &FineTuningJobs::cancel));
}
void pause_tuning_job(const ExchangePtr& exchange) {
  answer(exchange, act(*exchange, &FineTuningJobs::pause));
}
void resume_tuning_job(const ExchangePtr& exchange) {
  answer(exchange, act(*exchange, &FineTuningJobs::resume));
}
void delete_tuning_job(const ExchangePtr& exchange) {
  const auto& id = exchange->parameter(0);
  auto status = check_has_project(*exchange, "Fine-tuning jobs");
  if (status.ok()) status = jobs(*exchange).remove(exchange->principal.project, id);
  if (!status.ok()) return exchange->refuse(tuning_error(status, "fine_tune_id"));
  exchange->audit.id = id;
  exchange->send(204, "", "");
}
void list_tuning_events(const ExchangePtr& exchange) { answer(exchange, list_events(*exchange)); }
void list_tuning_checkpoints(const ExchangePtr& exchange) {
  answer(exchange, list_checkpoints(*exchange));
}
void delete_tuned_model(const ExchangePtr& exchange) { answer(exchange, delete_model(*exchange)); }

}  // namespace plinth::api
