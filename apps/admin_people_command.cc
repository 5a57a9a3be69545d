#include "apps/admin_people_command.h"

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <vector>

#include "api/role_matrix.h"
#include "apps/admin_client.h"
#include "apps/admin_output.h"
#include "apps/admin_tree.h"
#include "apps/command_line.h"
#include "apps/password_input.h"
#include "apps/terminal.h"

namespace plinth {

namespace {

using Object = base::json::object;
using Array = base::json::array;

// What every subcommand may have been given.
struct Arguments {
  AdminFlags service;
  std::string user, group, role, project, name, email, token, description, word = "reader";
  std::vector<std::string> permissions, projects;
};

// A user is named by their id or their address.
absl::StatusOr<std::string> user_id(const AdminClient& client, const std::string& text) {
  if (text.find('@') == std::string::npos) return text;
  ASSIGN_OR_RETURN(const auto page, client.get("/users?emails[]=" + url_escaped(text)));
  const auto& found = page.at("data").as_array();
  if (found.empty()) return base::not_found("no user has the address " + text);
  return cell(found.front().as_object(), "id");
}

absl::Status list_users(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all("/users"));
  return show_entries(
      arguments.service.json, entries, {"ID", "EMAIL", "NAME", "ROLE", "ADDED", "DISABLED"},
      [](const Object& user) {
        return std::vector{
            cell(user, "id"),   cell(user, "email"),         cell(user, "name"),
            cell(user, "role"), time_cell(user, "added_at"), time_cell(user, "disabled_at")};
      });
}

absl::Status set_disabled(const AdminClient& client, const Arguments& arguments, bool disabled) {
  ASSIGN_OR_RETURN(const auto id, user_id(client, arguments.user));
  return tell_answer(
      arguments.service.json, client.post("/users/" + url_escaped(id), {{"disabled", disabled}}),
      [&](const Object& user) {
        return cell(user, "id") + (disabled ? " is disabled; their keys ended" : " is enabled");
      });
}
absl::Status disable_user(const AdminClient& client, const Arguments& arguments) {
  return set_disabled(client, arguments, true);
}
absl::Status enable_user(const AdminClient& client, const Arguments& arguments) {
  return set_disabled(client, arguments, false);
}

absl::Status remove_user(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto id, user_id(client, arguments.user));
  return tell_answer(arguments.service.json, client.remove("/users/" + url_escaped(id)),
                     [](const Object& gone) { return cell(gone, "id") + " is removed"; });
}

absl::Status set_user_password(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto id, user_id(client, arguments.user));
  ASSIGN_OR_RETURN(const auto password, read_new_password("new password (15 characters or more)"));
  return tell_answer(
      arguments.service.json,
      client.post("/users/" + url_escaped(id) + "/password", {{"password", password}}),
      [](const Object& user) {
        return cell(user, "id") + " can sign in by this password; their sessions ended";
      });
}

// Whose roles a command speaks of: ".../users/ID/roles" or ".../groups/ID/roles".
absl::StatusOr<std::string> roles_path(const AdminClient& client, const Arguments& arguments) {
  std::string path =
      arguments.project.empty() ? "" : "/v1/projects/" + url_escaped(arguments.project);
  if (!arguments.group.empty())
    return fmt::format("{}/groups/{}/roles", path, url_escaped(arguments.group));
  ASSIGN_OR_RETURN(const auto id, user_id(client, arguments.user));
  return fmt::format("{}/users/{}/roles", path, url_escaped(id));
}

std::string place(const Arguments& arguments) {
  return arguments.project.empty() ? "in the organization" : "in project " + arguments.project;
}

absl::Status show_roles_of(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto path, roles_path(client, arguments));
  ASSIGN_OR_RETURN(const auto entries, client.all(path));
  return show_entries(arguments.service.json, entries, {"ID", "NAME", "THROUGH", "PERMISSIONS"},
                      [](const Object& role) {
                        std::string through;
                        for (const auto& source : role.at("assignment_sources").as_array())
                          through += (through.empty() ? "" : ",") +
                                     cell(source.as_object(), "principal_id");
                        return std::vector{cell(role, "id"), cell(role, "name"), through,
                                           cell(role, "permissions")};
                      });
}

absl::Status give_role(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto path, roles_path(client, arguments));
  return tell_answer(arguments.service.json, client.post(path, {{"role_id", arguments.role}}),
                     [&](const Object& made) {
                       return cell(made.at("role").as_object(), "name") + " " + place(arguments);
                     });
}

