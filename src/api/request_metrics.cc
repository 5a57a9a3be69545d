#include "api/request_metrics.h"

#include <vector>

namespace plinth::api {

namespace {

// The conventions' own advice on bounds, in seconds and tokens.
const std::vector<double> kDurationBounds{0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                          1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
const std::vector<double> kFirstTokenBounds{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                            0.25,  0.5,   0.75, 1.0,  2.5,  5.0,  7.5,  10.0};
const std::vector<double> kTokenBounds{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,
                                       0.3,  0.4,   0.5,  0.75,  1.0, 2.5};
const std::vector<double> kUsageBounds{1,    4,     16,    64,     256,    1024,
                                       4096, 16384, 65536, 262144, 1048576};

double seconds(base::Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

void count_request(base::Metrics& metrics, std::string_view pattern, int status,
                   base::Duration spent) {
  const std::string path(pattern);
  metrics
      .counter("plinth_http_requests_total", "Requests by route and status.",
               {{"path", path}, {"status", std::to_string(status)}})
      .Increment();
  metrics
      .histogram("plinth_http_request_duration_seconds", "Whole requests by route.",
                 kDurationBounds, {{"path", path}})
      .Observe(seconds(spent));
}

std::string_view operation_of(std::string_view pattern) {
  // Of every dialect's paths.
  if (pattern.ends_with("/chat/completions")) return "chat";
  if (pattern.ends_with("/graders/run")) return "chat";  // with a model that scores
  if (pattern.ends_with("/completions")) return "text_completion";
  if (pattern.ends_with("/embeddings")) return "embeddings";
  return "";
}

GenerationMetrics::GenerationMetrics(base::Metrics& metrics, const base::Clock& clock,
                                     base::TimePoint started, std::string_view operation,
                                     const std::string& model)
    : metrics_(metrics),
      clock_(clock),
      started_(started),
      generates_(operation != "embeddings"),
      labels_{{"gen_ai_operation_name", std::string(operation)},
              {"gen_ai_provider_name", "plinth"},
              {"gen_ai_request_model", model}} {}

void GenerationMetrics::tokens(std::int32_t count) {
  last_ = clock_.now();
  if (tokens_ == 0) first_ = last_;
  tokens_ += count;
}

void GenerationMetrics::over(const protocol::Usage& usage, std::string_view error) {
  if (over_) return;
  over_ = true;
  auto labels = labels_;
  if (!error.empty()) labels["error_type"] = error;
  metrics_
      .histogram("gen_ai_server_request_duration_seconds",
                 "From the request to the end of its answer.", kDurationBounds, labels)
      .Observe(seconds(clock_.now() - started_));
  if (tokens_ > 0) {
    metrics_
        .histogram("gen_ai_server_time_to_first_token_seconds",
                   "From the request to its first token.", kFirstTokenBounds, labels_)
        .Observe(seconds(first_ - started_));
  }
  if (tokens_ > 1) {
    metrics_
        .histogram("gen_ai_server_time_per_output_token_seconds",
                   "Between tokens, after the first one.", kTokenBounds, labels_)
        .Observe(seconds(last_ - first_) / static_cast<double>(tokens_ - 1));
  }
  if (!error.empty()) return;
  count_tokens("input", usage.prompt_tokens);
  if (generates_) count_tokens("output", usage.completion_tokens);
}

void GenerationMetrics::count_tokens(const char* type, std::int32_t count) {
  auto labels = labels_;
  labels["gen_ai_token_type"] = type;
  metrics_.histogram("gen_ai_client_token_usage", "Tokens of a request.", kUsageBounds, labels)
      .Observe(count);
}

}  // namespace plinth::api
