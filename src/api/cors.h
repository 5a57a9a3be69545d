// Cross-origin requests (WHATWG Fetch, "HTTP-network or cache fetch"): which web pages may call
// this gateway from a browser. None unless a setting names them.
#pragma once

#include <string>
#include <vector>

#include "net/http_server.h"

namespace plinth::api {

struct CorsOptions {
  std::vector<std::string> origins;  // "https://app.example", or "*" for every page
};

// What an answer to `request` carries; nothing where the origin is absent or not allowed.
net::HttpHeaders cors_headers(const CorsOptions& options, const net::HttpRequest& request);

// A browser asks before it sends the request itself.
bool is_preflight(const net::HttpRequest& request);
// What its 204 carries beside cors_headers(): `methods` is what the path takes.
net::HttpHeaders preflight_headers(const net::HttpRequest& request, const std::string& methods);

}  // namespace plinth::api
