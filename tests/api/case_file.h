// Reads *.test files; README.md has the format.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "cluster/fake_replica.h"

namespace plinth::tests {

struct ApiCase {
  std::string name;
  int line = 0;  // of its "case", for messages

  std::string method, path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::vector<cluster::FakeReplica> scripts;
  std::optional<int> leave_after_events;

  int status = 0;
  std::vector<std::pair<std::string, std::string>> expected_headers;
  std::optional<base::json::value> expected_body;
  std::optional<std::string> expected_text;
  // "" stands for "...": any number of events.
  std::vector<std::string> expected_events;
  std::vector<base::json::value> asked;  // what must have reached the model
  bool asked_nothing = false;
  int cancelled = 0;
  bool loading = false;  // the models are not ready
  // Parts of the answer that later cases use: name and JSON pointer.
  std::vector<std::pair<std::string, std::string>> kept;
};

struct CaseFile {
  std::string group;
  bool ignore_unknown_fields = false;
  std::vector<ApiCase> cases;
};

// InvalidArgument names file and line.
absl::StatusOr<CaseFile> read_case_file(const std::string& path);

}  // namespace plinth::tests
