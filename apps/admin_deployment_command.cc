#include "apps/admin_deployment_command.h"

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "apps/admin_client.h"
#include "apps/admin_output.h"
#include "apps/admin_tree.h"
#include "apps/command_line.h"
#include "apps/terminal.h"
#include "base/file.h"

namespace plinth {

namespace {

using Object = base::json::object;
using Array = base::json::array;

// A document that people write by hand is no larger; blocklists of ten thousand terms fit.
constexpr std::size_t kFileBytesMax = std::size_t{8} << 20;

struct Arguments {
  AdminFlags service;
  std::string project = "default", name, version, file;
  std::string model, sku = "Standard", policy, spillover, upgrade, served;
  std::int64_t capacity = 0, max_output = 0, retires_s = 0, replicas = 0;
  std::vector<std::string> canary, parameters;
  bool is_default = false;
};

std::string path_of(const Arguments& arguments, const char* what) {
  return fmt::format("/projects/{}/{}", url_escaped(arguments.project), what);
}
std::string path_of(const Arguments& arguments, const char* what, const std::string& name) {
  return path_of(arguments, what) + "/" + url_escaped(name);
}

Object part(const Object& object, std::string_view field) {
  const auto* value = object.if_contains(field);
  return value != nullptr && value->is_object() ? value->get_object() : Object();
}

absl::StatusOr<base::json::value> read_document(const std::string& path) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(path, kFileBytesMax));
  auto document = base::parse_json(text);
  if (!document.ok()) return base::annotate(document.status(), path);
  return document;
}

absl::StatusOr<Object> read_object(const std::string& path) {
  ASSIGN_OR_RETURN(auto document, read_document(path));
  if (!document.is_object()) return base::invalid_argument(path + ": must be a JSON object");
  return document.get_object();
}

// "name=0.5"
absl::StatusOr<std::pair<std::string, std::string>> pair_of(const std::string& text) {
  const auto at = text.find('=');
  if (at == std::string::npos || at == 0)
    return base::invalid_argument(fmt::format("'{}' is not NAME=NUMBER", text));
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

absl::Status list_deployments(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto answer, client.get(path_of(arguments, "deployments")));
  return show_entries(arguments.service.json, answer.at("data").as_array(),
                      {"NAME", "MODEL", "SERVED BY", "CLASS", "CAPACITY", "POLICY", "SPILLOVER"},
                      [](const Object& one) {
                        const auto properties = part(one, "properties");
                        return std::vector{cell(one, "name"),
                                           cell(part(properties, "model"), "name"),
                                           cell(properties, "servedModel"),
                                           cell(part(one, "sku"), "name"),
                                           cell(part(one, "sku"), "capacity"),
                                           cell(properties, "raiPolicyName"),
                                           cell(properties, "spilloverDeploymentName")};
                      });
}

absl::StatusOr<Object> deployment_of(const Arguments& arguments) {
  if (!arguments.file.empty()) return read_object(arguments.file);
  if (arguments.model.empty()) return base::invalid_argument("give --model, or --file");
  Object model{{"format", "OpenAI"}, {"name", arguments.model}};
  if (!arguments.version.empty()) model["version"] = arguments.version;
  Object properties{{"model", std::move(model)}}, sku{{"name", arguments.sku}}, parameters;
  if (arguments.capacity > 0) sku["capacity"] = arguments.capacity;
  if (!arguments.policy.empty()) properties["raiPolicyName"] = arguments.policy;
  if (!arguments.spillover.empty()) properties["spilloverDeploymentName"] = arguments.spillover;
  if (!arguments.upgrade.empty()) properties["versionUpgradeOption"] = arguments.upgrade;
  if (arguments.max_output > 0) properties["defaultMaxOutput"] = arguments.max_output;
  for (const auto& text : arguments.parameters) {
    ASSIGN_OR_RETURN(const auto pair, pair_of(text));
    ASSIGN_OR_RETURN(parameters[pair.first], base::parse_json(pair.second));
  }
  if (!parameters.empty()) properties["defaultParameters"] = std::move(parameters);
  Array canary;
  for (const auto& text : arguments.canary) {
    ASSIGN_OR_RETURN(const auto pair, pair_of(text));
    ASSIGN_OR_RETURN(auto percent, base::parse_json(pair.second));
    canary.push_back(Object{{"version", pair.first}, {"percent", std::move(percent)}});
  }
  if (!canary.empty()) properties["canary"] = std::move(canary);
  return Object{{"sku", std::move(sku)}, {"properties", std::move(properties)}};
}

