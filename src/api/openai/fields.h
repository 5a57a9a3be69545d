// Reads a request's fields with the errors that OpenAI gives, and refuses what it does not know.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "protocol/generate.h"

namespace plinth::api {

// Collects the first error; readers return their default after it.
class Fields {
 public:
  explicit Fields(const base::json::object& body) : body_(body) {}

  std::optional<double> number(std::string_view name, double min, double max);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::string> string(std::string_view name);
  // The raw value, or null where it is absent or null; marks it as known.
  const base::json::value* any(std::string_view name);
  void fail(absl::Status status);
  // "Unrecognized request argument supplied: x" for what nobody asked for.
  absl::Status finish();

 private:
  const base::json::object& body_;
  std::set<std::string, std::less<>> known_;
  absl::Status status_;
};

// The fields that chat and text completions share: sampling, n, stop, stream's options excepted.
void read_sampling(Fields& fields, protocol::GenerateRequest& request);

// A JSON type as OpenAI's messages name it: "a string", "an integer".
std::string_view kind_name(const base::json::value& value);

}  // namespace plinth::api
