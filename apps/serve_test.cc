// The parts of `plinth bench serve` that need no service.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "apps/serve/calibrate.h"
#include "apps/serve/limits.h"
#include "apps/serve/load_math.h"
#include "apps/serve/plot.h"
#include "apps/serve/report.h"
#include "apps/serve/trace.h"
#include "apps/serve/workload.h"

namespace plinth::serve {
namespace {

WorkloadOptions options_of(const std::string& mix, std::uint64_t seed) {
  WorkloadOptions options;
  options.mix = mix;
  options.seed = seed;
  options.rate_per_s = 4;
  options.conversations = 400;
  options.tenants = 3;
  return options;
}

Outcome answered(const std::string& tenant, double first_s, std::vector<double> gaps_s) {
  Outcome outcome;
  outcome.tenant = tenant;
  outcome.first_token_s = first_s;
  outcome.gaps_s = std::move(gaps_s);
  outcome.whole_s = first_s + 1;
  outcome.tokens_asked = 10;
  outcome.completion_tokens = 10;
  return outcome;
}

TEST(LoadMath, SchedulesAPoissonProcess) {
  const auto times = poisson_schedule(7, 50, 20000);
  EXPECT_EQ(times, poisson_schedule(7, 50, 20000));
  EXPECT_NE(times, poisson_schedule(8, 50, 20000));
  ASSERT_EQ(times.size(), 20000u);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_NEAR(times.back() / 20000, 1.0 / 50, 0.001);
  // The gaps of a Poisson process deviate as much as they are long.
  double squares = 0;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const double gap = times[i] - times[i - 1] - 0.02;
    squares += gap * gap;
  }
  EXPECT_NEAR(std::sqrt(squares / 20000), 0.02, 0.001);
}

TEST(LoadMath, TakesTheNearestRank) {
  std::vector<double> values;
  for (int i = 100; i > 0; --i) values.push_back(i);
  const auto p = percentiles(values);
  EXPECT_EQ(p.p50, 50);
  EXPECT_EQ(p.p90, 90);
  EXPECT_EQ(p.p95, 95);
  EXPECT_EQ(p.p99, 99);
  EXPECT_EQ(p.max, 100);
  EXPECT_EQ(percentiles({3}).p99, 3);
  EXPECT_EQ(percentiles({}).p50, 0);
}

TEST(LoadMath, PromptsDifferBySeed) {
  EXPECT_EQ(synthetic_prompt(1, 10), synthetic_prompt(1, 10));
  EXPECT_NE(synthetic_prompt(1, 10), synthetic_prompt(2, 10));
  EXPECT_NE(copying_prompt(1, 10), copying_prompt(2, 10));
}

TEST(Workload, TheSameSeedIsTheSameWorkload) {
  for (const auto mix : kMixes) {
    const auto a = make_workload(options_of(std::string(mix), 7));
    const auto b = make_workload(options_of(std::string(mix), 7));
    const auto c = make_workload(options_of(std::string(mix), 8));
    ASSERT_TRUE(a.ok() && b.ok() && c.ok()) << mix;
    EXPECT_EQ(to_trace(*a), to_trace(*b));
    EXPECT_NE(to_trace(*a), to_trace(*c));
  }
  EXPECT_EQ(base::message(make_workload(options_of("many", 1)).status()),
            "there is no mix 'many': there are fixed, short, long, chat, edit, mixed");
}

TEST(Workload, ArrivesAtTheRateAndSharesByRank) {
  const auto workload = make_workload(options_of("chat", 3));
  ASSERT_TRUE(workload.ok());
  EXPECT_NEAR(workload->back().at_s, 100, 15);  // 400 at 4/s; deviation 5 s
  std::map<std::string, int> tenants;
  std::set<std::size_t> lengths;
  for (const auto& conversation : *workload) {
    ++tenants[conversation.tenant];
    lengths.insert(conversation.turns.size());
    EXPECT_EQ(conversation.turns[0].think_s, 0);
    EXPECT_GT(conversation.turns[1].think_s, 0);
  }
  EXPECT_EQ(lengths, (std::set<std::size_t>{2, 3, 4, 5, 6}));
  ASSERT_EQ(tenants.size(), 3u);
  EXPECT_NEAR(tenants["tenant-1"], 400 * 6 / 11.0, 45);
  EXPECT_NEAR(tenants["tenant-3"], 400 * 2 / 11.0, 35);
}

TEST(Trace, ComesBackAsItWasWritten) {
  for (const char* mix : {"mixed", "edit"}) {
    const auto workload = make_workload(options_of(mix, 5));
    ASSERT_TRUE(workload.ok());
    const auto text = to_trace(*workload);
    const auto again = parse_trace(text);
    ASSERT_TRUE(again.ok()) << base::message(again.status());
    EXPECT_EQ(to_trace(*again), text);
    EXPECT_EQ(again->front().turns[0].copy, mix == std::string_view("edit"));
  }
}

TEST(Trace, IsSortedByTime) {
  const auto workload = parse_trace(
      "{\"at_s\":2,\"turns\":[{\"words\":1,\"max_tokens\":2}]}\r\n\n"
      "{\"turns\":[{\"words\":3,\"max_tokens\":4,\"think_s\":0.5}],\"tenant\":\"a\"}");
  ASSERT_TRUE(workload.ok()) << base::message(workload.status());
  ASSERT_EQ(workload->size(), 2u);
  EXPECT_EQ((*workload)[0].tenant, "a");
  EXPECT_EQ((*workload)[0].turns[0].think_s, 0.5);
  EXPECT_EQ((*workload)[1].at_s, 2);
  EXPECT_EQ((*workload)[1].tenant, "tenant-1");
}

TEST(Trace, AnErrorNamesLineAndField) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "it has no conversation"},
      {"\n\n[1]", "line 3: it is no object"},
      {R"({"at_s":-1,"turns":[{"words":1,"max_tokens":1}]})", "line 1: at_s is not from"},
      {R"({"at_s":1e9,"turns":[{"words":1,"max_tokens":1}]})", "line 1: at_s is not from"},
      {R"({"turns":[]})", "line 1: turns is no list"},
      {R"({"turns":[{"words":0,"max_tokens":1}]})", "line 1: words is no whole number"},
      {R"({"turns":[{"words":1,"max_tokens":1.5}]})", "line 1: max_tokens is no whole number"},
      {R"({"turns":[{"words":1,"max_tokens":1,"think_s":"2"}]})", "line 1: think_s is not"},
      {R"({"turns":[{"words":1,"max_tokens":1,"copy":1}]})", "line 1: copy is not true"},
      {R"({"turns":[{"words":1,"max_tokens":1}],"tenant":""})", "line 1: tenant is no name"},
      {R"({"turns":[{"words":1,"max_tokens":1}],"user":"a"})", "line 1: 'user' is no field"},
      {"{", "line 1: "},
  };
  for (const auto& [text, expected] : cases) {
    const auto status = parse_trace(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(base::message(status).substr(0, std::string_view(expected).size()), expected);
  }
}