absl::Status set_deployment(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto body, deployment_of(arguments));
  return tell_answer(arguments.service.json,
                     client.post(path_of(arguments, "deployments", arguments.name), body),
                     [](const Object& made) {
                       return fmt::format("{} answers as {}", cell(made, "name"),
                                          cell(part(made, "properties"), "servedModel"));
                     });
}

absl::Status remove_at(const AdminClient& client, const Arguments& arguments,
                       const std::string& path) {
  return tell_answer(arguments.service.json, client.remove(path),
                     [](const Object& gone) { return cell(gone, "id") + " is gone"; });
}

absl::Status remove_deployment(const AdminClient& client, const Arguments& arguments) {
  return remove_at(client, arguments, path_of(arguments, "deployments", arguments.name));
}

absl::Status list_policies(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto answer, client.get(path_of(arguments, "content_policies")));
  return show_entries(
      arguments.service.json, answer.at("data").as_array(), {"NAME", "TYPE", "MODE"},
      [](const Object& one) {
        const auto properties = part(one, "properties");
        return std::vector{cell(one, "name"), cell(properties, "type"), cell(properties, "mode")};
      });
}

absl::Status set_policy(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto body, read_object(arguments.file));
  return tell_answer(arguments.service.json,
                     client.post(path_of(arguments, "content_policies", arguments.name), body),
                     [](const Object& made) { return cell(made, "name") + " is in force"; });
}

absl::Status remove_policy(const AdminClient& client, const Arguments& arguments) {
  return remove_at(client, arguments, path_of(arguments, "content_policies", arguments.name));
}

absl::Status list_blocklists(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto answer, client.get(path_of(arguments, "blocklists")));
  return show_entries(arguments.service.json, answer.at("data").as_array(), {"NAME"},
                      [](const Object& one) { return std::vector{cell(one, "name")}; });
}

// The file: terms, one a line.
absl::Status set_blocklist(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(arguments.file, kFileBytesMax));
  Array items;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const auto term = text.substr(begin, end - begin);
    begin = end + 1;
    if (term.empty()) continue;
    items.push_back(Object{{"name", fmt::format("line-{:05}", items.size() + 1)},
                           {"properties", Object{{"pattern", term}}}});
  }
  const auto path = path_of(arguments, "blocklists", arguments.name);
  RETURN_IF_ERROR(client.post(path, Object()).status());
  return tell_answer(arguments.service.json, client.post(path + "/items", items),
                     [&](const Object& made) {
                       return fmt::format("{} has {} terms of {}", cell(made, "name"), items.size(),
                                          arguments.file);
                     });
}

absl::Status remove_blocklist(const AdminClient& client, const Arguments& arguments) {
  return remove_at(client, arguments, path_of(arguments, "blocklists", arguments.name));
}

std::string version_path(const Arguments& arguments) {
  return fmt::format("/model_versions/{}/{}", url_escaped(arguments.model),
                     url_escaped(arguments.version));
}

absl::Status list_versions(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto answer,
                   client.get("/model_versions/" + url_escaped(arguments.model)));
  return show_entries(arguments.service.json, answer.at("data").as_array(),
                      {"VERSION", "SERVED BY", "DEFAULT", "RETIRES"}, [](const Object& one) {
                        return std::vector{cell(one, "version"), cell(one, "served"),
                                           cell(one, "isDefault"), time_cell(one, "retiresAt")};
                      });
}

absl::Status set_version(const AdminClient& client, const Arguments& arguments) {
  Object body{{"served", arguments.served}, {"isDefault", arguments.is_default}};
  if (arguments.retires_s > 0) body["retiresAt"] = arguments.retires_s;
  return tell_answer(arguments.service.json, client.post(version_path(arguments), body),
                     [](const Object& made) {
                       return fmt::format("version {} of {} is {}", cell(made, "version"),
                                          cell(made, "model"), cell(made, "served"));
                     });
}

absl::Status remove_version(const AdminClient& client, const Arguments& arguments) {
  return remove_at(client, arguments, version_path(arguments));
}

absl::Status list_throughput(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto answer, client.get("/provisioned_throughput"));
  return show_entries(
      arguments.service.json, answer.at("data").as_array(),
      {"MODEL", "VERSION", "UNIT TOKENS/MIN", "OUTPUT WEIGHT", "FIRST TOKEN MS", "TOKEN US",
       "REPLICAS"},
      [](const Object& one) {
        return std::vector{
            cell(one, "model"),        cell(one, "version"),      cell(one, "unitTokensPerMinute"),
            cell(one, "outputWeight"), cell(one, "firstTokenMs"), cell(one, "tokenUs"),
            cell(one, "replicas")};
      });
}

