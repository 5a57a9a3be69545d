// HTTP client for downloads and for the service's own command line, over libcurl: HTTPS, proxies
// (http_proxy, https_proxy, no_proxy) and custom certificate authorities
// (PLINTH_CA_FILE, SSL_CERT_FILE, CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE) are honoured.
#pragma once

#include <chrono>
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
  // 404, PermissionDenied for 401 and 403, OutOfRange for 416, Unavailable otherwise.
  virtual absl::StatusOr<HttpResponse> get(const std::string& url,
                                           const std::vector<std::string>& headers) = 0;
  // Streams the body from byte `offset`. `begin` sees the response before the first piece and
  // returns false to stop; a server that ignores the range answers 200 and not 206.
  virtual absl::StatusOr<HttpResponse> download(
      const std::string& url, const std::vector<std::string>& headers, std::uint64_t offset,
      const std::function<bool(const HttpResponse&)>& begin, const BodySink& sink) = 0;
  // POSTs `body` and hands on the answer as it comes. Any status is an answer here: the caller
  // reads it and, of 400 or more, the body. Cancelled when `sink` returns false.
  virtual absl::StatusOr<HttpResponse> post(const std::string& url,
                                            const std::vector<std::string>& headers,
                                            const std::string& body, const BodySink& sink) = 0;
  // GET and DELETE with any status an answer, as with post().
  virtual absl::StatusOr<HttpResponse> fetch(const std::string& url,
                                             const std::vector<std::string>& headers,
                                             const BodySink& sink) = 0;
  virtual absl::StatusOr<HttpResponse> remove(const std::string& url,
                                              const std::vector<std::string>& headers,
                                              const BodySink& sink) = 0;
};

struct HttpClientOptions {
  // An unreachable source is passed over within seconds.
  std::chrono::seconds connect_max{5};
  // A peer that sends less than a kilobyte a second for this long is dead; 0 = it may think.
  std::chrono::seconds silence_max{10};
  // Of a whole exchange; 0 = unbounded.
  std::chrono::seconds total_max{0};
  // Whether a redirect is followed, up to ten times; else it is the answer.
  bool redirects = true;
  // http_proxy and its like; a service on this machine is called directly.
  bool proxies = true;
  // Asked about once a second, and more often while data flow: true ends the transfer, Cancelled.
  std::function<bool()> stop;
};

std::unique_ptr<HttpClient> make_http_client(HttpClientOptions options = {});

}  // namespace plinth::net
