#include "apps/admin_command.h"

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "apps/admin_backup.h"
#include "apps/admin_client.h"
#include "apps/admin_deployment_command.h"
#include "apps/admin_money.h"
#include "apps/admin_output.h"
#include "apps/admin_people_command.h"
#include "apps/admin_recover.h"
#include "apps/admin_rules_command.h"
#include "apps/admin_tree.h"
#include "apps/admin_vault_command.h"
#include "apps/audit_command.h"
#include "apps/command_line.h"
#include "apps/terminal.h"
#include "base/clock.h"

namespace plinth {

namespace {

using Object = base::json::object;
using Array = base::json::array;

// What every subcommand may have been given.
struct Arguments {
  AdminFlags service;
  std::string project = "default", name, model, period = "month", amount;
  std::string input, cached, output, unit_hour, service_class = "standard";
  std::vector<std::string> models, networks, scopes;
  std::string user;
  std::int64_t days = 30, overlap_s = 86'400;
  std::map<std::string, std::string> limits;  // by the field's name: a number, or "none"
  bool organization = false;
  std::string by = "model";
};

absl::Status show(const Arguments& arguments, const Array& entries, std::vector<std::string> titles,
                  const std::function<std::vector<std::string>(const Object&)>& row) {
  return show_entries(arguments.service.json, entries, std::move(titles), row);
}

absl::Status tell(const Arguments& arguments, const absl::StatusOr<Object>& answer,
                  const std::function<std::string(const Object&)>& sentence) {
  return tell_answer(arguments.service.json, answer, sentence);
}

std::string project_path(const Arguments& arguments) {
  return "/projects/" + url_escaped(arguments.project);
}

absl::Status list_projects(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all("/projects?include_archived=true"));
  return show(arguments, entries, {"ID", "NAME", "STATUS", "CREATED"}, [](const Object& project) {
    return std::vector{cell(project, "id"), cell(project, "name"), cell(project, "status"),
                       time_cell(project, "created_at")};
  });
}

absl::Status create_project(const AdminClient& client, const Arguments& arguments) {
  return tell(arguments, client.post("/projects", {{"name", arguments.name}}),
              [](const Object& made) { return cell(made, "id"); });
}

absl::Status archive_project(const AdminClient& client, const Arguments& arguments) {
  return tell(arguments, client.post("/projects/" + url_escaped(arguments.name) + "/archive", {}),
              [](const Object& made) { return cell(made, "id") + " is archived; its keys ended"; });
}

absl::Status list_keys(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all(project_path(arguments) + "/api_keys"));
  return show(arguments, entries,
              {"ID", "NAME", "KEY", "CREATED", "EXPIRES", "LAST USED", "MODELS", "NETWORKS"},
              [](const Object& key) {
                return std::vector{cell(key, "id"),
                                   cell(key, "name"),
                                   cell(key, "redacted_value"),
                                   time_cell(key, "created_at"),
                                   time_cell(key, "expires_at"),
                                   time_cell(key, "last_used_at"),
                                   cell(key, "models"),
                                   cell(key, "networks")};
              });
}

absl::Status create_key(const AdminClient& client, const Arguments& arguments) {
  Object body{{"name", arguments.name}};
  if (!arguments.models.empty())
    body["models"] = Array(arguments.models.begin(), arguments.models.end());
  if (!arguments.networks.empty())
    body["networks"] = Array(arguments.networks.begin(), arguments.networks.end());
  if (!arguments.scopes.empty())
    body["scopes"] = Array(arguments.scopes.begin(), arguments.scopes.end());
  if (!arguments.user.empty()) body["user_id"] = arguments.user;
  return tell(arguments, client.post(project_path(arguments) + "/api_keys", body),
              [](const Object& made) { return cell(made, "value"); });
}

