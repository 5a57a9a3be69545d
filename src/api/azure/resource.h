// Resources of a project as Azure's management plane has them: an account there is a project here.
// The same resources answer below /v1/organization/projects/{project}, without the envelope of ids.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/exchange.h"
#include "api/schema/schema.h"
#include "store/tenant_store.h"

namespace plinth::api {

// What the path names.
struct ResourcePlace {
  std::string project;
  std::vector<std::string> names;  // below the project: {"list", "item"}
  bool management = false;         // on Azure's plane
};

// NotFound where the caller's organization has no such project. InvalidArgument where it is
// archived and the method changes something.
absl::StatusOr<ResourcePlace> place_of(const Exchange& exchange);

// {id, name, type} and the rest of `body`; `type` is below Microsoft.CognitiveServices/accounts:
// "deployments". Off the management plane the id is the name.
base::json::object resource_object(const Exchange& exchange, const ResourcePlace& place,
                                   std::string_view type, const std::string& name,
                                   base::json::object body);
// {value: [...]}, Azure's list, with OpenAI's fields off the management plane.
base::json::object resource_list(const ResourcePlace& place, base::json::array resources);

// The body as JSON. InvalidArgument where it is none.
absl::StatusOr<base::json::value> resource_body(const Exchange& exchange);

// 204 on the management plane, {id, deleted} off it.
void answer_removed(const ExchangePtr& exchange, const ResourcePlace& place,
                    const std::string& name, const absl::Status& status);

const Schema& resource_schema();
const Schema& resource_list_schema();
const Schema& resource_request_schema();

}  // namespace plinth::api
