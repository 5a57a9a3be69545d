#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>

namespace plinth::net {

namespace {

constexpr long kSlowBytesPerSecond = 1024;
constexpr long kRedirectsMax = 10;
constexpr std::size_t kSmallBodyMax = 32u << 20;  // the longest package index page is about 20 MiB

struct Transfer {
  const char* method = nullptr;  // other than GET and POST
  HttpResponse response;
  std::function<bool(const HttpResponse&)> begin;
  BodySink sink;
  bool begun = false;
  bool stopped = false;
  bool any_status = false;  // bodies of errors go to the sink too
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string_view line(data, size * count);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front())))
    value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back())))
    value.remove_suffix(1);
  transfer.response.headers[name] = std::string(value);
  return size * count;
}

struct Handle {
  CURL* curl = curl_easy_init();
  curl_slist* headers = nullptr;
  ~Handle() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }
};

struct Body {
  Handle* handle;
  Transfer* transfer;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& body = *static_cast<Body*>(user);
  auto& transfer = *body.transfer;
  if (!transfer.begun) {
    transfer.begun = true;
    curl_easy_getinfo(body.handle->curl, CURLINFO_RESPONSE_CODE, &transfer.response.status);
    if (transfer.response.status < 400 && transfer.begin && !transfer.begin(transfer.response)) {
      transfer.stopped = true;
      return 0;
    }
  }
  if (transfer.response.status >= 400 && !transfer.any_status) return size * count;
  if (!transfer.sink({data, size * count})) {
    transfer.stopped = true;
    return 0;
  }
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const std::function<bool()>*>(user))() ? 1 : 0;
}

// libcurl reads CURL_CA_BUNDLE in its tool only, so the usual variables are looked up here.
const char* certificate_file() {
  for (const char* name :
       {"PLINTH_CA_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != 0) return value;
  }
  return nullptr;
}

absl::Status status_error(long status, const std::string& url) {
  const std::string text = fmt::format("{}: HTTP {}", url, status);
  if (status == 404 || status == 410) return base::not_found(text);
  if (status == 416) return absl::OutOfRangeError(base::to_absl(text));
  if (status == 401 || status == 403) return absl::PermissionDeniedError(text);
  return base::unavailable(text);
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(HttpClientOptions options) : options_(std::move(options)) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
  }

  absl::StatusOr<HttpResponse> get(const std::string& url,
                                   const std::vector<std::string>& headers) override {
    Transfer transfer;
    transfer.sink = [&](std::string_view piece) {
      if (transfer.response.body.size() + piece.size() > kSmallBodyMax) return false;
      transfer.response.body.append(piece);
      return true;
    };
    return perform(url, headers, 0, transfer, nullptr);
  }

  absl::StatusOr<HttpResponse> download(const std::string& url,
                                        const std::vector<std::string>& headers,
                                        std::uint64_t offset,
                                        const std::function<bool(const HttpResponse&)>& begin,
                                        const BodySink& sink) override {
    Transfer transfer;
    transfer.begin = begin;
    transfer.sink = sink;
    return perform(url, headers, offset, transfer, nullptr);
  }

  absl::StatusOr<HttpResponse> post(const std::string& url, const std::vector<std::string>& headers,
                                    const std::string& body, const BodySink& sink) override {
    Transfer transfer;
    transfer.sink = sink;
    transfer.any_status = true;
    return perform(url, headers, 0, transfer, &body);
  }

  absl::StatusOr<HttpResponse> fetch(const std::string& url,
                                     const std::vector<std::string>& headers,
                                     const BodySink& sink) override {
    Transfer transfer;
    transfer.sink = sink;
    transfer.any_status = true;
    return perform(url, headers, 0, transfer, nullptr);
  }
  absl::StatusOr<HttpResponse> remove(const std::string& url,
                                      const std::vector<std::string>& headers,
                                      const BodySink& sink) override {
    Transfer transfer;
    transfer.sink = sink;
    transfer.any_status = true;
    transfer.method = "DELETE";
    return perform(url, headers, 0, transfer, nullptr);
  }

 private:
  void configure(CURL* curl) const {
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
    set(CURLOPT_USERAGENT, "plinth");
    set(CURLOPT_FOLLOWLOCATION, options_.redirects ? 1L : 0L);
    set(CURLOPT_MAXREDIRS, kRedirectsMax);
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options_.connect_max.count()));
    set(CURLOPT_TIMEOUT, static_cast<long>(options_.total_max.count()));
    if (options_.silence_max.count() > 0) {
      set(CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
      set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.silence_max.count()));
    }
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    if (!options_.proxies) set(CURLOPT_PROXY, "");
    if (options_.stop) {
      set(CURLOPT_NOPROGRESS, 0L);
      set(CURLOPT_XFERINFOFUNCTION, on_progress);
      set(CURLOPT_XFERINFODATA, &options_.stop);
    }
    if (const char* file = certificate_file()) set(CURLOPT_CAINFO, file);
    // Presented to who asks for one.
    if (const char* file = std::getenv("PLINTH_CLIENT_CERTIFICATE")) set(CURLOPT_SSLCERT, file);
    if (const char* file = std::getenv("PLINTH_CLIENT_KEY")) set(CURLOPT_SSLKEY, file);
  }

  // `post` null: GET.
  absl::StatusOr<HttpResponse> perform(const std::string& url,
                                       const std::vector<std::string>& headers,
                                       std::uint64_t offset, Transfer& transfer,
                                       const std::string* post) const {
    Handle handle;
    if (handle.curl == nullptr) return base::internal("[http] libcurl gave no handle");
    Body body{&handle, &transfer};
    for (const auto& header : headers) {
      handle.headers = curl_slist_append(handle.headers, header.c_str());
    }
    const auto set = [&](CURLoption option, auto value) {
      curl_easy_setopt(handle.curl, option, value);
    };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_HTTPHEADER, handle.headers);
    configure(handle.curl);
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, &transfer);
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, &body);
    // Not CURLOPT_RESUME_FROM, which makes an error of a server that sends it all.
    if (offset > 0) set(CURLOPT_RANGE, fmt::format("{}-", offset).c_str());
    if (post != nullptr) {
      set(CURLOPT_POSTFIELDS, post->data());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post->size()));
    }
    if (transfer.method != nullptr) set(CURLOPT_CUSTOMREQUEST, transfer.method);
    const CURLcode code = curl_easy_perform(handle.curl);
    curl_easy_getinfo(handle.curl, CURLINFO_RESPONSE_CODE, &transfer.response.status);
    if (transfer.response.status >= 400 && !transfer.any_status) {
      return status_error(transfer.response.status, url);
    }
    if (transfer.stopped || code == CURLE_ABORTED_BY_CALLBACK) {
      return absl::CancelledError(base::to_absl(url + ": stopped"));
    }
    if (code != CURLE_OK) return base::unavailable(url + ": " + curl_easy_strerror(code));
    return std::move(transfer.response);
  }

  const HttpClientOptions options_;
};

}  // namespace

std::unique_ptr<HttpClient> make_http_client(HttpClientOptions options) {
  return std::make_unique<CurlClient>(std::move(options));
}

}  // namespace plinth::net
