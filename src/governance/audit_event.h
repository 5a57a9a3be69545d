// What the audit log is told of an act.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace plinth::governance {

struct AuditActor {
  // "api_key", "session", "local_user" of the service's machine, or "system" for Plinth itself.
  std::string type = "api_key";
  std::string id;          // of the key, or of the person of a session; "uid:1000"
  std::string owner = {};  // of a key: the service account or person whose it is; a user's name
  std::string owner_type = {};  // "service_account", "user"; "" = nobody's in particular
  std::string email = {};       // of the person
  std::string ip = {};          // where from; "" = this machine itself
};

struct AuditEvent {
  std::string type;  // OpenAI's name where it has one: "project.created"
  AuditActor actor;
  std::string organization = "default";
  std::string project = {};       // id; "" = of no project
  std::string project_name = {};  // at that time
  // Ids of what was acted on, in any order.
  std::vector<std::string> resources = {};
  // What OpenAI has under the event's name: {"id": ..., "data": {...}}. Never a secret. Numbers
  // that are no integers become texts.
  base::json::object details = {};
};

}  // namespace plinth::governance
