#include "apps/serve/report.h"

#include <fmt/format.h>

#include <iterator>
#include <numeric>

namespace plinth::serve {

namespace {

bool is_good(const Outcome& outcome, const ServiceLevel& level) {
  if (!outcome.answered() || outcome.first_token_s > level.first_token_s) return false;
  const double sum = std::accumulate(outcome.gaps_s.begin(), outcome.gaps_s.end(), 0.0);
  return sum <= level.between_tokens_s * static_cast<double>(outcome.gaps_s.size());
}

base::json::object milliseconds(const std::vector<double>& values_s) {
  const auto p = percentiles(values_s);
  const double sum = std::accumulate(values_s.begin(), values_s.end(), 0.0);
  const double mean = values_s.empty() ? 0 : sum / static_cast<double>(values_s.size());
  return {{"mean", mean * 1e3}, {"p50", p.p50 * 1e3}, {"p90", p.p90 * 1e3},
          {"p95", p.p95 * 1e3}, {"p99", p.p99 * 1e3}, {"max", p.max * 1e3}};
}

double part(std::int64_t of, std::int64_t all) {
  return all > 0 ? static_cast<double>(of) / static_cast<double>(all) : 0;
}

}  // namespace

double jain_index(std::span<const double> shares) {
  double sum = 0, squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(shares.size()) * squares) : 1;
}

Report make_report(const Replay& replay, const ServiceLevel& level) {
  Report report;
  report.wall_s = replay.wall_s;
  std::map<std::string, std::vector<double>> firsts;
  for (const auto& outcome : replay.outcomes) {
    auto& tenant = report.tenants[outcome.tenant];
    ++report.turns;
    ++tenant.turns;
    tenant.tokens_asked += outcome.tokens_asked;
    if (!outcome.answered()) {
      ++report.errors[outcome.error];
      continue;
    }
    ++report.answered;
    ++tenant.answered;
    if (is_good(outcome, level)) ++report.good;
    report.prompt_tokens += outcome.prompt_tokens;
    report.cached_tokens += outcome.cached_tokens;
    report.completion_tokens += outcome.completion_tokens;
    tenant.completion_tokens += outcome.completion_tokens;
    report.first_token_s.push_back(outcome.first_token_s);
    firsts[outcome.tenant].push_back(outcome.first_token_s);
    report.whole_s.push_back(outcome.whole_s);
    report.between_tokens_s.insert(report.between_tokens_s.end(), outcome.gaps_s.begin(),
                                   outcome.gaps_s.end());
  }
  std::vector<double> shares;
  for (auto& [name, tenant] : report.tenants) {
    tenant.first_token_s = percentiles(firsts[name]);
    shares.push_back(part(tenant.completion_tokens, tenant.tokens_asked));
  }
  report.fairness = jain_index(shares);
  return report;
}

base::json::object to_json(const Report& report) {
  base::json::object errors, tenants;
  for (const auto& [text, count] : report.errors) errors[text] = count;
  for (const auto& [name, tenant] : report.tenants) {
    tenants[name] = {{"turns", tenant.turns},
                     {"answered", tenant.answered},
                     {"tokens_asked", tenant.tokens_asked},
                     {"completion_tokens", tenant.completion_tokens},
                     {"first_token_p99_ms", tenant.first_token_s.p99 * 1e3}};
  }
  return {{"turns", report.turns},
          {"answered", report.answered},
          {"errors", errors},
          {"wall_s", report.wall_s},
          {"prompt_tokens", report.prompt_tokens},
          {"cached_tokens", report.cached_tokens},
          {"completion_tokens", report.completion_tokens},
          {"completion_tokens_per_s",
           report.wall_s > 0 ? static_cast<double>(report.completion_tokens) / report.wall_s : 0},
          {"first_token_ms", milliseconds(report.first_token_s)},
          {"between_tokens_ms", milliseconds(report.between_tokens_s)},
          {"whole_ms", milliseconds(report.whole_s)},
          {"good", report.good},
          {"good_per_s", report.good_per_s()},
          {"fairness", report.fairness},
          {"tenants", tenants}};
}

std::string to_text(const Report& report, const ServiceLevel& level) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{} turns, {} answered, {:.1f} s\n", report.turns, report.answered,
                 report.wall_s);
  fmt::format_to(out, "tokens in {} ({:.0f} % cached), out {}, {:.1f} out/s\n",
                 report.prompt_tokens, 100 * part(report.cached_tokens, report.prompt_tokens),
                 report.completion_tokens,
                 static_cast<double>(report.completion_tokens) / report.wall_s);
  fmt::format_to(out, "{:<22} {:>9} {:>9} {:>9} {:>9}\n", "ms", "p50", "p90", "p99", "max");
  const auto row = [&](const char* name, const std::vector<double>& values_s) {
    const auto p = percentiles(values_s);
    fmt::format_to(out, "{:<22} {:>9.1f} {:>9.1f} {:>9.1f} {:>9.1f}\n", name, p.p50 * 1e3,
                   p.p90 * 1e3, p.p99 * 1e3, p.max * 1e3);
  };
  row("to first token", report.first_token_s);
  row("between tokens", report.between_tokens_s);
  row("whole answer", report.whole_s);
  fmt::format_to(out, "good: {} turns ({:.0f} %), {:.2f}/s (first token {:g} s, between {:g} s)\n",
                 report.good, 100 * part(report.good, report.turns), report.good_per_s(),
                 level.first_token_s, level.between_tokens_s);
  if (report.tenants.size() > 1) {
    fmt::format_to(out, "fairness {:.3f}\n{:<22} {:>9} {:>9} {:>12}\n", report.fairness, "tenant",
                   "answered", "tokens", "p99 first ms");
    for (const auto& [name, tenant] : report.tenants) {
      fmt::format_to(out, "{:<22} {:>9} {:>9} {:>12.1f}\n", name, tenant.answered,
                     tenant.completion_tokens, tenant.first_token_s.p99 * 1e3);
    }
  }
  for (const auto& [error, count] : report.errors) {
    fmt::format_to(out, "error x {}: {}\n", count, error);
  }
  return text;
}

}  // namespace plinth::serve
