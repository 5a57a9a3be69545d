// What the scheduler knows of one choice of a request: its tokens, and the pages that hold them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/kv/prefix_cache.h"
#include "protocol/generate.h"

namespace plinth::engine {

struct Tenant;

// Whose turn it uses.
struct SequenceOwner {
  std::string tenant;
  std::int32_t weight = 1;  // at least 1
  protocol::ServiceClass service_class = protocol::ServiceClass::standard;
};

// Owned by the request; between Scheduler::add() and remove() the scheduler moves what stands in
// the second group.
struct Sequence {
  CacheScope scope;
  SequenceOwner owner;
  std::vector<std::int32_t> tokens;  // prompt, then output
  std::int32_t prompt_tokens = 0;
  std::int32_t cache_reads_max = INT32_MAX;  // tokens that may come from the prefix cache
  std::int32_t chunk_tokens_max = INT32_MAX;

  std::uint64_t arrival = 0;   // a smaller one is older
  Sequence* leader = nullptr;  // whose prompt this one waits for
  Tenant* tenant = nullptr;    // its owner's; null outside the scheduler
  bool running = false;        // else it waits, for its turn or for its leader
  std::int32_t computed = 0;   // tokens whose keys and values are in the pages
  std::int32_t charged = 0;    // tokens that count as served: what is computed again is free
  std::vector<BlockId> blocks;
  std::size_t published = 0;  // of the blocks, known to the prefix cache
  std::uint64_t pin = 0;      // on what the cache has of its prompt, until it starts
  bool started = false;       // it has been in a step
  std::int32_t cached = 0;    // tokens found in the prefix cache when it started

  std::int32_t missing() const { return static_cast<std::int32_t>(tokens.size()) - computed; }
};

}  // namespace plinth::engine
