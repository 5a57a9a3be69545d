// A JSON document as the events of its reading, for readers that must see what a tree of values
// hides: repeated keys, and where in the text each thing stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace plinth::base {

// An error that a method returns ends the reading and gets the byte offset in front. The views
// live until the method returns.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual absl::Status begin_object() = 0;
  virtual absl::Status end_object() = 0;
  virtual absl::Status begin_array() = 0;
  virtual absl::Status end_array() = 0;
  virtual absl::Status key(std::string_view name) = 0;
  virtual absl::Status text(std::string_view value) = 0;
  virtual absl::Status integer(std::int64_t value) = 0;
  // What is no 64-bit signed integer: fractions, exponents, larger integers.
  virtual absl::Status number(double value) = 0;
  virtual absl::Status boolean(bool value) = 0;
  virtual absl::Status null() = 0;
};

// Reads one complete document; syntax errors as parse_json() reports them. `offset` is where the
// text starts in its file: error messages count from there.
absl::Status read_json_events(std::string_view text, JsonEvents& events,
                              const JsonLimits& limits = {}, std::size_t offset = 0);

}  // namespace plinth::base
