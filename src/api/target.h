// What a request is for: the deployment or model that it names, admitted.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/exchange.h"
#include "api/request_meter.h"
#include "cluster/model_service.h"
#include "governance/content_filter.h"
#include "governance/deployment.h"

namespace plinth::api {

enum class Purpose { generate, embed };

struct Target {
  std::shared_ptr<const governance::Deployment> deployment;  // null: the model itself was called
  cluster::ModelCard card;                                   // of the model that answers
  std::shared_ptr<const governance::ContentFilter> filter;   // null: nothing is looked for
  RequestMeter meter;
};

// Finds what `name` means for the caller and counts the request. Where a provisioned deployment has
// no room, its spillover (or that of the x-ms-spillover-deployment header) is asked, and the answer
// says so. NotFound, PermissionDenied, or a refusal of a limit; `endpoint` is for messages. `done`
// runs before this returns, or on another thread where the database has to be asked.
using Opened = std::function<void(absl::StatusOr<Target>)>;
void open_target(const ExchangePtr& exchange, const std::string& name, Purpose purpose,
                 const std::string& endpoint, Opened done);

// A request without limits or parameters of its own takes the deployment's.
void apply_deployment(const Target& target, std::vector<std::string>& left_out,
                      protocol::GenerateRequest& request);

}  // namespace plinth::api