TEST(Report, CountsWhatMetTheServiceLevel) {
  Replay replay;
  replay.wall_s = 4;
  replay.outcomes = {answered("a", 0.5, {0.1, 0.3}),   // good: 0.2 on average
                     answered("a", 0.5, {0.1, 0.31}),  // pieces too slow
                     answered("b", 2.1, {}),           // first token late
                     answered("b", 2.0, {})};          // just in time
  Outcome failed;
  failed.tenant = "b";
  failed.error = "HTTP 500";
  failed.tokens_asked = 10;
  replay.outcomes.push_back(failed);
  const auto report = make_report(replay, {});
  EXPECT_EQ(report.turns, 5);
  EXPECT_EQ(report.answered, 4);
  EXPECT_EQ(report.good, 2);
  EXPECT_EQ(report.good_per_s(), 0.5);
  EXPECT_EQ(report.errors, (std::map<std::string, int>{{"HTTP 500", 1}}));
  EXPECT_EQ(report.completion_tokens, 40);
  EXPECT_EQ(report.tenants.at("b").turns, 3);
  EXPECT_EQ(report.tenants.at("b").first_token_s.max, 2.1);
  // Shares 1 and 2/3: (5/3)^2 / (2 * 13/9).
  EXPECT_NEAR(report.fairness, 25.0 / 26, 1e-12);
}

