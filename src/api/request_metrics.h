// What the gateway counts, by the names of OpenTelemetry's semantic conventions for generative AI
// (gen_ai.*, as Prometheus spells them) and plinth_* for the rest. Every label has bounded values:
// patterns of the route table, status codes, installed models.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "protocol/generate.h"

namespace plinth::api {

// One HTTP request is over. 499 stands for a client that left.
void count_request(base::Metrics& metrics, std::string_view pattern, int status,
                   base::Duration spent);

// "chat", "text_completion" or "embeddings": gen_ai.operation.name of a route, "" of others.
std::string_view operation_of(std::string_view pattern);

// One generation, or one embedding (which makes no tokens), from its request to its end. Used by
// one thread at a time.
class GenerationMetrics {
 public:
  // `model` is an installed one.
  GenerationMetrics(base::Metrics& metrics, const base::Clock& clock, base::TimePoint started,
                    std::string_view operation, const std::string& model);
  // A step brought this many output tokens.
  void tokens(std::int32_t count);
  // `error` is "" or what ended it: a status code's name, "client_gone".
  void over(const protocol::Usage& usage, std::string_view error);

 private:
  void count_tokens(const char* type, std::int32_t count);

  base::Metrics& metrics_;
  const base::Clock& clock_;
  const base::TimePoint started_;
  const bool generates_;
  const base::Labels labels_;
  base::TimePoint first_, last_;
  std::int64_t tokens_ = 0;
  bool over_ = false;
};

}  // namespace plinth::api
