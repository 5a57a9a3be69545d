// What a replayed workload came to.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "apps/serve/load_math.h"
#include "apps/serve/replay.h"
#include "base/json.h"

namespace plinth::serve {

// The service level that a turn must meet to count as good: its first token in time, and its pieces
// on average.
struct ServiceLevel {
  double first_token_s = 2;
  double between_tokens_s = 0.2;
};

struct TenantReport {
  int turns = 0, answered = 0;
  std::int64_t tokens_asked = 0, completion_tokens = 0;
  Percentiles first_token_s;
};

struct Report {
  double wall_s = 0;
  int turns = 0, answered = 0, good = 0;
  std::map<std::string, int> errors;
  std::int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  std::vector<double> first_token_s, between_tokens_s, whole_s;  // of what was answered
  std::map<std::string, TenantReport> tenants;
  // Jain's index over the part of the tokens asked for that each tenant got: 1 = all the same part,
  // 1 / n = one of n got everything. Jain, Chiu and Hawe, "A quantitative measure of fairness and
  // discrimination for resource allocation in shared computer systems", 1984.
  double fairness = 1;

  double good_per_s() const { return wall_s > 0 ? good / wall_s : 0; }
};

// 1 of nothing, and where nobody got anything.
double jain_index(std::span<const double> shares);

Report make_report(const Replay& replay, const ServiceLevel& level);

base::json::object to_json(const Report& report);
// With a line break at its end.
std::string to_text(const Report& report, const ServiceLevel& level);

}  // namespace plinth::serve
