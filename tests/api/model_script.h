// The lines `model ...` of a case: what the fake model answers.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "cluster/fake_replica.h"

namespace plinth::tests {

// Adds one line to the last script. `next` begins the script of the next call.
absl::Status add_model_line(const std::string& line, std::vector<cluster::FakeReplica>& scripts);

// What reached the model, as JSON with the names of protocol/generate.h and protocol/embed.h;
// texts of JSON as values.
base::json::object asked_json(const protocol::GenerateRequest& request);
base::json::object asked_json(const protocol::EmbedRequest& request);

}  // namespace plinth::tests
