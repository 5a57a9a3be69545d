#include "api/routes.h"

#include <algorithm>
#include <array>
#include <optional>

#include "api/auth/auth_routes.h"
#include "api/azure/routes.h"
#include "api/openai/admin/audit_logs.h"
#include "api/openai/admin/data_routes.h"
#include "api/openai/admin/keys.h"
#include "api/openai/admin/limits.h"
#include "api/openai/admin/people_routes.h"
#include "api/openai/admin/projects.h"
#include "api/openai/admin/rule_routes.h"
#include "api/openai/admin/spend_limit.h"
#include "api/openai/admin/usage.h"
#include "api/openai/chat_completions.h"
#include "api/openai/chat_schema.h"
#include "api/openai/completions.h"
#include "api/openai/embeddings.h"
#include "api/openai/files/file_routes.h"
#include "api/openai/fine_tuning/job_objects.h"
#include "api/openai/fine_tuning/jobs.h"
#include "api/openai/fine_tuning/tuning_routes.h"
#include "api/openai/graders/graders.h"
#include "api/openai/models.h"
#include "api/openai/moderations.h"
#include "api/openapi.h"
#include "api/probes.h"
#include "api/query.h"

namespace plinth::api {

namespace {

using governance::Permission;

constexpr std::array kRoutes{
    Route{"GET",
          "/healthz",
          Needs::nothing,
          answer_healthz,
          {"getHealth", "Whether the process lives.", health_schema}},
    Route{"GET",
          "/readyz",
          Needs::nothing,
          answer_readyz,
          {"getReadiness", "Whether the models that must be loaded are.", readiness_schema}},
    Route{"GET",
          "/metrics",
          Needs::nothing,
          answer_metrics,
          {"getMetrics", "Prometheus metrics, text format 0.0.4."}},
    Route{"GET",
          "/openapi.json",
          Needs::nothing,
          answer_openapi,
          {"getOpenApi", "This document.", openapi_schema}},
    Route{"POST",
          "/v1/chat/completions",
          Permission::infer,
          create_chat_completion,
          {"createChatCompletion", "Continues a conversation.", chat_answer_schema,
           chat_request_schema, chat_chunk_schema}},
    Route{"POST",
          "/v1/completions",
          Permission::infer,
          create_completion,
          {"createCompletion", "Continues texts.", completion_answer_schema,
           completion_request_schema, completion_chunk_schema}},
    Route{"POST",
          "/v1/embeddings",
          Permission::infer,
          create_embedding,
          {"createEmbedding", "Makes vectors of texts.", embedding_answer_schema,
           embedding_request_schema}},
    Route{"POST",
          "/v1/moderations",
          Permission::infer,
          create_moderation,
          {"createModeration", "What the content lists find in texts.", moderation_answer_schema,
           moderation_request_schema}},
    Route{"GET",
          "/v1/models",
          Permission::read_models,
          list_models,
          {"listModels", "The models that can be called.", model_list_schema}},
    Route{"GET",
          "/v1/models/{model...}",
          Permission::read_models,
          retrieve_model,
          {"retrieveModel", "One of them.", model_schema}},
    Route{"DELETE",
          "/v1/models/{model...}",
          Permission::manage_tuning,
          delete_tuned_model,
          {"deleteModel", "Deletes what fine-tuning made; of others their machine's command line.",
           model_deletion_schema},
          {"model.deleted"}},
    Route{"GET",
          "/v1/organization/projects",
          Permission::read_projects,
          list_projects,
          {"listProjects", "The projects of the organization.", project_list_schema, nullptr,
           nullptr, project_list_query}},
    Route{"POST",
          "/v1/organization/projects",
          Permission::manage_projects,
          create_project,
          {"createProject", "Makes a project.", project_schema, project_request_schema},
          {"project.created", "name title:name"}},
    Route{"GET",
          "/v1/organization/projects/{project}",
          Permission::read_projects,
          retrieve_project,
          {"retrieveProject", "One of them.", project_schema}},
    Route{"POST",
          "/v1/organization/projects/{project}",
          Permission::manage_projects,
          modify_project,
          {"modifyProject", "Gives it another name.", project_schema, project_request_schema},
          {"project.updated", "name title:name"}},
    Route{"POST",
          "/v1/organization/projects/{project}/archive",
          Permission::manage_projects,
          archive_project,
          {"archiveProject", "Ends it and its keys, for good.", project_schema},
          {"project.archived"}},
    Route{"GET",
          "/v1/organization/projects/{project}/api_keys",
          Permission::manage_keys,
          list_project_keys,
          {"listProjectApiKeys", "The keys of a project.", project_key_list_schema, nullptr,
           nullptr, plain_page_query}},
    Route{"POST",
          "/v1/organization/projects/{project}/api_keys",
          Permission::manage_keys,
          create_project_key,
          {"createProjectApiKey", "Makes a key.", project_key_schema, project_key_request_schema},
          {"api_key.created", "name models networks expires_at expires_in_seconds scopes"}},
    Route{"GET",
          "/v1/organization/projects/{project}/api_keys/{key}",
          Permission::manage_keys,
          retrieve_project_key,
          {"retrieveProjectApiKey", "One of them.", project_key_schema}},
    Route{"POST",
          "/v1/organization/projects/{project}/api_keys/{key}",
          Permission::manage_keys,
          modify_project_key,
          {"updateProjectApiKey", "Changes its scopes or how long it is good.", project_key_schema,
           project_key_change_schema},
          {"api_key.updated", "expires_in_seconds scopes"}},
    Route{"DELETE",
          "/v1/organization/projects/{project}/api_keys/{key}",
          Permission::manage_keys,
          delete_project_key,
          {"deleteProjectApiKey", "Ends it at once.", project_key_deletion_schema},
          {"api_key.deleted"}},
    Route{"POST",
          "/v1/organization/projects/{project}/api_keys/{key}/rotate",
          Permission::manage_keys,
          rotate_project_key,
          {"rotateProjectApiKey", "A new key in its place; the old one lives on for a while.",
           project_key_schema, key_rotation_schema},
          {"api_key.updated"}},
    Route{"GET",
          "/v1/organization/projects/{project}/service_accounts",
          Permission::manage_keys,
          list_service_accounts,
          {"listProjectServiceAccounts", "The service accounts of a project.",
           service_account_list_schema, nullptr, nullptr, plain_page_query}},
    Route{"POST",
          "/v1/organization/projects/{project}/service_accounts",
          Permission::manage_keys,
          create_service_account,
          {"createProjectServiceAccount", "Makes one, and its key.", service_account_schema,
           service_account_request_schema},
          {"service_account.created"}},
    Route{"GET",
          "/v1/organization/projects/{project}/service_accounts/{account}",
          Permission::manage_keys,
          retrieve_service_account,
          {"retrieveProjectServiceAccount", "One of them.", service_account_schema}},
    Route{"POST",
          "/v1/organization/projects/{project}/service_accounts/{account}",
          Permission::manage_keys,
          modify_service_account,
          {"updateProjectServiceAccount", "Changes its name or role.", service_account_schema,
           service_account_change_schema},
          {"service_account.updated", "name role"}},
    Route{"POST",
          "/v1/organization/projects/{project}/service_accounts/{account}/api_keys",
          Permission::manage_keys,
          create_service_account_key,
          {"createProjectServiceAccountApiKey", "Makes a key of it.", service_account_key_schema,
           service_account_key_request_schema},
          {"api_key.created", "name expires_in_seconds scopes"}},
    Route{"DELETE",
          "/v1/organization/projects/{project}/service_accounts/{account}",
          Permission::manage_keys,
          delete_service_account,
          {"deleteProjectServiceAccount", "Ends it and its keys.", service_account_deletion_schema},
          {"service_account.deleted"}},
    Route{"GET",
          "/v1/organization/projects/{project}/rate_limits",
          Permission::read_limits,
          list_rate_limits,
          {"listProjectRateLimits", "What a project may use of each model.", rate_limit_list_schema,
           nullptr, nullptr, plain_page_query}},
    Route{"POST",
          "/v1/organization/projects/{project}/rate_limits/{rate_limit...}",
          Permission::manage_limits,
          modify_rate_limit,
          {"updateProjectRateLimit", "Changes it.", rate_limit_schema, rate_limit_request_schema},
          {"rate_limit.updated",
           "max_requests_per_1_minute max_tokens_per_1_minute max_requests_per_1_day"
           " max_parallel_requests max_queued_tokens"}},
    Route{"GET",
          "/v1/organization/projects/{project}/spend_limits",
          Permission::read_billing,
          list_project_spend_limits,
          {"listProjectBudgets", "The budgets of a project.", spend_limit_list_schema}},
    Route{"POST",
          "/v1/organization/projects/{project}/spend_limits",
          Permission::manage_limits,
          set_project_spend_limit,
          {"setProjectBudget", "Sets one.", spend_limit_schema, spend_limit_request_schema},
          {"spend_limit.updated", "amount period"}},
    Route{"DELETE",
          "/v1/organization/projects/{project}/spend_limits/{period}",
          Permission::manage_limits,
          delete_project_spend_limit,
          {"deleteProjectBudget", "Removes it.", spend_limit_deletion_schema},
          {"spend_limit.deleted"}},
    Route{"GET",
          "/v1/organization/spend_limits",
          Permission::read_billing,
          list_spend_limits,
          {"listBudgets", "The budgets of the organization.", spend_limit_list_schema}},
    Route{"POST",
          "/v1/organization/spend_limits",
          Permission::manage_limits,
          set_spend_limit,
          {"setBudget", "Sets one.", spend_limit_schema, spend_limit_request_schema},
          {"spend_limit.updated", "amount period"}},
    Route{"DELETE",
          "/v1/organization/spend_limits/{period}",
          Permission::manage_limits,
          delete_spend_limit,
          {"deleteBudget", "Removes it.", spend_limit_deletion_schema},
          {"spend_limit.deleted"}},
    Route{"GET",
          "/v1/organization/spend_limit",
          Permission::read_billing,
          retrieve_month_limit,
          {"retrieveOrganizationSpendLimit", "A month's budget, in cents.", month_limit_schema}},
    Route{"POST",
          "/v1/organization/spend_limit",
          Permission::manage_limits,
          update_month_limit,
          {"updateOrganizationSpendLimit", "Sets it.", month_limit_schema,
           month_limit_request_schema},
          {"spend_limit.updated", "currency interval threshold_amount"}},
    Route{"DELETE",
          "/v1/organization/spend_limit",
          Permission::manage_limits,
          remove_month_limit,
          {"deleteOrganizationSpendLimit", "Removes it.", month_limit_deletion_schema},
          {"spend_limit.deleted"}},
    Route{"GET",
          "/v1/organization/projects/{project}/spend_limit",
          Permission::read_billing,
          retrieve_project_month_limit,
          {"retrieveProjectSpendLimit", "A month's budget, in cents.", month_limit_schema}},
    Route{"POST",
          "/v1/organization/projects/{project}/spend_limit",
          Permission::manage_limits,
          update_project_month_limit,
          {"updateProjectSpendLimit", "Sets it.", month_limit_schema, month_limit_request_schema},
          {"spend_limit.updated", "currency interval threshold_amount"}},
    Route{"DELETE",
          "/v1/organization/projects/{project}/spend_limit",
          Permission::manage_limits,
          remove_project_month_limit,
          {"deleteProjectSpendLimit", "Removes it.", month_limit_deletion_schema},
          {"spend_limit.deleted"}},
    Route{"GET",
          "/v1/organization/prices",
          Permission::read_billing,
          list_prices,
          {"listPrices", "The price book.", price_list_schema}},
    Route{"POST",
          "/v1/organization/prices",
          Permission::manage_prices,
          create_price,
          {"createPrice", "Adds a price from a time on.", price_schema, price_request_schema},
          {"price.created",
           "model service_class effective_at input_per_million cached_input_per_million "
           "output_per_million"}},
    Route{"GET",
          "/v1/organization/admin_api_keys",
          Permission::manage_keys,
          list_admin_keys,
          {"listAdminApiKeys", "The keys of administrators.", admin_key_list_schema, nullptr,
           nullptr, plain_page_query}},
    Route{"POST",
          "/v1/organization/admin_api_keys",
          Permission::manage_keys,
          create_admin_key,
          {"createAdminApiKey", "Makes one.", admin_key_schema, admin_key_request_schema},
          {"api_key.created", "name networks expires_at expires_in_seconds scopes"}},
    Route{"GET",
          "/v1/organization/admin_api_keys/{key}",
          Permission::manage_keys,
          retrieve_admin_key,
          {"retrieveAdminApiKey", "One of them.", admin_key_schema}},
    Route{"DELETE",
          "/v1/organization/admin_api_keys/{key}",
          Permission::manage_keys,
          delete_admin_key,
          {"deleteAdminApiKey", "Ends it at once.", admin_key_deletion_schema},
          {"api_key.deleted"}},
    Route{"GET",
          "/v1/organization/audit_logs",
          Permission::read_audit,
          list_audit_logs,
          {"listAuditLogs", "What was done and what was refused, from new to old.",
           audit_log_list_schema, nullptr, nullptr, audit_log_query}},
    Route{"GET",
          "/v1/organization/usage/completions",
          Permission::read_usage,
          usage_of_completions,
          {"usageCompletions", "What chats and completions used.", usage_page_schema, nullptr,
           nullptr, usage_query_schema}},
    Route{"GET",
          "/v1/organization/usage/embeddings",
          Permission::read_usage,
          usage_of_embeddings,
          {"usageEmbeddings", "What embeddings used.", usage_page_schema, nullptr, nullptr,
           usage_query_schema}},
    Route{"GET",
          "/v1/organization/usage/fine_tuning",
          Permission::read_usage,
          usage_of_fine_tuning,
          {"usageFineTuning", "What fine-tuning jobs learnt.", usage_page_schema, nullptr, nullptr,
           usage_query_schema}},
    Route{"GET",
          "/v1/organization/costs",
          Permission::read_billing,
          list_costs,
          {"usageCosts", "What it cost.", costs_page_schema, nullptr, nullptr, costs_query_schema}},
};
static_assert(acts_are_recorded(kRoutes), "an act of administration without an event");

bool is_management(std::string_view pattern) { return pattern.starts_with("/subscriptions/"); }

// The next part of a path that begins with a slash, which both lose.
std::string_view take_part(std::string_view& path) {
  const auto end = path.find('/', 1);
  const auto part = path.substr(1, end == std::string_view::npos ? end : end - 1);
  path = end == std::string_view::npos ? "" : path.substr(end);
  return part;
}

// What the {...} matched, or nothing.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> parameters;
  while (!pattern.empty() && !path.empty()) {
    if (pattern.front() != '/' || path.front() != '/') return std::nullopt;
    const auto rest = path.substr(1);
    const auto wanted = take_part(pattern);
    if (wanted.ends_with("...}")) {
      if (rest.empty()) return std::nullopt;
      parameters.push_back(percent_decoded(rest));
      return parameters;
    }
    const auto part = take_part(path);
    if (wanted.starts_with("{")) {
      if (part.empty()) return std::nullopt;
      parameters.push_back(percent_decoded(part));
    } else if (part != wanted) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return parameters;
}

}  // namespace

std::span<const Route> routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> made(kRoutes.begin(), kRoutes.end());
    for (const auto& more : {file_routes(), tuning_routes(), people_routes(), rule_routes(),
                             auth_routes(), data_routes(), azure_routes(), grader_routes()})
      made.insert(made.end(), more.begin(), more.end());
    return made;
  }();
  return all;
}

