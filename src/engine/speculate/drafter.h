// What guesses the next tokens of a sequence so that one step can verify several of them. A guess
// costs time where it is wrong and changes nothing else, so a drafter may be anything that is
// cheaper than the model: a look-up in the sequence's own tokens (ngram_drafter.h), a small model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plinth::engine {

inline constexpr int kConfidences = 4;

struct Draft {
  std::vector<std::int32_t> tokens;  // empty = no idea
  // Drafts of one confidence come true about equally often; 0 is the least, kConfidences - 1 the
  // best. Acceptance learns what each is worth.
  int confidence = 0;
};

struct DraftQuery {
  std::uint64_t sequence = 0;            // its name in every call
  std::span<const std::int32_t> tokens;  // prompt and output; those of the last call, and more
  std::int32_t tokens_max = 0;           // of the draft
  Draft draft;                           // the answer; its tokens bring their memory and no more
};

// One owner thread.
class Drafter {
 public:
  virtual ~Drafter() = default;
  // Answers the queries of one step, together so that a model can batch them. Drafted tokens are of
  // the vocabulary.
  virtual void propose(std::span<DraftQuery> queries) = 0;
  // The sequence has ended. One that was never asked about is none.
  virtual void forget(std::uint64_t sequence) = 0;
};

}  // namespace plinth::engine
