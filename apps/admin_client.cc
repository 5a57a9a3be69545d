#include "apps/admin_client.h"

#include <fmt/format.h>

#include "apps/command_line.h"
#include "apps/home.h"
#include "apps/service_connection.h"
#include "apps/service_file.h"
#include "governance/api_keys.h"
#include "net/http_client.h"

namespace plinth {

namespace {

constexpr std::chrono::seconds kAnswerMax{60};
constexpr std::size_t kAnswerBytesMax = 64u << 20;

// "message" of an error object, or the start of what came instead.
std::string words_of(const std::string& body) {
  const auto parsed = base::parse_json(body);
  const auto* object = parsed.ok() ? parsed->if_object() : nullptr;
  const auto* error = object == nullptr ? nullptr : object->if_contains("error");
  const auto* text =
      error != nullptr && error->is_object() ? error->get_object().if_contains("message") : nullptr;
  if (text != nullptr && text->is_string()) return std::string(text->get_string());
  return body.substr(0, 200);
}

}  // namespace

void add_admin_flags(Command& command, AdminFlags& flags) {
  command.add_option("--url", flags.url, "A service elsewhere (default: the one of this home)")
      ->envname("PLINTH_URL");
  command.add_option("--key", flags.key, "Admin key (default: the one of this home)")
      ->envname("PLINTH_ADMIN_KEY");
  command.add_flag("--json", flags.json, "What the service answers, as JSON");
}

std::string url_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

absl::StatusOr<AdminClient> AdminClient::connect(const std::string& home_flag,
                                                 const AdminFlags& flags) {
  std::string url = flags.url, key = flags.key;
  if (url.empty() || key.empty()) {
    ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
    if (url.empty()) {
      const auto service = read_service_file(home);
      if (!service.ok()) {
        return base::unavailable(
            fmt::format("no service runs in {}: start it with `plinth up`, or give --url", home));
      }
      url = service->url;
    }
    if (key.empty()) {
      ASSIGN_OR_RETURN(const auto credentials, governance::read_credentials(home));
      key = credentials.admin_key;
    }
  }
  while (url.ends_with("/")) url.pop_back();
  if (url.ends_with("/v1")) url.resize(url.size() - 3);
  return AdminClient(url, key);
}

absl::StatusOr<base::json::object> AdminClient::call(Method method, const std::string& path,
                                                     const std::string& body) const {
  net::HttpClientOptions options;
  options.total_max = kAnswerMax;
  options.proxies = !is_this_machine(url_);
  const auto client = net::make_http_client(options);
  const auto url = url_ + (path.starts_with("/v1/") ? "" : "/v1/organization") + path;
  std::vector<std::string> headers{"Authorization: Bearer " + key_};
  std::string text;
  const net::BodySink sink = [&](std::string_view piece) {
    text += piece;
    return text.size() <= kAnswerBytesMax;
  };
  if (method == Method::post) headers.push_back("Content-Type: application/json");
  // A GET of any status: post() and remove() hand on refusals, and so must this.
  const auto answer = method == Method::get    ? client->fetch(url, headers, sink)
                      : method == Method::post ? client->post(url, headers, body, sink)
                                               : client->remove(url, headers, sink);
  RETURN_IF_ERROR(answer.status());
  if (answer->status >= 400) return base::failed_precondition(words_of(text));
  ASSIGN_OR_RETURN(auto parsed, base::parse_json(text));
  if (!parsed.is_object()) return base::internal(url + " answered no object");
  return parsed.get_object();
}

absl::StatusOr<base::json::object> AdminClient::get(const std::string& path) const {
  return call(Method::get, path, "");
}

absl::StatusOr<base::json::object> AdminClient::post(const std::string& path,
                                                     const base::json::value& body) const {
  return call(Method::post, path, base::to_json(body));
}

absl::StatusOr<base::json::object> AdminClient::remove(const std::string& path) const {
  return call(Method::remove, path, "");
}

absl::StatusOr<base::json::array> AdminClient::all(const std::string& path) const {
  base::json::array entries;
  std::string after;
  for (;;) {
    const char* mark = path.find('?') == std::string::npos ? "?" : "&";
    ASSIGN_OR_RETURN(auto page,
                     get(fmt::format("{}{}limit=100{}", path, mark,
                                     after.empty() ? "" : "&after=" + url_escaped(after))));
    for (auto& entry : page.at("data").as_array()) entries.push_back(std::move(entry));
    if (!page.at("has_more").as_bool()) return entries;
    // The cursor of OpenAI's newer lists.
    const auto* next = page.if_contains("next");
    after = std::string((next != nullptr ? *next : page.at("last_id")).as_string());
  }
}

}  // namespace plinth
