#include "engine/sample/stop_matcher.h"

#include <algorithm>

namespace plinth::engine {

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (const auto& stop : stops) {
    if (stop.empty()) continue;
    Pattern pattern{stop, std::vector<std::size_t>(stop.size(), 0), 0};
    for (std::size_t i = 1, border = 0; i < stop.size(); ++i) {
      while (border > 0 && stop[i] != stop[border]) border = pattern.borders[border - 1];
      if (stop[i] == stop[border]) ++border;
      pattern.borders[i] = border;
    }
    patterns_.push_back(std::move(pattern));
  }
}

StopMatcher::Step StopMatcher::push(std::string_view text) {
  const std::size_t before = held_.size();
  held_ += text;
  for (std::size_t at = before; at < held_.size(); ++at) {
    const Pattern* complete = nullptr;
    for (auto& pattern : patterns_) {
      while (pattern.matched > 0 && pattern.text[pattern.matched] != held_[at])
        pattern.matched = pattern.borders[pattern.matched - 1];
      if (pattern.text[pattern.matched] == held_[at]) ++pattern.matched;
      if (pattern.matched == pattern.text.size() &&
          (complete == nullptr || pattern.text.size() > complete->text.size()))
        complete = &pattern;
    }
    if (complete != nullptr) return {take(at + 1 - complete->text.size()), complete->text};
  }
  std::size_t keep = 0;
  for (const auto& pattern : patterns_) keep = std::max(keep, pattern.matched);
  return {take(held_.size() - keep), ""};
}

std::string StopMatcher::finish() { return take(held_.size()); }

std::string StopMatcher::take(std::size_t end) {
  std::string text = held_.substr(begin_, end - begin_);
  begin_ = end;
  // Moved up only when the moved part is the smaller: once for each byte in the mean.
  if (begin_ > held_.size() / 2) {
    held_.erase(0, begin_);
    begin_ = 0;
  }
  return text;
}

}  // namespace plinth::engine
