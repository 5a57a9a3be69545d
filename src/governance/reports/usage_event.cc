#include "governance/usage_event.h"

#include "governance/money.h"
#include "governance/period.h"

namespace plinth::governance {

namespace {

base::json::value or_null(const std::string& text) {
  return text.empty() ? base::json::value(nullptr) : base::json::value(text);
}

base::json::object money(__int128 pico) {
  return {{"value", format_money(pico)}, {"currency", "usd"}};
}

}  // namespace

base::json::object to_cloud_event(const store::LedgerRow& row, const std::string& source,
                                  const DeviceCosts& costs) {
  const auto cost = costs.cost_pico(row.device_us, row.time_ms / 1000);
  const bool is_commitment = row.kind == "commitment";
  return {{"specversion", "1.0"},
          {"id", row.id},
          {"source", source},
          {"type", "plinth.usage." + row.kind},
          {"subject", row.project},
          {"time", format_time_ms(row.time_ms)},
          {"datacontenttype", "application/json"},
          {"data",
           {{"organization_id", row.organization},
            {"project_id", row.project},
            {"api_key_id", or_null(row.api_key)},
            {"user_id", or_null(row.user_id)},
            {"deployment", or_null(row.deployment)},
            {"model", row.model},
            {"operation", row.operation},
            {"service_class", row.service_class},
            {"status", row.status},
            {is_commitment ? "unit_seconds" : "choices", row.choices},
            {"input_tokens", row.input_tokens},
            {"input_cached_tokens", row.cached_tokens},
            {"output_tokens", row.output_tokens},
            {"queue_us", row.queue_us},
            {"device_us", row.device_us},
            {"price_version", row.price_version},
            {"amount", money(row.amount_pico)},
            {"cost", cost ? base::json::value(money(*cost)) : base::json::value(nullptr)}}}};
}

}  // namespace plinth::governance
