#include "api/probes.h"

namespace plinth::api {

const Schema& health_schema() {
  static const Schema schema =
      object("Health", {required("status", one_string_of({"ok"}, ""))}, "");
  return schema;
}

const Schema& readiness_schema() {
  static const Schema schema =
      object("Readiness", {required("status", one_string_of({"ready"}, ""))}, "");
  return schema;
}

void answer_healthz(const ExchangePtr& exchange) { exchange->send_json({{"status", "ok"}}); }

void answer_readyz(const ExchangePtr& exchange) {
  if (exchange->services().models.ready()) return exchange->send_json({{"status", "ready"}});
  exchange->refuse(base::unavailable("models are still loading"));
}

void answer_metrics(const ExchangePtr& exchange) {
  exchange->send(200, "text/plain; version=0.0.4; charset=utf-8",
                 exchange->services().metrics.exposition());
}

}  // namespace plinth::api
