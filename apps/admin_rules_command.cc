#include "apps/admin_rules_command.h"

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "apps/admin_client.h"
#include "apps/admin_output.h"
#include "apps/admin_tree.h"
#include "apps/command_line.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "governance/client_certificate_limits.h"
#include "governance/money.h"

namespace plinth {

namespace {

using Object = base::json::object;
using Array = base::json::array;

constexpr std::int64_t kCent = 10'000'000'000;  // pico-units

// What every subcommand may have been given.
struct Arguments {
  AdminFlags service;
  std::string project = "default", id, amount, prefix;  // of certificates: a file or id, and a name
  bool organization = false;
  std::vector<std::string> models;  // or ids of certificates
  std::vector<std::string> recipients;
};

Array array_of(const std::vector<std::string>& texts) {
  Array array;
  for (const auto& text : texts) array.emplace_back(text);
  return array;
}

std::string access_path(const Arguments& arguments) {
  return "/projects/" + url_escaped(arguments.project) + "/model_permissions";
}

std::string access_sentence(const Object& permissions) {
  const auto models = cell(permissions, "model_ids");
  const bool none = models.empty() || models == "-";
  if (cell(permissions, "mode") == "allow_list")
    return none ? "no model may be called" : "these alone may be called: " + models;
  return none ? "every model may be called" : "all but these may be called: " + models;
}

absl::Status show_access(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json, client.get(access_path(arguments)), access_sentence);
}

absl::Status set_access(const AdminClient& client, const Arguments& arguments, const char* mode) {
  return tell_answer(arguments.service.json,
                     client.post(access_path(arguments),
                                 Object{{"mode", mode}, {"model_ids", array_of(arguments.models)}}),
                     access_sentence);
}
absl::Status allow_models(const AdminClient& client, const Arguments& arguments) {
  return set_access(client, arguments, "allow_list");
}
absl::Status deny_models(const AdminClient& client, const Arguments& arguments) {
  return set_access(client, arguments, "deny_list");
}

absl::Status reset_access(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json, client.remove(access_path(arguments)),
                     [](const Object&) { return std::string("every model may be called"); });
}

std::string alert_path(const Arguments& arguments) {
  return (arguments.organization ? "" : "/projects/" + url_escaped(arguments.project)) +
         "/spend_alerts";
}

std::string cents_cell(const Object& alert) {
  const auto* cents = alert.if_contains("threshold_amount");
  if (cents == nullptr || !cents->is_int64()) return "-";
  return governance::format_money(__int128{cents->get_int64()} * kCent);
}

absl::Status list_alerts(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all(alert_path(arguments)));
  return show_entries(arguments.service.json, entries, {"ID", "AMOUNT", "EVERY", "TO"},
                      [](const Object& alert) {
                        const auto& channel = alert.at("notification_channel").as_object();
                        return std::vector{cell(alert, "id"), cents_cell(alert),
                                           cell(alert, "interval"), cell(channel, "recipients")};
                      });
}

absl::StatusOr<Object> alert_body(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto pico, governance::parse_money(arguments.amount));
  if (pico % kCent != 0)
    return base::invalid_argument(arguments.amount + ": an alert's amount is whole cents");
  Object channel{{"type", "email"}, {"recipients", array_of(arguments.recipients)}};
  if (!arguments.prefix.empty()) channel["subject_prefix"] = arguments.prefix;
  return Object{{"threshold_amount", pico / kCent},
                {"currency", "USD"},
                {"interval", "month"},
                {"notification_channel", std::move(channel)}};
}

absl::Status create_alert(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto body, alert_body(arguments));
  return tell_answer(arguments.service.json, client.post(alert_path(arguments), body),
                     [](const Object& made) { return cell(made, "id"); });
}

absl::Status change_alert(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto body, alert_body(arguments));
  return tell_answer(
      arguments.service.json,
      client.post(alert_path(arguments) + "/" + url_escaped(arguments.id), body),
      [](const Object& made) { return cell(made, "id") + " is at " + cents_cell(made); });
}

absl::Status remove_alert(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json,
                     client.remove(alert_path(arguments) + "/" + url_escaped(arguments.id)),
                     [](const Object& gone) { return cell(gone, "id") + " is removed"; });
}

std::string certificate_path(const Arguments& arguments) {
  return (arguments.organization ? "" : "/projects/" + url_escaped(arguments.project)) +
         "/certificates";
}

