// Expressions of tokenizer.json, which are Oniguruma's, on PCRE2. They come with the model file and
// are hostile input: compiling and matching are bounded, and what the two libraries read
// differently is refused.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::model {

// Immutable and thread-safe.
class SplitRegex {
 public:
  // InvalidArgument says what is wrong with the expression and where.
  static absl::StatusOr<SplitRegex> compile(const std::string& expression);
  SplitRegex(SplitRegex&&) noexcept;
  ~SplitRegex();
  // Calls visit(begin, end) for each match in `text`, well-formed UTF-8, from left to right; empty
  // matches too. ResourceExhausted where a match takes too many steps.
  absl::Status for_each(std::string_view text,
                        const std::function<void(std::size_t, std::size_t)>& visit) const;

 private:
  struct Impl;
  explicit SplitRegex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::model
