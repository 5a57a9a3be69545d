#include "api/openai/admin/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/error_map.h"
#include "api/openai/admin/keys.h"
#include "api/openai/admin/listing.h"
#include "api/openai/admin/projects.h"
#include "api/openai/models.h"
#include "api/schema/values.h"
#include "governance/limits.h"
#include "governance/money.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::Resource;

constexpr std::string_view kPrefix = "rl-";

struct Rate {
  const char* field;
  Resource resource;
  bool is_openai;
};
constexpr std::array kRates{
    Rate{"max_requests_per_1_minute", Resource::requests_per_minute, true},
    Rate{"max_tokens_per_1_minute", Resource::tokens_per_minute, true},
    Rate{"max_requests_per_1_day", Resource::requests_per_day, true},
    Rate{"max_parallel_requests", Resource::parallel_requests, false},
    Rate{"max_queued_tokens", Resource::queued_tokens, false},
};

governance::Governance& governed(const Exchange& exchange) {
  return exchange.services().governance;
}

Object rate_limit_object(const std::string& model, const std::vector<store::LimitRow>& rows) {
  Object out{{"object", "project.rate_limit"},
             {"id", fmt::format("{}{}", kPrefix, model)},
             {"model", model}};
  for (const auto& rate : kRates) {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) {
      return row.model == model && row.resource == governance::resource_name(rate.resource);
    });
    out[rate.field] = found == rows.end() ? base::json::value(nullptr) : found->amount;
  }
  return out;
}

absl::StatusOr<std::string> model_of(const Exchange& exchange, const std::string& id) {
  if (!id.starts_with(kPrefix)) return base::not_found("No such rate limit: " + id);
  const auto name = id.substr(kPrefix.size());
  if (!exchange.services().models.find(name).ok()) return model_not_found(name, true);
  return name;
}

Schema amount_schema(const char* doc) {
  return one_of({string("").length(1, 32), number(0, 1e9, "")}, doc);
}

// A number of JSON is what its shortest text says.
absl::StatusOr<std::int64_t> amount_of(const Object& body, const char* field) {
  const auto& value = body.at(field);
  std::string text;
  if (value.is_string()) {
    text = std::string(value.get_string());
  } else {
    text = fmt::format("{:.12f}", value.to_number<double>());
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  auto pico = governance::parse_money(text);
  if (!pico.ok()) return parameter_error(base::message(pico.status()), field, "invalid_value");
  return pico;
}

Object money_object(std::int64_t pico) {
  return {{"value", governance::format_money(pico)}, {"currency", "usd"}};
}

Object spend_limit_object(const store::BudgetRow& row) {
  return {{"object", "organization.budget"},
          {"id", row.period},
          {"period", row.period},
          {"amount", money_object(row.limit_pico)},
          {"spent", money_object(row.spent_pico)},
          {"period_start", row.period_start_s}};
}

void list_of(const ExchangePtr& exchange, const std::string& kind, const std::string& scope) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto rows, governed(*exchange).limits().budgets(
                                          kind, scope, governed(*exchange).clock().unix_seconds()));
    base::json::array data;
    for (const auto& row : rows) data.push_back(spend_limit_object(row));
    return list_object(std::move(data), false);
  }());
}

void set_for(const ExchangePtr& exchange, const std::string& kind, const std::string& scope) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, spend_limit_request_schema()));
    store::BudgetRow row;
    row.scope_kind = kind;
    row.scope = scope;
    row.period = std::string(Values(spend_limit_request_schema(), body).string("period"));
    ASSIGN_OR_RETURN(row.limit_pico, amount_of(body, "amount"));
    RETURN_IF_ERROR(governed(*exchange).admission().set_budget(row));
    ASSIGN_OR_RETURN(const auto rows, governed(*exchange).limits().budgets(
                                          kind, scope, governed(*exchange).clock().unix_seconds()));
    for (const auto& stored : rows) {
      if (stored.period == row.period) return spend_limit_object(stored);
    }
    return base::internal("[spend limit] it is gone");
  }());
}

void remove_for(const ExchangePtr& exchange, const std::string& kind, const std::string& scope,
                const std::string& period) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    RETURN_IF_ERROR(governed(*exchange).admission().remove_budget({kind, scope, period, 0, 0, 0}));
    return deletion_object("organization.budget.deleted", period);
  }());
}

constexpr std::int64_t kMillion = 1'000'000;