absl::Status take_role(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto path, roles_path(client, arguments));
  return tell_answer(
      arguments.service.json, client.remove(path + "/" + url_escaped(arguments.role)),
      [&](const Object&) { return "no longer " + arguments.role + " " + place(arguments); });
}

absl::Status list_invites(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all("/invites"));
  return show_entries(arguments.service.json, entries,
                      {"ID", "EMAIL", "ROLE", "STATUS", "CREATED", "EXPIRES"},
                      [](const Object& invite) {
                        return std::vector{cell(invite, "id"),
                                           cell(invite, "email"),
                                           cell(invite, "role"),
                                           cell(invite, "status"),
                                           time_cell(invite, "created_at"),
                                           time_cell(invite, "expires_at")};
                      });
}

absl::Status create_invite(const AdminClient& client, const Arguments& arguments) {
  Array projects;
  for (const auto& text : arguments.projects) {
    const auto equals = text.rfind('=');
    const bool plain = equals == std::string::npos;
    projects.push_back(Object{{"id", text.substr(0, equals)},
                              {"role", plain ? "member" : text.substr(equals + 1)}});
  }
  return tell_answer(arguments.service.json,
                     client.post("/invites", {{"email", arguments.email},
                                              {"role", arguments.word},
                                              {"projects", std::move(projects)}}),
                     [](const Object& made) { return cell(made, "token"); });
}

absl::Status accept_invite(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(
      arguments.service.json,
      client.post("/invites/accept", {{"token", arguments.token}, {"name", arguments.name}}),
      [](const Object& user) { return cell(user, "id"); });
}

absl::Status revoke_invite(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json,
                     client.remove("/invites/" + url_escaped(arguments.name)),
                     [](const Object& gone) { return cell(gone, "id") + " is taken back"; });
}

absl::Status list_groups(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all("/groups"));
  return show_entries(
      arguments.service.json, entries, {"ID", "NAME", "CREATED"}, [](const Object& group) {
        return std::vector{cell(group, "id"), cell(group, "name"), time_cell(group, "created_at")};
      });
}

absl::Status create_group(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json, client.post("/groups", {{"name", arguments.name}}),
                     [](const Object& made) { return cell(made, "id"); });
}

absl::Status remove_group(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(arguments.service.json,
                     client.remove("/groups/" + url_escaped(arguments.group)),
                     [](const Object& gone) { return cell(gone, "id") + " is removed"; });
}

std::string members_path(const Arguments& arguments) {
  return "/groups/" + url_escaped(arguments.group) + "/users";
}

absl::Status list_group_users(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all(members_path(arguments)));
  return show_entries(
      arguments.service.json, entries, {"ID", "EMAIL", "NAME"}, [](const Object& user) {
        return std::vector{cell(user, "id"), cell(user, "email"), cell(user, "name")};
      });
}

absl::Status add_to_group(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto id, user_id(client, arguments.user));
  return tell_answer(arguments.service.json,
                     client.post(members_path(arguments), {{"user_id", id}}),
                     [](const Object& made) { return cell(made, "user_id") + " is in the group"; });
}

absl::Status remove_from_group(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto id, user_id(client, arguments.user));
  return tell_answer(arguments.service.json,
                     client.remove(members_path(arguments) + "/" + url_escaped(id)),
                     [&](const Object&) { return id + " is out of the group"; });
}

std::string roles_of_scope(const Arguments& arguments) {
  if (arguments.project.empty()) return "/roles";
  return "/v1/projects/" + url_escaped(arguments.project) + "/roles";
}

absl::Status list_roles(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all(roles_of_scope(arguments)));
  return show_entries(arguments.service.json, entries, {"ID", "NAME", "BUILT IN", "PERMISSIONS"},
                      [](const Object& role) {
                        return std::vector{
                            cell(role, "id"), cell(role, "name"),
                            role.at("predefined_role").as_bool() ? std::string("yes") : "no",
                            cell(role, "permissions")};
                      });
}

absl::Status create_role(const AdminClient& client, const Arguments& arguments) {
  Object body{{"role_name", arguments.name},
              {"permissions", Array(arguments.permissions.begin(), arguments.permissions.end())}};
  if (!arguments.description.empty()) body["description"] = arguments.description;
  return tell_answer(arguments.service.json, client.post(roles_of_scope(arguments), body),
                     [](const Object& made) { return cell(made, "id"); });
}