absl::Status list_certificates(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all(certificate_path(arguments)));
  return show_entries(arguments.service.json, entries, {"ID", "NAME", "EXPIRES", "ACTIVE"},
                      [](const Object& one) {
                        const auto& details = one.at("certificate_details").as_object();
                        return std::vector{cell(one, "id"), cell(one, "name"),
                                           time_cell(details, "expires_at"), cell(one, "active")};
                      });
}

absl::Status add_certificate(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto pem, base::read_file(arguments.id, governance::kClientCaBytesMax));
  Object body{{"certificate", pem}};
  if (!arguments.prefix.empty()) body["name"] = arguments.prefix;
  return tell_answer(arguments.service.json, client.post("/certificates", body),
                     [](const Object& made) { return cell(made, "id"); });
}

absl::Status set_active(const AdminClient& client, const Arguments& arguments, const char* verb) {
  return tell_answer(arguments.service.json,
                     client.post(certificate_path(arguments) + "/" + verb,
                                 Object{{"certificate_ids", array_of(arguments.models)}}),
                     [&](const Object&) { return fmt::format("{}d", verb); });
}
absl::Status activate_certificates(const AdminClient& client, const Arguments& arguments) {
  return set_active(client, arguments, "activate");
}
absl::Status deactivate_certificates(const AdminClient& client, const Arguments& arguments) {
  return set_active(client, arguments, "deactivate");
}

absl::Status remove_certificate(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json,
                     client.remove("/certificates/" + url_escaped(arguments.id)),
                     [](const Object& gone) { return cell(gone, "id") + " is removed"; });
}

// Builds the tree of subcommands.
class Tree final : public AdminTree<Arguments> {
 public:
  using AdminTree::AdminTree;

  void add_access() {
    auto* access = group("model-access", "Which models a project may call");
    of_project(action(access, "show", "What holds now", show_access));
    models(action(access, "allow", "These alone", allow_models));
    models(action(access, "deny", "All but these", deny_models));
    of_project(action(access, "reset", "Every one", reset_access));
  }

  void add_alerts() {
    auto* alert = group("alert", "Who is told when a month's spending reaches an amount");
    of_either(action(alert, "list", "The alerts", list_alerts));
    amounts(of_either(action(alert, "create", "Make one; prints its id", create_alert)));
    auto* change = of_either(action(alert, "set", "Change one", change_alert));
    change->add_option("id", arguments_->id)->required();
    amounts(change);
    of_either(action(alert, "remove", "Remove one", remove_alert))
        ->add_option("id", arguments_->id)
        ->required();
  }

  void add_certificates() {
    auto* certificate = group("certificate", "Authorities whose clients' certificates are taken");
    of_either(action(certificate, "list", "All, and which count there", list_certificates));
    auto* add = action(certificate, "add", "Upload one; it counts nowhere yet", add_certificate);
    add->add_option("file", arguments_->id, "In PEM format")->required();
    add->add_option("--name", arguments_->prefix, "To show");
    for (auto* command :
         {action(certificate, "activate", "Let some count there", activate_certificates),
          action(certificate, "deactivate", "Take that back", deactivate_certificates)}) {
      of_either(command)->add_option("ids", arguments_->models)->required();
    }
    action(certificate, "remove", "Remove one that counts nowhere", remove_certificate)
        ->add_option("id", arguments_->id)
        ->required();
  }

 private:
  Command* of_project(Command* command) {
    command->add_option("--project", arguments_->project, "Id of the project")
        ->capture_default_str();
    return command;
  }
  Command* of_either(Command* command) {
    of_project(command)->add_flag("--organization", arguments_->organization,
                                  "Of the whole organization");
    return command;
  }
  void models(Command* command) {
    of_project(command)->add_option("models", arguments_->models, "Models or deployments");
  }
  void amounts(Command* command) {
    command->add_option("amount", arguments_->amount, "12.50")->required();
    command->add_option("--to", arguments_->recipients, "An address (several times)")
        ->allow_extra_args(false)
        ->required();
    command->add_option("--prefix", arguments_->prefix, "What the letters' subjects begin with");
  }
};

}  // namespace

void add_admin_rules_commands(Command& admin, const std::string& home, int& exit_code) {
  Tree tree(admin, home, exit_code);
  tree.add_access();
  tree.add_alerts();
  tree.add_certificates();
}

}  // namespace plinth
