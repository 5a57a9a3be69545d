#include "governance/content/pattern_automaton.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "governance/content_limits.h"

namespace plinth::governance {

namespace {

// A node to come: the sorted patterns [begin, end) share their first `depth` characters.
struct Shared {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t depth = 0;
};

}  // namespace

absl::StatusOr<PatternAutomaton> PatternAutomaton::build(std::vector<Pattern> patterns) {
  std::size_t chars = 0;
  for (const Pattern& pattern : patterns) {
    CHECK(!pattern.text.empty() && pattern.text.size() <= kTermCharsMax);
    chars += pattern.text.size();
  }
  if (chars > kTermCharsTotalMax) {
    return base::resource_exhausted(
        fmt::format("[content policy] terms of {} characters in all are over the limit of {}",
                    chars, kTermCharsTotalMax));
  }
  std::sort(patterns.begin(), patterns.end(),
            [](const Pattern& a, const Pattern& b) { return a.text < b.text; });
  PatternAutomaton made;
  made.grow(patterns);
  made.link();
  return made;
}

// In sorted order the children of a node are runs of patterns, already in the order of their
// labels; breadth first, they get consecutive numbers.
void PatternAutomaton::grow(const std::vector<Pattern>& sorted) {
  if (sorted.empty()) return;
  nodes_.assign(1, {});
  std::vector<Shared> shared = {{0, sorted.size(), 0}};
  for (std::size_t n = 0; n < shared.size(); ++n) {
    auto [begin, end, depth] = shared[n];
    nodes_[n].first_child = static_cast<std::uint32_t>(nodes_.size());
    nodes_[n].first_output = static_cast<std::uint32_t>(outputs_.size());
    for (; begin < end && sorted[begin].text.size() == depth; ++begin) {
      outputs_.push_back({sorted[begin].id, static_cast<std::uint32_t>(depth)});
    }
    while (begin < end) {
      const char32_t label = sorted[begin].text[depth];
      std::size_t next = begin;
      for (; next < end && sorted[next].text[depth] == label; ++next) {
        if (sorted[next].holds) nodes_[n].held_chars = static_cast<std::uint16_t>(depth);
      }
      nodes_.push_back({.label = label});
      shared.push_back({begin, next, depth + 1});
      begin = next;
    }
  }
  nodes_.push_back({.first_child = static_cast<std::uint32_t>(nodes_.size()),
                    .first_output = static_cast<std::uint32_t>(outputs_.size())});
}

void PatternAutomaton::link() {
  const auto last = static_cast<State>(nodes_.size() - 1);
  for (State parent = kStart; parent < last; ++parent) {
    for (State n = nodes_[parent].first_child; n < nodes_[parent + 1].first_child; ++n) {
      Node& node = nodes_[n];
      if (parent == kStart && node.label < start_ascii_.size()) start_ascii_[node.label] = n;
      if (parent != kStart) node.failure = step(nodes_[parent].failure, node.label);
      const Node& failure = nodes_[node.failure];
      node.shorter = is_pattern(node.failure) ? node.failure : failure.shorter;
      if (node.held_chars == 0) node.held_chars = failure.held_chars;
    }
  }
}

PatternAutomaton::State PatternAutomaton::child(State state, char32_t c) const {
  if (state == kStart && c < start_ascii_.size()) return start_ascii_[c];
  const auto begin = nodes_.begin() + nodes_[state].first_child;
  const auto end = nodes_.begin() + nodes_[state + 1].first_child;
  const auto found = std::lower_bound(
      begin, end, c, [](const Node& node, char32_t label) { return node.label < label; });
  return found != end && found->label == c ? static_cast<State>(found - nodes_.begin()) : kStart;
}

PatternAutomaton::State PatternAutomaton::step(State state, char32_t c) const {
  for (;;) {
    const State next = child(state, c);
    if (next != kStart || state == kStart) return next;
    state = nodes_[state].failure;
  }
}

}  // namespace plinth::governance