absl::Status rotate_key(const AdminClient& client, const Arguments& arguments) {
  const auto path =
      fmt::format("{}/api_keys/{}/rotate", project_path(arguments), url_escaped(arguments.name));
  return tell(arguments, client.post(path, {{"overlap_seconds", arguments.overlap_s}}),
              [](const Object& made) { return cell(made, "value"); });
}

absl::Status revoke_key(const AdminClient& client, const Arguments& arguments) {
  return tell(arguments,
              client.remove(project_path(arguments) + "/api_keys/" + url_escaped(arguments.name)),
              [](const Object& gone) { return cell(gone, "id") + " is revoked"; });
}

constexpr std::pair<const char*, const char*> kLimitFlags[] = {
    {"--requests-per-minute", "max_requests_per_1_minute"},
    {"--tokens-per-minute", "max_tokens_per_1_minute"},
    {"--requests-per-day", "max_requests_per_1_day"},
    {"--parallel-requests", "max_parallel_requests"},
    {"--queued-tokens", "max_queued_tokens"}};

absl::Status list_limits(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto entries, client.all(project_path(arguments) + "/rate_limits"));
  return show(arguments, entries,
              {"MODEL", "REQUESTS/MIN", "TOKENS/MIN", "REQUESTS/DAY", "PARALLEL", "QUEUED TOKENS"},
              [](const Object& limit) {
                std::vector<std::string> row{cell(limit, "model")};
                for (const auto& [flag, field] : kLimitFlags) row.push_back(cell(limit, field));
                return row;
              });
}

absl::Status set_limits(const AdminClient& client, const Arguments& arguments) {
  Object body;
  for (const auto& [field, text] : arguments.limits) {
    if (text == "none") {
      body[field] = nullptr;
    } else {
      ASSIGN_OR_RETURN(body[field], base::parse_json(text));
    }
  }
  if (body.empty()) return base::invalid_argument("no limit is given: see --help");
  const auto path =
      fmt::format("{}/rate_limits/rl-{}", project_path(arguments), url_escaped(arguments.name));
  return tell(arguments, client.post(path, body), [](const Object& limit) {
    return fmt::format("{}: {} requests and {} tokens a minute", cell(limit, "model"),
                       cell(limit, "max_requests_per_1_minute"),
                       cell(limit, "max_tokens_per_1_minute"));
  });
}

std::string budget_path(const Arguments& arguments) {
  return (arguments.organization ? "" : project_path(arguments)) + "/spend_limits";
}

std::string money(const Object& object, std::string_view field) {
  const auto& amount = object.at(field).as_object();
  return fmt::format("{} {}", cell(amount, "value"), cell(amount, "currency"));
}

absl::Status list_budgets(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto page, client.get(budget_path(arguments)));
  return show(arguments, page.at("data").as_array(), {"PERIOD", "BUDGET", "SPENT", "SINCE"},
              [](const Object& budget) {
                return std::vector{cell(budget, "period"), money(budget, "amount"),
                                   money(budget, "spent"), time_cell(budget, "period_start")};
              });
}

absl::Status set_budget(const AdminClient& client, const Arguments& arguments) {
  return tell(arguments,
              client.post(budget_path(arguments),
                          {{"amount", arguments.amount}, {"period", arguments.period}}),
              [](const Object& budget) {
                return fmt::format("{} a {}, {} of it spent", money(budget, "amount"),
                                   cell(budget, "period"), money(budget, "spent"));
              });
}

absl::Status remove_budget(const AdminClient& client, const Arguments& arguments) {
  return tell(
      arguments, client.remove(budget_path(arguments) + "/" + arguments.period),
      [](const Object& gone) { return "the budget of a " + cell(gone, "id") + " is gone"; });
}

