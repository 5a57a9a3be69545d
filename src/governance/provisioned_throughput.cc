#include "governance/provisioned_throughput.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "governance/deployment_limits.h"
#include "governance/document/json_node.h"

namespace plinth::governance {

namespace {

constexpr char kThroughput[] = "throughput";
// Recalibrations of one model: years of weekly ones.
constexpr std::int64_t kRowsMax = 1000;

absl::StatusOr<ThroughputRow> read_row(const store::DocumentRow& stored) {
  ASSIGN_OR_RETURN(const auto body, base::parse_json(stored.body));
  ASSIGN_OR_RETURN(auto row, parse_throughput(body));
  row.model = stored.scope;
  row.accepted_s = stored.created_s;
  return row;
}

}  // namespace

absl::StatusOr<ThroughputRow> parse_throughput(const base::json::value& document) {
  ASSIGN_OR_RETURN(const JsonNode node, JsonNode::of("throughput", document));
  RETURN_IF_ERROR(
      node.check_keys({"unitTokensPerMinute", "outputWeight", "firstTokenMs", "tokenUs", "replicas",
                       "object", "model", "version", "acceptedBy", "acceptedAt"}));
  ThroughputRow row;
  ASSIGN_OR_RETURN(row.unit_tokens, node.integer("unitTokensPerMinute", 1, kUnitTokensMax));
  ASSIGN_OR_RETURN(row.output_weight, node.integer("outputWeight", 1, kOutputWeightMax));
  ASSIGN_OR_RETURN(row.first_token_ms, node.integer("firstTokenMs", 1, kFirstTokenMsMax));
  ASSIGN_OR_RETURN(row.token_us, node.integer("tokenUs", 1, kTokenUsMax));
  if (node.find("replicas") != nullptr) {
    ASSIGN_OR_RETURN(row.replicas, node.integer("replicas", 1, kReplicasMax));
  }
  if (node.find("version") != nullptr) {
    ASSIGN_OR_RETURN(row.version, node.integer("version", 0, kRowsMax));
  }
  ASSIGN_OR_RETURN(row.accepted_by, node.text("acceptedBy", kDeploymentNameMax, ""));
  return row;
}

base::json::object throughput_json(const ThroughputRow& row) {
  base::json::object out{{"unitTokensPerMinute", row.unit_tokens},
                         {"outputWeight", row.output_weight},
                         {"firstTokenMs", row.first_token_ms},
                         {"tokenUs", row.token_us},
                         {"replicas", row.replicas},
                         {"version", row.version}};
  if (!row.accepted_by.empty()) out["acceptedBy"] = row.accepted_by;
  return out;
}

absl::StatusOr<std::unique_ptr<ProvisionedThroughput>> ProvisionedThroughput::open(
    store::DocumentStore& store, const base::Clock& clock) {
  std::unique_ptr<ProvisionedThroughput> made(new ProvisionedThroughput(store, clock));
  RETURN_IF_ERROR(made->refresh());
  return made;
}

absl::Status ProvisionedThroughput::refresh() {
  ASSIGN_OR_RETURN(const auto stored, store_.all(kThroughput));
  std::map<std::string, ThroughputRow> rows;
  for (const auto& one : stored) {
    auto row = read_row(one);
    if (!row.ok()) {
      LOG(warn, "throughput {} of {} is left out: {}", one.name, one.scope,
          row.status().ToString());
      continue;
    }
    auto& newest = rows[row->model];
    if (row->version >= newest.version) newest = *std::move(row);
  }
  std::lock_guard lock(mutex_);
  rows_ = std::move(rows);
  return absl::OkStatus();
}

absl::StatusOr<ThroughputRow> ProvisionedThroughput::accept(
    ThroughputRow row, absl::FunctionRef<absl::Status(const ThroughputRow& accepted)> then) {
  RETURN_IF_ERROR(refresh());
  const auto before = of(row.model);
  row.version = before.ok() ? before->version + 1 : 1;
  row.accepted_s = clock_.unix_seconds();
  const auto put = store_.put({kThroughput, row.model, fmt::format("{:06}", row.version),
                               base::to_json(throughput_json(row)), row.accepted_s, row.accepted_s},
                              kRowsMax, [&] {
                                {
                                  std::lock_guard lock(mutex_);
                                  rows_[row.model] = row;
                                }
                                return then(row);
                              });
  if (put.ok()) return row;
  // What is in memory was not accepted.
  RETURN_IF_ERROR(refresh());
  return put.status();
}

std::vector<ThroughputRow> ProvisionedThroughput::list() const {
  std::vector<ThroughputRow> out;
  std::lock_guard lock(mutex_);
  for (const auto& entry : rows_) out.push_back(entry.second);
  return out;
}

absl::StatusOr<ThroughputRow> ProvisionedThroughput::of(const std::string& model) const {
  std::lock_guard lock(mutex_);
  const auto found = rows_.find(model);
  if (found != rows_.end()) return found->second;
  return base::failed_precondition(fmt::format(
      "Nobody has accepted what a unit of provisioned throughput of `{}` is: measure it with "
      "`plinth bench serve --calibrate`.",
      model));
}

}  // namespace plinth::governance
