// One request in the engine and its choices. Owned and touched by the engine's loop alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine_core.h"
#include "engine/request/output.h"
#include "engine/sample/sampler.h"
#include "engine/sched/sequence.h"
#include "engine/speculate/acceptance.h"

namespace plinth::engine {

struct Request;

// The scheduler moves it as a Sequence; the engine knows that each of its sequences is a Choice.
struct Choice : Sequence {
  Choice(Request& its_request, std::int32_t choice_index, const model::Tokenizer& tokenizer);

  Request& request;
  const std::int32_t index;
  TokenCounts counts;
  Output output;
  bool ended = false;
  Acceptance acceptance;
  Draft draft;                           // of this step; as much of it as pays is computed
  std::vector<std::int32_t> to_compute;  // of this step, where there are drafts

  std::int32_t output_tokens() const {
    return static_cast<std::int32_t>(tokens.size()) - prompt_tokens;
  }
};

struct Request {
  Request(PreparedRequest prepared, EventSink event_sink)
      : spec(std::move(prepared.spec)),
        prompt(std::move(prepared.prompt)),
        output_tokens_max(prepared.output_tokens_max),
        pin(prepared.pin),
        adapter(std::move(prepared.adapter)),
        sink(std::move(event_sink)) {}

  const protocol::GenerateRequest spec;
  const std::vector<std::int32_t> prompt;
  const std::int32_t output_tokens_max;               // of each choice
  const PromptPin pin;                                // redeemed, or none
  const std::shared_ptr<const AdapterLease> adapter;  // null = the base; shared with the pool
  const EventSink sink;
  std::uint64_t seed = 0;
  std::vector<std::unique_ptr<Choice>> choices;
  std::int32_t prompt_rows_sent = 0;  // positions whose log-probabilities were reported
  bool admitted = false;
  bool finished = false;
  absl::Status status;  // once it is finished
  protocol::Usage usage;
  base::Duration device_time{0};
  std::vector<protocol::GenerateEvent> events;  // of this step

  bool wants_prompt_rows() const {
    return spec.prompt_logprobs && prompt_rows_sent < static_cast<std::int32_t>(prompt.size());
  }
};

inline Choice::Choice(Request& its_request, std::int32_t choice_index,
                      const model::Tokenizer& tokenizer)
    : request(its_request), index(choice_index), output(choice_index, tokenizer, its_request.spec) {
  const protocol::GenerateRequest& spec = its_request.spec;
  scope.salt = spec.cache_salt;
  scope.adapter = spec.adapter.id;
  owner = {spec.tenant, spec.tenant_weight, spec.service_class};
  tokens.reserve(its_request.prompt.size() +
                 static_cast<std::size_t>(its_request.output_tokens_max) + 1);
  tokens = its_request.prompt;
  prompt_tokens = static_cast<std::int32_t>(its_request.prompt.size());
  if (spec.ignore_prefix_cache || spec.prompt_logprobs) cache_reads_max = 0;
}

}  // namespace plinth::engine