absl::Status list_prices(const AdminClient& client, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto page, client.get("/prices"));
  return show(arguments, page.at("data").as_array(),
              {"VERSION", "MODEL", "CLASS", "INPUT/M", "CACHED/M", "OUTPUT/M", "UNIT/H", "FROM"},
              [](const Object& price) {
                const auto model = cell(price, "model");
                return std::vector{cell(price, "version"),
                                   model.empty() ? "(every other)" : model,
                                   cell(price, "service_class"),
                                   cell(price, "input_per_million"),
                                   cell(price, "cached_input_per_million"),
                                   cell(price, "output_per_million"),
                                   cell(price, "unit_hour"),
                                   time_cell(price, "effective_at")};
              });
}

absl::Status set_price(const AdminClient& client, const Arguments& arguments) {
  Object body{
      {"model", arguments.model},
      {"service_class", arguments.service_class},
      {"input_per_million", arguments.input},
      {"cached_input_per_million", arguments.cached.empty() ? arguments.input : arguments.cached},
      {"output_per_million", arguments.output}};
  if (!arguments.unit_hour.empty()) body["unit_hour"] = arguments.unit_hour;
  return tell(arguments, client.post("/prices", body),
              [](const Object& made) { return "price book version " + cell(made, "version"); });
}

absl::Status show_usage(const AdminClient& client, const Arguments& arguments) {
  const auto start = base::RealClock().unix_seconds() - arguments.days * 86'400;
  const std::string group = arguments.by == "key"       ? "api_key_id"
                            : arguments.by == "project" ? "project_id"
                                                        : "model";
  Array rows;
  for (const char* kind : {"completions", "embeddings", "fine_tuning"}) {
    std::string page;
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(const auto answer,
                       client.get(fmt::format("/usage/{}?start_time={}&limit=31&group_by[]={}{}",
                                              kind, start, group, page)));
      for (const auto& bucket : answer.at("data").as_array()) {
        for (const auto& result : bucket.as_object().at("results").as_array()) {
          Object row = result.as_object();
          row["kind"] = kind;
          row["day"] = bucket.as_object().at("start_time");
          rows.push_back(std::move(row));
        }
      }
      more = answer.at("has_more").as_bool();
      if (more) page = "&page=" + std::string(answer.at("next_page").as_string());
    }
  }
  return show(arguments, rows, {"DAY", "KIND", "OF", "REQUESTS", "INPUT", "CACHED", "OUTPUT"},
              [&](const Object& row) {
                return std::vector{time_cell(row, "day").substr(0, 10),
                                   cell(row, "kind"),
                                   cell(row, group),
                                   cell(row, "num_model_requests"),
                                   cell(row, "input_tokens"),
                                   cell(row, "input_cached_tokens"),
                                   cell(row, "output_tokens")};
              });
}

// Builds the tree of subcommands.
class Tree final : public AdminTree<Arguments> {
 public:
  Tree(Command& admin, const std::string& home, int& exit_code)
      : AdminTree(admin, home, exit_code) {
    top().require_subcommand();
  }

  void add_projects() {
    auto* project = group("project", "Who shares keys, limits and a budget");
    action(project, "list", "The projects", list_projects);
    named(action(project, "create", "Make one; prints its id", create_project), "name");
    named(action(project, "archive", "End one and its keys, for good", archive_project), "id");
  }

  void add_keys() {
    auto* key = group("key", "Keys of a project");
    of_project(action(key, "list", "The keys", list_keys));
    auto* create = of_project(
        named(action(key, "create", "Make one; prints it, this once", create_key), "name"));
    create->add_option("--model", arguments_->models, "A model it may call (several times)");
    create->add_option("--network", arguments_->networks,
                       "A network it may be used from: 10.0.0.0/8");
    create->add_option("--scope", arguments_->scopes,
                       "A permission that it has instead of those of its kind (several times)");
    create->add_option("--user", arguments_->user, "Id of the user who owns it");
    auto* rotate = of_project(
        named(action(key, "rotate", "A new key in its place; prints it", rotate_key), "id"));
    rotate->add_option("--overlap-s", arguments_->overlap_s, "Seconds the old one is still good")
        ->capture_default_str();
    of_project(named(action(key, "revoke", "End one at once", revoke_key), "id"));
  }

