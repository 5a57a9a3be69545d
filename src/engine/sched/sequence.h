// One request in the engine and its choices. Owned and touched by the loop alone.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "engine/sample/sampler.h"
#include "engine/sample/stop_matcher.h"

namespace plinth::engine {

struct Request;

struct Sequence {
  Sequence(Request& owner, std::int32_t choice, const model::Tokenizer& tokenizer,
           const protocol::GenerateRequest& spec)
      : request(owner),
        index(choice),
        text(tokenizer, !std::holds_alternative<protocol::ChatPrompt>(spec.prompt)),
        stops(spec.stop),
        sampler(spec.sampling) {}
  Request& request;
  const std::int32_t index;
  std::vector<std::int32_t> tokens;  // prompt, then output
  std::int32_t computed = 0;         // tokens whose keys and values are in the pages
  std::vector<BlockId> blocks;
  model::TextDecoder text;
  StopMatcher stops;
  Sampler sampler;
  TokenCounts counts;
  std::vector<protocol::PositionLogprobs> held_logprobs;
  std::int32_t held_tokens = 0;
  bool ended = false;
};

struct Request {
  protocol::GenerateRequest spec;
  EventSink sink;
  std::vector<std::int32_t> prompt;
  std::int32_t max_tokens = 0;
  std::uint64_t seed = 0;
  std::vector<std::unique_ptr<Sequence>> sequences;
  protocol::Usage usage;
  std::vector<protocol::GenerateEvent> events;  // of this step
  bool finished = false;

  std::int32_t output_tokens(const Sequence& sequence) const {
    return static_cast<std::int32_t>(sequence.tokens.size() - prompt.size());
  }
};

}  // namespace plinth::engine
