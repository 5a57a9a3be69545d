// The route table: what the gateway answers, as data. A new endpoint is one function and one row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "api/exchange.h"
#include "governance/permission.h"

namespace plinth::api {

// What a caller must be allowed. Has no value of its own, so that a row without one does not
// compile: write a permission, or Needs::nothing for what is open to whoever reaches the port.
class Needs {
 public:
  constexpr Needs(governance::Permission permission)  // NOLINT(google-explicit-constructor)
      : open_(false), permission_(permission) {}
  static const Needs nothing;

  constexpr bool open() const { return open_; }
  // Of one that is not open.
  constexpr governance::Permission permission() const { return permission_; }

 private:
  enum class Open : std::uint8_t { yes };
  constexpr explicit Needs(Open /*yes*/)
      : open_(true), permission_(governance::Permission::infer) {}
  bool open_;
  governance::Permission permission_;
};
inline constexpr Needs Needs::nothing{Needs::Open::yes};
static_assert(!std::is_default_constructible_v<Needs>);

// Where the permission must be held.
enum class Scope : std::uint8_t {
  // /v1/organization/..., what is between projects, and what counts for the whole installation
  organization,
  project,  // of the path: /v1/.../projects/{project}, or Azure's .../accounts/{account}
  caller,   // the project of the caller's key: all else
};

// Answers the exchange now or later. Bad input is refused, never thrown.
using Endpoint = void (*)(const ExchangePtr&);

// What the OpenAPI document says of a route; the request's declaration also checks the request.
struct RouteDoc {
  std::string_view id;                   // "createChatCompletion"; "" = not in the document
  std::string_view summary;              // one line
  const Schema& (*answer)() = nullptr;   // of status 200; null = plain text
  const Schema& (*request)() = nullptr;  // the JSON body, where there is one
  const Schema& (*chunk)() = nullptr;    // one event, where the answer can be a stream
  const Schema& (*query)() = nullptr;    // the URL's query, where there is one
  const Schema& (*form)() = nullptr;     // a multipart form in the JSON body's place
  bool answers_bytes = false;            // and no text, where `answer` is null
};

// What the audit log gets of an act that succeeded. Every act of administration has one.
struct RouteAudit {
  std::string_view event;  // OpenAI's type where it has one: "project.created"; "" = none
  // Fields of the request's body that are recorded, separated by spaces; "title:name" is the field
  // name under another name, "/name" stands beside the id. No field that may hold a secret.
  std::string_view fields = {};
};

// What an endpoint needs that takes its time: runs before it, on a thread that may wait and outside
// of its transaction, and leaves what it made in the exchange. Refused where it is not OK.
using Prepare = absl::Status (*)(Exchange&);

struct Route {
  std::string_view method;  // GET answers HEAD, too
  // "/v1/projects/{project}/keys/{key}": each {...} matches one part of the path, which may not be
  // empty, and becomes one of Exchange::parameters. "{model...}" at the end matches all the rest.
  std::string_view pattern;
  Needs needs;
  Endpoint endpoint;
  RouteDoc doc;
  RouteAudit audit = {};
  Prepare prepare = nullptr;
  // Of bodies that the endpoint reads in pieces while they arrive: how long they may be. 0 = it
  // gets them whole.
  std::uint64_t streams_bytes_max = 0;
};

std::span<const Route> routes();
// Follows from a route's pattern, and from its permission where that is organization_only.
Scope scope_of(const Route& route);
// Which of a pattern's {...} is the project, if one is.
std::optional<std::size_t> project_parameter(std::string_view pattern);

// For the tables' own files: whether every act of administration has an event.
constexpr bool acts_are_recorded(std::span<const Route> table) {
  for (const auto& route : table) {
    using governance::Permission;
    const auto permission = route.needs.permission();
    // Of files only that they are deleted: they come as often as requests do.
    const bool uploads = permission == Permission::manage_files && route.method != "DELETE";
    const bool administers =
        route.needs.open()
            ? route.pattern.starts_with("/v1/organization/")
            : permission != Permission::infer && permission != Permission::read_models && !uploads;
    if (administers && route.method != "GET" && route.audit.event.empty()) return false;
  }
  return true;
}

struct RouteMatch {
  const Route* route = nullptr;         // null: see `allow`
  std::vector<std::string> parameters;  // percent-decoded
  std::string allow;  // where it is null: the methods of this path, "" of unknown ones
};
// How long the body of such a request may be, where its route reads it in pieces.
std::optional<std::uint64_t> streamed_body_max(std::string_view method, std::string_view path);

RouteMatch find_route(std::span<const Route> table, std::string_view method, std::string_view path);

}  // namespace plinth::api
