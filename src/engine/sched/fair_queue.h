// Whose turn it is among the sequences that wait: a virtual counter of tokens for each tenant.
// Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024 (VTC).
//
// A counter grows by what its tenant is served, as TokenCosts weighs it, over the tenant's weight.
// The least counter is next, and within a tenant the oldest sequence. Who comes with nothing in the
// engine is lifted to the least counter of those that wait, so that no credit grows from having
// asked for nothing; where nobody waits nobody is owed anything, and the lift is to the greatest
// counter of all. Who comes to wait while others of its sequences run has asked for little: it may
// be behind the greatest counter by `credit_max`, so that a tenant with a few requests at a time
// gets its place for each.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/sched/sequence.h"

namespace plinth::engine {

// What a token counts as service. A step's time is mostly its tokens', but those of answers come a
// few at a time and carry the step's reading of all weights: with 8 to 32 of them at once one takes
// 1.3 to 2.8 times as long as a prompt's, on AVX2, AVX-512 and AMX (docs/PERFORMANCE.md, prefill
// over decode). At least 1 each.
struct TokenCosts {
  std::int32_t prompt = 1;  // computed, not found in the cache
  std::int32_t output = 2;  // sampled
};

struct Tenant {
  std::string id;
  std::int32_t weight = 1;         // of its latest sequence
  double counter = 0;              // costs of what it was served, over its weight
  double planned = 0;              // what the step that is being planned adds to it
  std::int32_t sequences = 0;      // that it has in the engine
  std::vector<Sequence*> waiting;  // oldest first
};

// The tenants of one service class. One owner thread.
class FairQueue {
 public:
  FairQueue(const TokenCosts& costs, double credit_max) : costs_(costs), credit_max_(credit_max) {}

  // The sequence belongs to its owner's account until leave().
  void join(Sequence& sequence);
  // It waits no more. What it was served is remembered as long as it matters.
  void leave(Sequence& sequence);
  // It waits for its turn; until pop(). `arrives`: it has just joined.
  void push(Sequence& sequence, bool arrives = false);
  void pop(Sequence& sequence);

  // Whose turn it is, by what was served and planned; null where nobody waits.
  Sequence* front() const;
  // The least counter of those that wait; infinity where nobody does.
  double least() const;
  std::int32_t size() const { return waiting_; }
  // Tenants that wait, in no order.
  const std::vector<Tenant*>& tenants() const { return queued_; }
  // Accounts, those kept for what they were served included.
  std::size_t accounts() const { return tenants_.size(); }

  // The next `tokens` of the sequence: of its prompt those never computed before count, and the
  // token that is sampled where they are its last ones. Planned is for the choice of turns alone.
  void plan(const Sequence& sequence, std::int32_t tokens) const;
  void charge(Sequence& sequence, std::int32_t tokens) const;

 private:
  double cost(const Sequence& sequence, std::int32_t tokens) const;
  double most() const;
  double lift() const;
  void forget_idle();

  const TokenCosts costs_;
  const double credit_max_;
  std::map<std::string, Tenant, std::less<>> tenants_;
  std::vector<Tenant*> queued_;  // that have a sequence waiting
  std::int32_t waiting_ = 0;     // sequences
  std::int32_t sequences_ = 0;   // of all tenants
  std::size_t idle_ = 0;         // tenants without a sequence
  double floor_ = 0;             // the least counter when last somebody waited
};

// The order in which running sequences get tokens; the last one gives up its pages first. Standard
// before batch, then the tenant that was served least, then the older one.
bool goes_before_another_tenants(const Sequence& a, const Sequence& b);
inline bool goes_before(const Sequence& a, const Sequence& b) {
  return a.tenant == b.tenant ? a.arrival < b.arrival : goes_before_another_tenants(a, b);
}
// The same with what this step gives each tenant counted in.
bool has_turn_before(const Sequence& a, const Sequence& b);

}  // namespace plinth::engine