  void add_limits() {
    auto* limit = group("limit", "What a project may use of each model");
    of_project(action(limit, "list", "The limits", list_limits));
    auto* set = of_project(named(action(limit, "set", "Change them", set_limits), "model"));
    for (const auto& [flag, field] : kLimitFlags) {
      const std::string name = field;
      set->add_option_function(
          flag,
          [arguments = arguments_, name](const std::string& text) {
            arguments->limits[name] = text;
          },
          "A number, or none");
    }
  }

  void add_budgets() {
    auto* budget = group("budget", "What a project, or the organization, may spend");
    of_budget(action(budget, "list", "The budgets", list_budgets));
    of_period(of_budget(action(budget, "set", "Set one", set_budget)))
        ->add_option("amount", arguments_->amount, "12.5")
        ->required();
    of_period(of_budget(action(budget, "remove", "Remove one", remove_budget)));
  }

  void add_prices() {
    auto* price = group("price", "What tokens cost");
    action(price, "list", "The price book", list_prices);
    auto* put = action(price, "set", "A new price from now on", set_price);
    put->add_option("--model", arguments_->model, "Of this model (default: every other)");
    put->add_option("--input", arguments_->input, "Of a million tokens")->required();
    put->add_option("--cached", arguments_->cached, "Of those in the cache (default: as --input)");
    put->add_option("--output", arguments_->output, "Of a million made tokens")->required();
    put->add_option("--class", arguments_->service_class,
                    "standard, provisioned, batch, developer, or training of fine-tuning jobs")
        ->one_of({"standard", "provisioned", "batch", "developer", "training"})
        ->capture_default_str();
    put->add_option("--unit-hour", arguments_->unit_hour,
                    "Of a provisioned unit for an hour, whether it is used or not");
  }

  void add_usage() {
    auto* usage = action(&top(), "usage", "What was used, by day", show_usage);
    usage->add_option("--days", arguments_->days, "So many days back")->capture_default_str();
    usage->add_option("--by", arguments_->by, "model, project or key")
        ->one_of({"model", "project", "key"})
        ->capture_default_str();
  }

 private:
  Command* of_project(Command* command) {
    command->add_option("--project", arguments_->project, "Id of the project")
        ->capture_default_str();
    return command;
  }
  Command* of_budget(Command* command) {
    of_project(command)->add_flag("--organization", arguments_->organization,
                                  "Of the whole organization");
    return command;
  }
  Command* of_period(Command* command) {
    command->add_option("--period", arguments_->period, "day or month, UTC's")
        ->capture_default_str();
    return command;
  }
  Command* named(Command* command, const char* what) {
    command->add_option(what, arguments_->name)->required();
    return command;
  }
};

}  // namespace

void add_admin_command(Command& app, const std::string& home, int& exit_code) {
  Tree tree(*app.add_subcommand("admin",
                                "People, projects, keys, limits, budgets, prices, usage and the"
                                " audit log"),
            home, exit_code);
  tree.add_projects();
  tree.add_keys();
  tree.add_limits();
  tree.add_budgets();
  tree.add_prices();
  tree.add_usage();
  add_deployment_commands(tree.top(), home, exit_code);
  add_admin_people_commands(tree.top(), home, exit_code);
  add_admin_rules_commands(tree.top(), home, exit_code);
  add_audit_command(tree.top(), home, exit_code);
  auto& admin = tree.top();
  add_admin_invoice(admin, home, exit_code);
  add_admin_report(admin, home, exit_code);
  add_admin_export(admin, home, exit_code);
  add_admin_rerate(admin, home, exit_code);
  add_admin_cost(admin, home, exit_code);
  add_admin_backup(admin, home, exit_code);
  add_admin_recover(admin, home, exit_code);
  add_admin_vault(admin, home, exit_code);
}

}  // namespace plinth
