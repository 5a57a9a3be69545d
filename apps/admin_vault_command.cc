#include "apps/admin_vault_command.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "apps/admin_client.h"
#include "apps/admin_output.h"
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

using Action = absl::Status (*)(const AdminClient&, const Arguments&);
using Shared = std::shared_ptr<Arguments>;  // shared by the callbacks that CLI11 keeps

CLI::App* add(CLI::App& parent, const char* name, const char* doc, Action run,
              const Shared& arguments, const std::string& home, int& exit_code) {
  auto* command = parent.add_subcommand(name, doc);
  add_admin_flags(*command, arguments->service);
  command->callback([arguments, run, &home, &exit_code] {
    const auto client = AdminClient::connect(home, arguments->service);
    const auto done = client.ok() ? run(*client, *arguments) : client.status();
    exit_code = done.ok() ? 0 : report(done);
  });
  return command;
}

void add_retention(CLI::App& parent, const char* what, const Shared& arguments,
                   const std::string& home, int& exit_code) {
  auto* command = add(parent, "retention", "How long content stays: show or change it", retention,
                      arguments, home, exit_code);
  if (what != nullptr) command->add_option("id", arguments->id, what)->required();
  command->add_option(
      "--type", arguments->type,
      "zero_data_retention, modified_abuse_monitoring, ... (see docs/encryption.md)");
  command->add_option("--days", arguments->days, "Delete what is older; 0 = no such limit");
  command->add_flag("--legal-hold", arguments->hold, "Nothing is deleted or shredded");
  command->add_flag("--release", arguments->release, "End a legal hold")->excludes("--legal-hold");
}

}  // namespace

void add_admin_vault(CLI::App& admin, const std::string& home, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();
  auto* vault = admin.add_subcommand("vault", "Keys of what is sealed");
  vault->require_subcommand(1);
  add(*vault, "status", "The keys, never the keys themselves", status, arguments, home, exit_code);
  auto* rotation = add(*vault, "rotate", "New keys", rotate, arguments, home, exit_code);
  rotation->add_option("key", arguments->key, "master, or data")
      ->check(CLI::IsMember({"master", "data"}))
      ->capture_default_str();
  rotation->add_option("--project", arguments->project, "New data keys for this project alone");
  add(*vault, "rewrap", "End a rotation: destroy former master keys", rewrap, arguments, home,
      exit_code);
  add_retention(*vault, nullptr, arguments, home, exit_code);

  auto& project = *admin.get_subcommand("project");
  add_retention(project, "Id of the project", arguments, home, exit_code);
  auto* end = add(project, "shred", "Destroy the keys of an archived one's content, for good",
                  shred, arguments, home, exit_code);
  end->add_option("id", arguments->id)->required();
  end->add_option("--confirm", arguments->confirm, "The id once more")->required();
}

}  // namespace plinth
