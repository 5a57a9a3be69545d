// Regular expressions of policies on PCRE2, whose every search ends within a bound.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

// Working memory of searches, one for each text.
class RegexScratch {
 public:
  RegexScratch();
  RegexScratch(RegexScratch&&) noexcept;
  ~RegexScratch();

 private:
  friend class BoundedRegex;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct RegexResult {
  // partial: a match may begin at `begin`, and what follows the subject would decide.
  // failed: at `begin` the search went over its limits.
  enum class Outcome { none, match, partial, failed };
  Outcome outcome = Outcome::none;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Immutable and thread-safe.
class BoundedRegex {
 public:
  // Matches without regard to case, and sees normalised text: characters of `pattern` outside ASCII
  // are normalised as well. InvalidArgument names the pattern and the byte at fault. What would
  // make a match depend on where a search begins is refused: verbs "(*", callouts, \G, \K, \C, \Q.
  static absl::StatusOr<BoundedRegex> compile(std::string_view pattern);
  BoundedRegex(BoundedRegex&&) noexcept;
  BoundedRegex& operator=(BoundedRegex&&) noexcept;
  ~BoundedRegex();

  struct Subject {
    std::string_view text;  // well-formed
    bool to_end = false;    // for match_at: $ may match behind it
  };
  // The first match that begins at `from` or after it and is not empty. A search that looks behind
  // the subject is partial: what is not holds whatever follows.
  RegexResult search(const Subject& subject, std::size_t from, RegexScratch& scratch) const;
  // Decides whether there is a match at `from` within the subject; never partial.
  RegexResult match_at(const Subject& subject, std::size_t from, RegexScratch& scratch) const;

  const std::string& pattern() const;

 private:
  struct Impl;
  explicit BoundedRegex(std::unique_ptr<Impl> impl);
  RegexResult run(const Subject& subject, std::size_t from, unsigned options,
                  RegexScratch& scratch) const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
