#include "apps/admin_vault_command.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <vector>

#include "apps/admin_client.h"
#include "apps/admin_output.h"
#include "apps/admin_tree.h"
#include "apps/command_line.h"
#include "apps/terminal.h"

namespace plinth {

namespace {

using Object = base::json::object;

struct Arguments {
  AdminFlags service;
  std::string key = "data", project, id, confirm, type;
  std::optional<std::int64_t> days;
  bool hold = false, release = false;
};

absl::Status show_vault(const Arguments& arguments, const absl::StatusOr<Object>& answer) {
  RETURN_IF_ERROR(answer.status());
  if (!arguments.service.json)
    fmt::print("master key  {}\nall here    {}\n", cell(*answer, "master_key"),
               cell(*answer, "master_keys"));
  return show_entries(
      arguments.service.json, answer->at("keys").as_array(),
      {"KEY", "PROJECT", "WRAPPED BY", "CREATED", "RETIRED"}, [](const Object& key) {
        return std::vector{cell(key, "id"), cell(key, "project_id"), cell(key, "wrapped_by"),
                           time_cell(key, "created_at"), time_cell(key, "retired_at")};
      });
}

absl::Status status(const AdminClient& client, const Arguments& arguments) {
  return show_vault(arguments, client.get("/vault"));
}

absl::Status rotate(const AdminClient& client, const Arguments& arguments) {
  Object body{{"key", arguments.key}};
  if (!arguments.project.empty()) body["project_id"] = arguments.project;
  return show_vault(arguments, client.post("/vault/rotate", body));
}

absl::Status rewrap(const AdminClient& client, const Arguments& arguments) {
  return show_vault(arguments, client.post("/vault/rewrap", Object()));
}

std::string retention_path(const Arguments& arguments) {
  return arguments.id.empty() ? "/data_retention"
                              : "/projects/" + url_escaped(arguments.id) + "/data_retention";
}

absl::Status retention(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(auto setting, client.get(retention_path(arguments)));
  if (!arguments.type.empty() || arguments.days || arguments.hold || arguments.release) {
    Object body{{"retention_type",
                 arguments.type.empty() ? setting.at("type") : base::json::value(arguments.type)}};
    if (arguments.days) body["days"] = *arguments.days;
    if (arguments.hold || arguments.release) body["legal_hold"] = arguments.hold;
    ASSIGN_OR_RETURN(setting, client.post(retention_path(arguments), body));
  }
  return tell_answer(arguments.service.json, setting, [](const Object& now) {
    return fmt::format("{}, {} days, {}", cell(now, "type"), cell(now, "days"),
                       now.at("legal_hold").as_bool() ? "legal hold" : "no legal hold");
  });
}

absl::Status shred(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json,
                     client.post("/projects/" + url_escaped(arguments.id) + "/shred",
                                 Object{{"confirm", arguments.confirm}}),
                     [](const Object& gone) {
                       return fmt::format("{}: {} keys are gone, and with them its content",
                                          cell(gone, "id"), gone.at("keys").as_array().size());
                     });
}

absl::Status shred_organization(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json,
                     client.post("/shred", Object{{"confirm", arguments.confirm}}),
                     [](const Object& gone) {
                       return fmt::format("{}: {} keys are gone, and with them all content",
                                          cell(gone, "id"), gone.at("keys").as_array().size());
                     });
}

class Tree final : public AdminTree<Arguments> {
 public:
  using AdminTree::AdminTree;

  void add_vault() {
    auto* vault = group("vault", "Keys of what is sealed");
    action(vault, "status", "The keys, never the keys themselves", status);
    auto* rotation = action(vault, "rotate", "New keys", rotate);
    rotation->add_option("key", arguments_->key, "master, or data")
        ->one_of({"master", "data"})
        ->capture_default_str();
    rotation->add_option("--project", arguments_->project, "New data keys for this project alone");
    action(vault, "rewrap", "End a rotation: destroy former master keys", rewrap);
    add_retention(vault);
    action(vault, "shred", "Destroy the keys of all content of the organization, for good",
           shred_organization)
        ->add_option("--confirm", arguments_->confirm, "The organization's id")
        ->required();
  }

  // To what there is already.
  void add_to_projects() {
    auto* project = top().get_subcommand("project");
    add_retention(project)->add_option("id", arguments_->id, "Id of the project")->required();
    auto* end =
        action(project, "shred", "Destroy the keys of an archived one's content, for good", shred);
    end->add_option("id", arguments_->id)->required();
    end->add_option("--confirm", arguments_->confirm, "The id once more")->required();
  }

 private:
  Command* add_retention(Command* parent) {
    auto* command =
        action(parent, "retention", "How long content stays: show or change it", retention);
    command->add_option(
        "--type", arguments_->type,
        "zero_data_retention, modified_abuse_monitoring, ... (see docs/encryption.md)");
    command->add_option("--days", arguments_->days, "Delete what is older; 0 = no such limit");
    command->add_flag("--legal-hold", arguments_->hold, "Nothing is deleted or shredded");
    command->add_flag("--release", arguments_->release, "End a legal hold")
        ->excludes("--legal-hold");
    return command;
  }
};

}  // namespace

void add_admin_vault(Command& admin, const std::string& home, int& exit_code) {
  Tree tree(admin, home, exit_code);
  tree.add_vault();
  tree.add_to_projects();
}

}  // namespace plinth