std::optional<std::size_t> project_parameter(std::string_view pattern) {
  for (const std::string_view name : {"{project}", "{account}"}) {
    const auto at = pattern.find(name);
    // Nothing but Azure's plane calls a project so.
    if (at == std::string_view::npos || (name == "{account}" && !is_management(pattern))) continue;
    const auto before = pattern.substr(0, at);
    return static_cast<std::size_t>(std::count(before.begin(), before.end(), '{'));
  }
  return std::nullopt;
}

Scope scope_of(const Route& route) {
  if (!route.needs.open() && governance::info(route.needs.permission()).organization_only)
    return Scope::organization;
  if (project_parameter(route.pattern)) return Scope::project;
  const bool organization = route.pattern.starts_with("/v1/organization/") ||
                            route.pattern.starts_with("/v1/fine_tuning/checkpoints/") ||
                            is_management(route.pattern);
  return organization ? Scope::organization : Scope::caller;
}

std::optional<std::uint64_t> streamed_body_max(std::string_view method, std::string_view path) {
  // Asked of every request: the look through the table is for those that may be some.
  if (method != "POST" || (!path.ends_with("/files") && !path.ends_with("/parts")))
    return std::nullopt;
  const auto match = find_route(routes(), method, path);
  if (match.route == nullptr || match.route->streams_bytes_max == 0) return std::nullopt;
  return match.route->streams_bytes_max;
}

RouteMatch find_route(std::span<const Route> table, std::string_view method,
                      std::string_view path) {
  RouteMatch found;
  // A path that is written out is its own, whatever pattern would match it, too.
  const bool written = std::any_of(table.begin(), table.end(),
                                   [&](const auto& route) { return route.pattern == path; });
  for (const auto& route : table) {
    if (written && route.pattern != path) continue;
    auto parameters = match(route.pattern, path);
    if (!parameters) continue;
    const bool get = route.method == "GET";
    if (method == route.method || (get && method == "HEAD")) {
      found.route = &route;
      found.parameters = *std::move(parameters);
      found.allow.clear();
      return found;
    }
    if (!found.allow.empty()) found.allow += ", ";
    found.allow += get ? "GET, HEAD" : std::string(route.method);
  }
  return found;
}

}  // namespace plinth::api
