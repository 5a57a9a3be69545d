// Many patterns at once in one pass: Aho and Corasick, "Efficient string matching: an aid to
// bibliographic search", CACM 1975. The state is one number, so that a text may come in pieces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace plinth::governance {

// Immutable and thread-safe. A node takes about 24 bytes: its children stand together and are found
// by binary search, and where there is none the failure link leads on. A step costs amortised
// constant time but for that search.
class PatternAutomaton {
 public:
  struct Pattern {
    std::u32string text;  // not empty, at most kTermCharsMax
    std::uint32_t id = 0;
    bool holds = false;  // counts for held_chars
  };
  using State = std::uint32_t;
  static constexpr State kStart = 0;

  // Without patterns it matches nothing. ResourceExhausted past kTermCharsTotalMax.
  static absl::StatusOr<PatternAutomaton> build(std::vector<Pattern> patterns);

  bool empty() const { return outputs_.empty(); }
  State step(State state, char32_t c) const;
  // The longest end of what was read that more characters could make a pattern that holds.
  std::size_t held_chars(State state) const { return nodes_[state].held_chars; }
  // Calls visit(id, chars) for each pattern that ends here; the longer ones first.
  template <typename Visit>
  void for_each_match(State state, const Visit& visit) const {
    for (; state != kStart; state = nodes_[state].shorter) {
      for (auto i = nodes_[state].first_output; i < nodes_[state + 1].first_output; ++i) {
        visit(outputs_[i].id, outputs_[i].chars);
      }
    }
  }

 private:
  struct Node {
    char32_t label = 0;              // of the edge from the parent
    std::uint32_t first_child = 0;   // children are [first_child, the next node's first_child)
    State failure = kStart;          // the longest proper end that begins a pattern
    State shorter = kStart;          // the longest proper end that is a pattern
    std::uint32_t first_output = 0;  // outputs, too, end where the next node's begin
    std::uint16_t held_chars = 0;
  };
  struct Output {
    std::uint32_t id = 0;
    std::uint32_t chars = 0;
  };
  bool is_pattern(State state) const {
    return nodes_[state].first_output < nodes_[state + 1].first_output;
  }
  State child(State state, char32_t c) const;
  void grow(const std::vector<Pattern>& sorted);
  void link();

  // Breadth first, the start before all and one empty node behind all.
  std::vector<Node> nodes_ = std::vector<Node>(2);
  std::vector<Output> outputs_;
  std::array<State, 128> start_ascii_{};  // the start's children, since most steps are taken there
};

}  // namespace plinth::governance
