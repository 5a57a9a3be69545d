// Prompt look-up: what followed the last time the sequence's latest tokens stood together, will
// follow again. Saxena, "Prompt lookup decoding", 2023. It pays where an answer repeats its prompt
// or itself: edits, extraction, code.
#pragma once

#include <memory>

#include "engine/speculate/drafter.h"

namespace plinth::engine {

// Looks for the last 4 tokens, then 3, then 2, at their latest place. Its confidence: 0, 1 and 2
// for that many, 3 where 8 agree. Memory: kNgramSlots places for each length and sequence, in which
// the newer replaces the older.
std::unique_ptr<Drafter> make_ngram_drafter();

}  // namespace plinth::engine
