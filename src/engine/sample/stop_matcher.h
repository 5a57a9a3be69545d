// Holds text back while it could still become a stop string, across tokens.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace plinth::engine {

// The stop string that is complete first wins; of several that end at one byte, the longest. So
// the outcome does not depend on how the text is cut into tokens. One pass over the text whatever
// the strings: Knuth, Morris, Pratt, "Fast pattern matching in strings", 1977.
class StopMatcher {
 public:
  explicit StopMatcher(const std::vector<std::string>& stops);

  struct Step {
    std::string text;     // safe to send
    std::string matched;  // the stop string that ends the choice, or ""
  };
  // Text from a match on is dropped, and nothing may follow.
  Step push(std::string_view text);
  // What was held when the choice ends for another reason.
  std::string finish();

 private:
  struct Pattern {
    std::string text;
    std::vector<std::size_t> borders;  // [i]: the longest proper border of text[0..i]
    std::size_t matched = 0;           // bytes of `text` that the held text ends with
  };
  // The held text up to `end`, which is sent.
  std::string take(std::size_t end);

  std::vector<Pattern> patterns_;
  std::string held_;  // from begin_ on
  std::size_t begin_ = 0;
};

}  // namespace plinth::engine
