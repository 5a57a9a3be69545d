// What a dialect makes of the events of a generation. An endpoint that generates text is one
// implementation of this and one row in the route table; generation.h does the rest (calls,
// cancellation, deadlines, errors, metering).
#pragma once

#include <cstddef>
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
  // Every call is over and none failed; `usage` is that of all calls together. The last bytes.
  virtual void finish(const protocol::Usage& usage, std::string& out) = 0;
  // A stream that has begun fails: the dialect's error event.
  virtual void fail(const absl::Status& status, std::string& out) = 0;
};

}  // namespace plinth::api
