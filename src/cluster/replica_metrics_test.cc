#include "cluster/replica_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plinth::cluster {
namespace {

using ::testing::HasSubstr;

TEST(ReplicaMetrics, CountersGoOnOverAWorkersRestartAndGaugesShowNow) {
  base::Metrics metrics;
  protocol::Heartbeat last, beat;
  const auto report = [&](std::int64_t tokens, std::int64_t steps, std::int32_t free) {
    beat.completion_tokens = tokens;
    beat.steps = steps;
    beat.step_ns = steps * 500'000'000;
    beat.idle_ns = steps * 250'000'000;
    beat.drafted_tokens = 2 * tokens;
    beat.accepted_tokens = tokens / 10;
    beat.blocks_total = 10;
    beat.blocks_cached = 2;
    beat.blocks_pinned = 1;
    beat.pins_broken = 2 * steps;
    beat.blocks_free = free;
    report_heartbeat(metrics, "m", beat, last);
    return metrics.exposition();
  };
  report(100, 4, 8);
  EXPECT_THAT(report(130, 5, 3),
              HasSubstr("plinth_model_completion_tokens_total{model=\"m\"} 130"));
  // A new worker.
  const auto text = report(20, 1, 1);
  EXPECT_THAT(text, HasSubstr("plinth_model_completion_tokens_total{model=\"m\"} 150"));
  EXPECT_THAT(text, HasSubstr("plinth_model_steps_total{model=\"m\"} 6"));
  EXPECT_THAT(text, HasSubstr("plinth_model_drafted_tokens_total{model=\"m\"} 300"));
  EXPECT_THAT(text, HasSubstr("plinth_model_accepted_tokens_total{model=\"m\"} 15"));
  EXPECT_THAT(text, HasSubstr("plinth_model_step_seconds_total{model=\"m\"} 3"));
  EXPECT_THAT(text, HasSubstr("plinth_model_idle_seconds_total{model=\"m\"} 1.5"));
  EXPECT_THAT(text, HasSubstr("plinth_model_kv_pages{model=\"m\",state=\"held\"} 7"));
  EXPECT_THAT(text, HasSubstr("plinth_model_kv_pages{model=\"m\",state=\"cached\"} 2"));
  EXPECT_THAT(text, HasSubstr("plinth_model_kv_pages_pinned{model=\"m\"} 1"));
  EXPECT_THAT(text, HasSubstr("plinth_model_pins_broken_total{model=\"m\"} 12"));
}

}  // namespace
}  // namespace plinth::cluster
