// What a dialect makes of the events of a generation. An endpoint that generates text is one
// implementation of this and one row in the route table; generation.h does the rest (calls,
// cancellation, deadlines, errors, metering).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::api {

// Called by one thread at a time. `call` is the index of the request in what generate() was given
// (several prompts make several calls); bytes are appended to `out`.
class Answer {
 public:
  virtual ~Answer() = default;
  // Whether `out` goes to the client at once, as server-sent events, or as one document in the end.
  virtual bool streams() const = 0;
  // Admitted, Delta or ChoiceEnd. Calls progress independently; a call's Admitted comes first.
  virtual void add(std::size_t call, protocol::GenerateEvent event, std::string& out) = 0;
  // What a content policy says of the prompts, before everything else, and of a choice's text so
  // far: JSON as Azure's wire has it. Dialects without such fields pass over it.
  virtual void prompts_checked(const std::string& results, std::string& out) {
    (void)results, (void)out;
  }
  virtual void checked(std::size_t call, std::int32_t choice, const std::string& results) {
    (void)call, (void)choice, (void)results;
  }
  // The choice's verdict is final up to so many characters: of streams that may be ahead of it.
  virtual void checked_until(std::size_t call, std::int32_t choice, std::size_t characters,
                             std::string& out) {
    (void)call, (void)choice, (void)characters, (void)out;
  }
  // Every call is over and none failed; `usage` is that of all calls together. The last bytes.
  virtual void finish(const protocol::Usage& usage, std::string& out) = 0;
  // A stream that has begun fails: the dialect's error event.
  virtual void fail(const absl::Status& status, std::string& out) = 0;
};

}  // namespace plinth::api