// Pico-units of one token are micro-units of a million.
absl::StatusOr<std::int64_t> price_of(const Object& body, const char* field) {
  ASSIGN_OR_RETURN(const auto pico, amount_of(body, field));
  if (pico % kMillion != 0) {
    return parameter_error(
        fmt::format("Invalid '{}': a price has at most 6 digits behind the point.", field), field,
        "invalid_value");
  }
  return pico / kMillion;
}

std::string per_million(std::int64_t pico) {
  return governance::format_money(__int128{pico} * kMillion);
}

Object price_object(const store::PriceRow& row) {
  return {{"object", "organization.price"},
          {"id", fmt::format("price_{}", row.version)},
          {"version", row.version},
          {"model", row.model},
          {"service_class", row.service_class},
          {"effective_at", row.effective_s},
          {"input_per_million", per_million(row.input_pico)},
          {"cached_input_per_million", per_million(row.cached_pico)},
          {"output_per_million", per_million(row.output_pico)},
          {"unit_hour", governance::format_money(row.unit_hour_pico)}};
}

Schema money_schema() {
  return object(
      "Money",
      {required("value", string("Exact, as a decimal number.")), required("currency", string(""))},
      "");
}

}  // namespace

const Schema& rate_limit_schema() {
  static const Schema schema = [] {
    std::vector<Field> fields{required("object", one_string_of({"project.rate_limit"}, "")),
                              required("id", string("")), required("model", string(""))};
    for (const auto& rate : kRates) {
      fields.push_back(
          required(rate.field, integer(0, governance::kLimitMax, "null = no limit.").or_null()));
    }
    return object("ProjectRateLimit", std::move(fields), "");
  }();
  return schema;
}

const Schema& rate_limit_list_schema() {
  static const Schema schema = list_schema("ProjectRateLimitList", rate_limit_schema());
  return schema;
}

const Schema& rate_limit_request_schema() {
  static const Schema schema = [] {
    std::vector<Field> fields;
    for (const auto& rate : kRates) {
      auto limit = integer(0, governance::kLimitMax, "null removes it; absent leaves it.");
      fields.push_back(rate.is_openai ? optional(rate.field, limit) : extension(rate.field, limit));
    }
    fields.push_back(unsupported("max_images_per_1_minute", {}, "no model here draws"));
    fields.push_back(unsupported("max_audio_megabytes_per_1_minute", {}, "no model here hears"));
    fields.push_back(unsupported("batch_1_day_max_input_tokens", {}, "there are no batches yet"));
    return object("ProjectRateLimitRequest", std::move(fields), "");
  }();
  return schema;
}

void list_rate_limits(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto query, read_query(*exchange, plain_page_query()));
    const auto page = page_of(plain_page_query(), query);
    ASSIGN_OR_RETURN(const auto rows, governed(*exchange).limits().limits("project", project.id));
    base::json::array data;
    bool after = page.after.empty(), more = false;
    for (const auto& card : exchange->services().models.list()) {
      if (after && static_cast<std::int64_t>(data.size()) == page.limit) more = true;
      if (after && !more) data.push_back(rate_limit_object(card.id, rows));
      after = after || page.after == fmt::format("{}{}", kPrefix, card.id);
    }
    if (!after) return base::not_found("No such rate limit: " + page.after);
    return list_object(std::move(data), more);
  }());
}

void modify_rate_limit(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto project, find_project(*exchange, exchange->parameter(0)));
    ASSIGN_OR_RETURN(const auto model, model_of(*exchange, exchange->parameter(1)));
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, rate_limit_request_schema()));
    auto& admission = governed(*exchange).admission();
    for (const auto& rate : kRates) {
      const auto* wanted = body.if_contains(rate.field);
      if (wanted == nullptr) continue;
      store::LimitRow row{"project", project.id, model,
                          std::string(governance::resource_name(rate.resource)), 0};
      if (!wanted->is_null()) row.amount = to_integer(*wanted);
      RETURN_IF_ERROR(wanted->is_null() ? admission.remove_limit(row) : admission.set_limit(row));
    }
    ASSIGN_OR_RETURN(const auto rows, governed(*exchange).limits().limits("project", project.id));
    return rate_limit_object(model, rows);
  }());
}

const Schema& spend_limit_schema() {
  static const Schema schema = object(
      "SpendLimit",
      {required("object", one_string_of({"organization.budget"}, "")), required("id", string("")),
       required("period", one_string_of({"day", "month"}, "UTC's.")),
       required("amount", money_schema()), required("spent", money_schema()),
       required("period_start", integer(0, INT64_MAX, ""))},
      "");
  return schema;
}

const Schema& spend_limit_list_schema() {
  static const Schema schema = list_schema("SpendLimitList", spend_limit_schema());
  return schema;
}

