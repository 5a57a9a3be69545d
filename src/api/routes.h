// The route table: what the gateway answers, as data. A new endpoint is one function and one row.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/exchange.h"

namespace plinth::api {

enum class Needs {
  nothing,  // open to whoever reaches the port
  key,      // any valid key
  admin,    // an admin key
};

// Answers the exchange now or later. Bad input is refused, never thrown.
using Endpoint = void (*)(const ExchangePtr&);

struct Route {
  std::string_view method;  // GET answers HEAD, too
  // "/v1/models/{model}": a {...} at the end matches the rest of the path, which may not be empty,
  // and gives Exchange::path_parameter.
  std::string_view pattern;
  Needs needs;
  Endpoint endpoint;
};

std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;  // null: see `allow`
  std::string path_parameter;    // percent-decoded
  std::string allow;             // methods of this path, where only the method is wrong; else ""
};
RouteMatch find_route(std::span<const Route> table, std::string_view method, std::string_view path);

}  // namespace plinth::api