absl::Status remove_role(const AdminClient& client, const Arguments& arguments) {
  return tell_answer(
      arguments.service.json,
      client.remove(roles_of_scope(arguments) + "/" + url_escaped(arguments.role)),
      [](const Object& gone) { return cell(gone, "id") + " is removed; nobody has it any more"; });
}

// Builds the tree of subcommands.
class Tree final : public AdminTree<Arguments> {
 public:
  using AdminTree::AdminTree;

  void add_users() {
    auto* user = group("user", "Who belongs to the organization; named by id or address");
    action(user, "list", "Everybody", list_users);
    of_user(action(user, "disable", "End somebody's keys and sessions", disable_user));
    of_user(action(user, "enable", "Let somebody in again", enable_user));
    of_user(action(user, "remove", "Remove somebody", remove_user));
    of_user(action(user, "password", "Set somebody's password, from the terminal or standard input",
                   set_user_password));
    of_project(of_user(action(user, "roles", "Somebody's roles", show_roles_of)));
    of_role(of_user(action(user, "give", "Give somebody a role", give_role)));
    of_role(of_user(action(user, "take", "Take a role from somebody", take_role)));
  }

  void add_invites() {
    auto* invite = group("invite", "Who may join");
    action(invite, "list", "The invites", list_invites);
    auto* create =
        action(invite, "create", "Invite somebody; prints the token, this once", create_invite);
    text(create, "email", arguments_->email);
    create->add_option("--role", arguments_->word, "owner or reader")
        ->one_of({"owner", "reader"})
        ->capture_default_str();
    create->add_option("--project", arguments_->projects,
                       "A project to join: ID, or ID=owner (several times)");
    auto* accept = action(invite, "accept", "Join with a token; prints the user", accept_invite);
    text(accept, "token", arguments_->token);
    text(accept, "name", arguments_->name);
    text(action(invite, "revoke", "Take one back", revoke_invite), "id", arguments_->name);
  }

  void add_groups() {
    auto* all = group("group", "People who share roles");
    action(all, "list", "The groups", list_groups);
    text(action(all, "create", "Make one; prints its id", create_group), "name", arguments_->name);
    of_group(action(all, "remove", "Remove one, and what it gave", remove_group));
    of_group(action(all, "users", "Who is in one", list_group_users));
    of_user(of_group(action(all, "add", "Add somebody", add_to_group)));
    of_user(of_group(action(all, "drop", "Take somebody out", remove_from_group)));
    of_project(of_group(action(all, "roles", "A group's roles", show_roles_of)));
    of_role(of_group(action(all, "give", "Give a group a role", give_role)));
    of_role(of_group(action(all, "take", "Take a role from a group", take_role)));
  }

  void add_roles() {
    auto* role = group("role", "What people can be; docs/roles.md says who may do what");
    of_project(action(role, "list", "Built-in and custom ones", list_roles));
    auto* create =
        of_project(action(role, "create", "Make a custom one; prints its id", create_role));
    text(create, "name", arguments_->name);
    create->add_option("--permission", arguments_->permissions, "keys.manage (several times)")
        ->required();
    create->add_option("--description", arguments_->description, "What it is for");
    text(of_project(action(role, "remove", "Remove a custom one", remove_role)), "id",
         arguments_->role);
    role->add_subcommand("matrix", "Every role on every route, as a page; asks no service")
        ->callback([] { fmt::print("{}", api::role_matrix_markdown()); });
  }

 private:
  Command* text(Command* command, const char* name, std::string& into) {
    command->add_option(name, into)->required();
    return command;
  }
  Command* of_user(Command* command) { return text(command, "user", arguments_->user); }
  Command* of_group(Command* command) { return text(command, "group", arguments_->group); }
  Command* of_project(Command* command) {
    command->add_option("--project", arguments_->project,
                        "In this project (default: in the organization)");
    return command;
  }
  Command* of_role(Command* command) { return of_project(text(command, "role", arguments_->role)); }
};

}  // namespace

void add_admin_people_commands(Command& admin, const std::string& home, int& exit_code) {
  Tree tree(admin, home, exit_code);
  tree.add_users();
  tree.add_invites();
  tree.add_groups();
  tree.add_roles();
}

}  // namespace plinth
