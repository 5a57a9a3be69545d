// HTTP client for downloads, over libcurl: HTTPS, proxies (http_proxy, https_proxy, no_proxy) and
// custom certificate authorities (SSL_CERT_FILE, CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE) are honoured.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::net {

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; of the whole redirect chain
  std::string body;                            // of get()
};

// Receives a piece of the body; false stops the transfer with Cancelled.
using BodySink = std::function<bool(std::string_view)>;

// Interface, so that pulls are tested without a network.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // A small document. A status of 400 or more is an error that names status and URL: NotFound for
  // 404, PermissionDenied for 401 and 403, Unavailable otherwise.
  virtual absl::StatusOr<HttpResponse> get(const std::string& url,
                                           const std::vector<std::string>& headers) = 0;
  // Streams the body from byte `offset`. `begin` sees the response before the first piece and
  // returns false to stop; a server that ignores the range answers 200 and not 206.
  virtual absl::StatusOr<HttpResponse> download(
      const std::string& url, const std::vector<std::string>& headers, std::uint64_t offset,
      const std::function<bool(const HttpResponse&)>& begin, const BodySink& sink) = 0;
};

std::unique_ptr<HttpClient> make_http_client();

}  // namespace plinth::net