const Schema& spend_limit_request_schema() {
  static const Schema schema =
      object("SpendLimitRequest",
             {required("amount", amount_schema("What may be spent: \"12.5\" or 12.5.")),
              optional("period", one_string_of({"day", "month"}, "UTC's.").or_else("month"))},
             "");
  return schema;
}

const Schema& spend_limit_deletion_schema() {
  static const Schema schema = deletion_schema("SpendLimitDeletion", "organization.budget.deleted");
  return schema;
}

void list_spend_limits(const ExchangePtr& exchange) {
  list_of(exchange, "organization", exchange->principal.organization);
}
void set_spend_limit(const ExchangePtr& exchange) {
  set_for(exchange, "organization", exchange->principal.organization);
}
void delete_spend_limit(const ExchangePtr& exchange) {
  remove_for(exchange, "organization", exchange->principal.organization, exchange->parameter(0));
}

void list_project_spend_limits(const ExchangePtr& exchange) {
  const auto project = find_project(*exchange, exchange->parameter(0));
  if (!project.ok()) return exchange->refuse(project.status());
  list_of(exchange, "project", project->id);
}
void set_project_spend_limit(const ExchangePtr& exchange) {
  const auto project = find_project(*exchange, exchange->parameter(0));
  if (!project.ok()) return exchange->refuse(project.status());
  set_for(exchange, "project", project->id);
}
void delete_project_spend_limit(const ExchangePtr& exchange) {
  const auto project = find_project(*exchange, exchange->parameter(0));
  if (!project.ok()) return exchange->refuse(project.status());
  remove_for(exchange, "project", project->id, exchange->parameter(1));
}

const Schema& price_schema() {
  static const Schema schema = object(
      "Price",
      {required("object", one_string_of({"organization.price"}, "")), required("id", string("")),
       required("version", integer(1, INT64_MAX, "Of the price book.")),
       required("model", string("\"\" = every model without a price of its own.")),
       required("service_class", string("")), required("effective_at", integer(0, INT64_MAX, "")),
       required("input_per_million", string("")), required("cached_input_per_million", string("")),
       required("output_per_million", string("")),
       required("unit_hour", string("Of a provisioned unit for an hour."))},
      "");
  return schema;
}

const Schema& price_list_schema() {
  static const Schema schema = list_schema("PriceList", price_schema());
  return schema;
}

const Schema& price_request_schema() {
  static const Schema schema = object(
      "PriceRequest",
      {optional(
           "model",
           string("\"\" = every model without a price of its own.").length(0, 512).or_else("")),
       optional("service_class",
                one_string_of({"standard", "provisioned", "batch", "developer", "training"},
                              "training: of tokens that fine-tuning jobs learnt, as input.")
                    .or_else("standard")),
       optional("effective_at", integer(0, INT64_MAX, "Seconds since 1970; absent = now.")),
       required("input_per_million", amount_schema("Of a million tokens.")),
       required("cached_input_per_million", amount_schema("Of those that were in the cache.")),
       required("output_per_million", amount_schema("")),
       optional("unit_hour",
                amount_schema("Of a provisioned unit for an hour; the class provisioned alone."))},
      "");
  return schema;
}

void list_prices(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto rows, governed(*exchange).limits().prices());
    base::json::array data;
    for (const auto& row : rows) data.push_back(price_object(row));
    return list_object(std::move(data), false);
  }());
}

void create_price(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, price_request_schema()));
    const Values values(price_request_schema(), body);
    store::PriceRow row;
    row.model = std::string(values.string("model"));
    row.service_class = std::string(values.string("service_class"));
    const auto* effective = values.given("effective_at");
    row.effective_s =
        effective != nullptr ? to_integer(*effective) : governed(*exchange).clock().unix_seconds();
    ASSIGN_OR_RETURN(row.input_pico, price_of(body, "input_per_million"));
    ASSIGN_OR_RETURN(row.cached_pico, price_of(body, "cached_input_per_million"));
    ASSIGN_OR_RETURN(row.output_pico, price_of(body, "output_per_million"));
    if (body.if_contains("unit_hour") != nullptr) {
      ASSIGN_OR_RETURN(row.unit_hour_pico, amount_of(body, "unit_hour"));
    }
    auto version = governed(*exchange).admission().insert_price(row);
    if (absl::IsAlreadyExists(version.status())) {
      return parameter_error("There is a price of that model and class from that second on.",
                             "effective_at", "invalid_value");
    }
    RETURN_IF_ERROR(version.status());
    row.version = *version;
    return price_object(row);
  }());
}

}  // namespace plinth::api
