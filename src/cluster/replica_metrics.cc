#include "cluster/replica_metrics.h"

#include <algorithm>
#include <iterator>

namespace plinth::cluster {

namespace {

using protocol::Heartbeat;

struct Count {
  std::int64_t Heartbeat::*field;
  double unit;
  const char* name;
  const char* help;
};

constexpr Count kCounts[] = {
    {&Heartbeat::steps, 1, "plinth_model_steps_total", "Forward passes."},
    {&Heartbeat::step_failures, 1, "plinth_model_step_failures_total",
     "Forward passes that failed."},
    {&Heartbeat::step_ns, 1e-9, "plinth_model_step_seconds_total",
     "Time with requests, all of it some step's."},
    {&Heartbeat::idle_ns, 1e-9, "plinth_model_idle_seconds_total",
     "Time without any request; with the time in steps, how long the model was there."},
    {&Heartbeat::batch_tokens, 1, "plinth_model_batch_tokens_total",
     "Tokens computed; over the steps, the mean batch."},
    {&Heartbeat::requests, 1, "plinth_model_requests_admitted_total", "Requests that started."},
    {&Heartbeat::prompt_tokens, 1, "plinth_model_prompt_tokens_total",
     "Prompt tokens of requests that started."},
    {&Heartbeat::cached_tokens, 1, "plinth_model_cached_tokens_total",
     "Of the prompt tokens, those found in the prefix cache."},
    {&Heartbeat::completion_tokens, 1, "plinth_model_completion_tokens_total", "Tokens sampled."},
    {&Heartbeat::preemptions, 1, "plinth_model_preemptions_total",
     "Choices that gave up their pages and were computed again."},
    {&Heartbeat::cache_evictions, 1, "plinth_model_cache_evictions_total",
     "Cached pages given up for others."},
    {&Heartbeat::pins_broken, 1, "plinth_model_pins_broken_total",
     "Prompts whose cached pages were given up for others before they started."},
    {&Heartbeat::drafted_tokens, 1, "plinth_model_drafted_tokens_total",
     "Tokens computed as guesses of what comes next (engine.speculation)."},
    {&Heartbeat::accepted_tokens, 1, "plinth_model_accepted_tokens_total",
     "Of the drafted tokens, those that came true: each saved a step of its sequence."},
};

}  // namespace

void report_heartbeat(base::Metrics& metrics, const std::string& model,
                      const protocol::Heartbeat& beat, protocol::Heartbeat& last) {
  const base::Labels labels{{"model", model}};
  metrics.gauge("plinth_model_requests_running", "Choices in the batch.", labels).Set(beat.running);
  metrics.gauge("plinth_model_requests_waiting", "Choices in the queue.", labels).Set(beat.waiting);
  const auto pages = [&](const char* state, std::int32_t count) {
    metrics
        .gauge("plinth_model_kv_pages",
               "Pages of keys and values: held by a choice, kept for their content, or free.",
               {{"model", model}, {"state", state}})
        .Set(count);
  };
  pages("held", beat.blocks_total - beat.blocks_free - beat.blocks_cached);
  pages("cached", beat.blocks_cached);
  pages("free", beat.blocks_free);
  metrics
      .gauge("plinth_model_kv_pages_pinned",
             "Of all pages, those kept for prompts that were counted and have not started.", labels)
      .Set(beat.blocks_pinned);
  const bool anew = std::any_of(std::begin(kCounts), std::end(kCounts), [&](const Count& count) {
    return beat.*count.field < last.*count.field;
  });
  if (anew) last = {};
  for (const Count& count : kCounts) {
    const auto more = static_cast<double>(beat.*count.field - last.*count.field);
    metrics.counter(count.name, count.help, labels).Increment(more * count.unit);
  }
  last = beat;
}

}  // namespace plinth::cluster
