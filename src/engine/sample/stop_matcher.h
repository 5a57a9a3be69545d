// Holds text back while it could still become a stop string, across tokens.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plinth::engine {

class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
    std::erase(stops_, std::string());
  }

  struct Step {
    std::string text;     // safe to send
    std::string matched;  // the stop string that ends the choice, or ""
  };

  // The earliest match wins; of two that begin together, the one listed first. Text from the match
  // on is dropped.
  Step push(std::string_view text) {
    held_ += text;
    std::size_t at = std::string::npos;
    const std::string* matched = nullptr;
    for (const auto& stop : stops_) {
      const auto found = held_.find(stop);
      if (found < at) {
        at = found;
        matched = &stop;
      }
    }
    if (matched != nullptr) {
      Step step{held_.substr(0, at), *matched};
      held_.clear();
      return step;
    }
    std::size_t keep = 0;
    for (const auto& stop : stops_) {
      for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n) {
        if (std::string_view(held_).substr(held_.size() - n) ==
            std::string_view(stop).substr(0, n)) {
          keep = n;
        }
      }
    }
    Step step{held_.substr(0, held_.size() - keep), ""};
    held_.erase(0, held_.size() - keep);
    return step;
  }
  // What was held when the choice ends for another reason.
  std::string finish() { return std::exchange(held_, {}); }

 private:
  std::vector<std::string> stops_;
  std::string held_;
};

}  // namespace plinth::engine