TEST(Report, JainsIndex) {
  const double same[] = {0.3, 0.3, 0.3}, one[] = {0, 0, 0, 5}, none[] = {0, 0};
  EXPECT_DOUBLE_EQ(jain_index(same), 1);
  EXPECT_DOUBLE_EQ(jain_index(one), 0.25);
  EXPECT_DOUBLE_EQ(jain_index(none), 1);
  EXPECT_DOUBLE_EQ(jain_index({}), 1);
}

TEST(Plot, StepsAreRound) {
  EXPECT_DOUBLE_EQ(tick_step(6, 6), 1);
  EXPECT_DOUBLE_EQ(tick_step(7, 6), 2);
  EXPECT_DOUBLE_EQ(tick_step(0.03, 6), 0.005);
  EXPECT_DOUBLE_EQ(tick_step(5900, 6), 1000);
}

TEST(Plot, ADistributionEndsAtOne) {
  const auto points = distribution({4, 1, 3, 2, 5}, 2);
  ASSERT_FALSE(points.empty());
  EXPECT_EQ(points.front(), (std::pair<double, double>{2, 0.4}));
  EXPECT_EQ(points.back(), (std::pair<double, double>{5, 1}));
  EXPECT_TRUE(distribution({}, 10).empty());
}

TEST(Plot, IsWellFormedWhateverIsPlotted) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto svg = to_svg({"a < b & c", "x", "y", {{"<s>", {{0, 0}, {10, 1}, {infinity, NAN}}}}});
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  EXPECT_NE(svg.find(R"(points="70.0,385.0 700.0,40.0 ")"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_NE(to_svg({}).find("</svg>"), std::string::npos);
}

// A service that keeps its level up to a rate.
RunTrial service_up_to(double most, std::vector<double>& asked) {
  return [most, &asked](double rate) -> absl::StatusOr<Trial> {
    asked.push_back(rate);
    return Trial{rate <= most ? 0.96 : 0.94, rate * 6000, rate * 60};
  };
}

TEST(Calibrate, FindsTheHighestRateThatIsSustained) {
  std::vector<double> asked;
  const auto trial = sustain(1, 3, service_up_to(5.2, asked));
  ASSERT_TRUE(trial.ok());
  EXPECT_DOUBLE_EQ(trial->input_per_minute, 5 * 6000);
  EXPECT_EQ(asked, (std::vector<double>{1, 2, 4, 8, 6, 5, 5.5}));
  asked.clear();
  EXPECT_DOUBLE_EQ(sustain(1, 0, service_up_to(0.3, asked))->input_per_minute, 0.25 * 6000);
  EXPECT_TRUE(absl::IsFailedPrecondition(sustain(1, 3, service_up_to(0, asked)).status()));
}

TEST(Calibrate, AnOutputTokenIsWorthWhatItTakesFromPrompts) {
  // 60,000 tokens of prompts a minute; or 2,900 of answers beside 2,000 of prompts.
  const auto made = calibrate({1, 60'000, 100}, {1, 2'000, 2'900});
  EXPECT_EQ(made.unit_tokens, 601);
  EXPECT_EQ(made.output_weight, 20);
  EXPECT_EQ(calibrate({1, 100, 0}, {1, 200, 50}).output_weight, 1);
}

}  // namespace
}  // namespace plinth::serve