// The file: what `plinth bench serve --calibrate` wrote.
absl::Status accept_throughput(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(auto body, read_object(arguments.file));
  const auto* model = body.if_contains("model");
  if (model == nullptr || !model->is_string())
    return base::invalid_argument(arguments.file + ": names no model");
  const std::string name(model->get_string());
  body.erase("model");
  if (arguments.replicas > 0) body["replicas"] = arguments.replicas;
  return tell_answer(
      arguments.service.json, client.post("/provisioned_throughput/" + url_escaped(name), body),
      [](const Object& row) {
        return fmt::format("a unit of {} is {} tokens a minute (version {})", cell(row, "model"),
                           cell(row, "unitTokensPerMinute"), cell(row, "version"));
      });
}

class Tree final : public AdminTree<Arguments> {
 public:
  using AdminTree::AdminTree;

  void add_deployments() {
    auto* deployment = group("deployment", "Names that clients call");
    of_project(action(deployment, "list", "The deployments of a project", list_deployments));
    of_project(named(action(deployment, "remove", "End one", remove_deployment)));
    auto* set = of_project(named(action(deployment, "set", "Make or change one", set_deployment)));
    set->add_option("--file", arguments_->file, "The whole resource as JSON, instead of the rest");
    set->add_option("--model", arguments_->model, "The model behind it");
    set->add_option("--model-version", arguments_->version, "Its version (default: its default)");
    set->add_option("--class", arguments_->sku, "Standard, ProvisionedManaged, Batch, Developer")
        ->capture_default_str();
    set->add_option("--capacity", arguments_->capacity,
                    "Thousands of tokens a minute; units of provisioned throughput");
    set->add_option("--policy", arguments_->policy, "Content policy");
    set->add_option("--spillover", arguments_->spillover, "Takes what has no room");
    set->add_option("--upgrade", arguments_->upgrade,
                    "OnceNewDefaultVersionAvailable, OnceCurrentVersionExpired, NoAutoUpgrade");
    set->add_option("--max-output", arguments_->max_output, "Tokens, where a request says none");
    set->add_option("--parameter", arguments_->parameters, "temperature=0.2 (several times)");
    set->add_option("--canary", arguments_->canary, "VERSION=PERCENT (several times)");
  }

  void add_content() {
    auto* policy = group("policy", "What is looked for in prompts and answers");
    of_project(action(policy, "list", "The content policies of a project", list_policies));
    of_project(named(action(policy, "remove", "Remove one", remove_policy)));
    with_file(of_project(named(action(policy, "set", "Make or change one", set_policy))),
              "The policy as JSON");
    auto* blocklist = group("blocklist", "Terms that policies may name");
    of_project(action(blocklist, "list", "The blocklists of a project", list_blocklists));
    of_project(named(action(blocklist, "remove", "Remove one", remove_blocklist)));
    with_file(of_project(named(action(blocklist, "set", "Add terms to one", set_blocklist))),
              "Terms, one a line");
  }

  void add_models() {
    auto* version = group("model-version", "Which installed model a version is");
    of_model(action(version, "list", "The versions of a model", list_versions));
    of_version(action(version, "remove", "Forget one", remove_version));
    auto* set = of_version(action(version, "set", "Declare one", set_version));
    set->add_option("--served", arguments_->served, "The installed model")->required();
    set->add_flag("--default", arguments_->is_default, "Deployments that follow get it");
    set->add_option("--retires", arguments_->retires_s, "Seconds since 1970");
    auto* throughput = group("throughput", "What a provisioned unit of each model is");
    action(throughput, "list", "The accepted tables", list_throughput);
    with_file(action(throughput, "accept", "Accept what was measured", accept_throughput),
              "What `plinth bench serve --calibrate` wrote")
        ->add_option("--replicas", arguments_->replicas,
                     "Of the model, over all gateways (default: what the file says, or 1)");
  }

 private:
  Command* of_project(Command* command) {
    command->add_option("--project", arguments_->project, "Id of the project")
        ->capture_default_str();
    return command;
  }
  Command* named(Command* command) {
    command->add_option("name", arguments_->name)->required();
    return command;
  }
  Command* with_file(Command* command, const char* doc) {
    command->add_option("file", arguments_->file, doc)->required();
    return command;
  }
  Command* of_model(Command* command) {
    command->add_option("model", arguments_->model)->required();
    return command;
  }
  Command* of_version(Command* command) {
    of_model(command)->add_option("version", arguments_->version)->required();
    return command;
  }
};

}  // namespace

void add_deployment_commands(Command& admin, const std::string& home, int& exit_code) {
  Tree tree(admin, home, exit_code);
  tree.add_deployments();
  tree.add_content();
  tree.add_models();
}

}  // namespace plinth
