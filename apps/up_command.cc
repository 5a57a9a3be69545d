#include "apps/up_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "api/server.h"
#include "apps/alert_delivery.h"
#include "apps/command_line.h"
#include "apps/engine_settings.h"
#include "apps/home.h"
#include "apps/home_database.h"
#include "apps/home_lock.h"
#include "apps/listen_address.h"
#include "apps/model_install.h"
#include "apps/service_file.h"
#include "apps/settings_flags.h"
#include "apps/sign_in_settings.h"
#include "apps/terminal.h"
#include "apps/tls_files.h"
#include "apps/tuned_models.h"
#include "apps/tuning_service.h"
#include "base/core_dumps.h"
#include "base/cpu_limit.h"
#include "base/json.h"
#include "base/memory_limit.h"
#include "cluster/fleet.h"
#include "governance/governance.h"
#include "governance/recovery.h"
#include "net/local_socket.h"

namespace plinth {

namespace {

struct UpArguments {
  bool no_default = false, json = false;
};

void announce(const UpArguments& arguments, const std::string& home, const std::string& url,
              const governance::Credentials& credentials, const std::vector<std::string>& names) {
  if (arguments.json) {
    base::json::array models;
    for (const auto& name : names) models.push_back(base::json::string(name));
    fmt::print("{}\n", base::to_json(base::json::object{{"event", "ready"},
                                                        {"url", url},
                                                        {"console", nullptr},
                                                        {"api_key", credentials.api_key},
                                                        {"admin_key", credentials.admin_key},
                                                        {"models", models}}));
  } else {
    fmt::print("ready   {}\nmodels  {}\n", url, fmt::join(names, ", "));
    if (credentials.created) {
      fmt::print("key     {}\nadmin   {}\n        (kept in {}/secrets/credentials.toml)\n",
                 credentials.api_key, credentials.admin_key, home);
    }
    fmt::print(
        "try     curl {}/v1/chat/completions -H 'Authorization: Bearer {}' -H 'Content-Type: "
        "application/json' "
        "-d '{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'\n",
        url, credentials.created ? credentials.api_key : "$KEY", names.empty() ? "" : names[0]);
  }
  std::fflush(stdout);
}

cluster::FleetOptions fleet_options(const std::string& home, const base::Settings& settings) {
  cluster::FleetOptions options;
  options.run_folder = home + "/run";
  options.log_folder = home + "/logs";
  options.kv_bytes = static_cast<std::uint64_t>(settings.integer("engine.kv_mib")) << 20;
  options.memory_bytes = static_cast<std::uint64_t>(settings.integer("models.memory_mib")) << 20;
  options.queue_max = static_cast<std::size_t>(settings.integer("models.queue_max"));
  options.worker_arguments = worker_arguments(settings);
  options.worker_arguments.push_back("--cache-folder=" + home + "/cache");
  return options;
}

api::ServerOptions server_options(const base::Settings& settings) {
  api::ServerOptions options;
  options.client_certificates = client_certificates(settings);
  options.cors_origins = settings.list("api.cors_origins");
  options.trusted_proxies = settings.list("server.trusted_proxies");
  options.content_policy = settings.text("content.policy");
  options.ignore_unknown_fields = settings.boolean("api.ignore_unknown_fields");
  return options;
}

absl::StatusOr<std::unique_ptr<governance::Governance>> open_governance(
    const std::string& home, const base::Settings& settings, store::Database& database,
    const base::Clock& clock) {
  governance::AuditOptions audit;
  audit.copy_to = settings.text("audit.copy_to");
  return governance::Governance::open(
      home, database, clock, audit,
      {settings.text("content.folder"),
       settings.integer("files.project_bytes_max"),
       {settings.integer("tuning.project_jobs_max"), settings.integer("tuning.jobs_max")}});
}

// The models that are loaded before the service is ready, each once.
std::vector<std::string> first_models(const base::Settings& settings, bool no_default) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  };
  if (!no_default) add(settings.text("models.default"));
  for (const auto& name : settings.list("models.load")) add(name);
  return names;
}

// Where `plinth admin recover` asks.
absl::StatusOr<std::unique_ptr<net::LocalSocket>> listen_for_recovery(
    const std::string& home, governance::Governance& governance) {
  return net::LocalSocket::listen(
      home + "/run/admin.sock", {}, [&](const net::LocalPeer& peer, const std::string& question) {
        return governance::answer_recovery(governance, peer.uid, question);
      });
}

// A webhook has as long as one that is claimed again: kNoticeRetry.
constexpr std::chrono::seconds kWebhookMax{20};

absl::Status start_alerts(const std::string& home, const base::Settings& settings,
                          governance::Governance& governance) {
  AlertDelivery::Options options;
  options.webhook = settings.text("alerts.webhook");
  if (!options.webhook.empty() && !options.webhook.starts_with("https://") &&
      !options.webhook.starts_with("http://")) {
    return base::invalid_argument("alerts.webhook: a URL begins with https:// or http://");
  }
  options.folder = settings.text("alerts.mail_folder");
  if (options.folder.empty()) options.folder = home + "/spool/mail";
  net::HttpClientOptions http;
  http.total_max = kWebhookMax;
  // Shared since std::function copies; one thread uses it.
  const auto delivery = std::make_shared<AlertDelivery>(options, net::make_http_client(http));
  governance.spend_alerts().start(
      [delivery](const governance::SpendNotice& notice) { return (*delivery)(notice); });
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TuningService>> start_tuning(const std::string& home,
                                                            const base::Settings& settings,
                                                            const TuningParts& parts) {
  TuningServiceOptions options;
  options.folder = home + "/tuning";
  options.log_path = home + "/logs/tuning.log";
  options.jobs = static_cast<int>(settings.integer("tuning.jobs"));
  const auto threads = static_cast<int>(settings.integer("tuning.threads"));
  options.threads = threads > 0 ? threads : std::max(1, base::cpu_limit() / 2);
  const auto memory = static_cast<std::uint64_t>(settings.integer("tuning.memory_mib")) << 20;
  options.memory_bytes = memory > 0 ? memory : base::memory_limit_bytes() / 2;
  ASSIGN_OR_RETURN(options.runner, runner_name(options.folder));
  return TuningService::start(options, parts);
}

absl::Status up(const std::string& home_flag, const UpArguments& arguments,
                const SettingFlags& flags) {
  // Blocked before any thread starts, so that only the wait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  RETURN_IF_ERROR(base::forbid_core_dumps());

  ASSIGN_OR_RETURN(const std::string home, find_home(home_flag));
  ASSIGN_OR_RETURN(auto settings, load_settings(home, &flags));
  RETURN_IF_ERROR(resolve_machine(settings));
  // Else the first worker would find it out.
  RETURN_IF_ERROR(engine_options(settings).status());
  apply_log_settings(settings);
  ASSIGN_OR_RETURN(const auto tls, load_tls(settings));
  ASSIGN_OR_RETURN(const auto listen,
                   parse_listen(settings.text("server.listen"),
                                settings.boolean("server.allow_plaintext"), tls != nullptr));
  ASSIGN_OR_RETURN(const std::string browsers, public_url(settings, listen.url(listen.port)));
  ASSIGN_OR_RETURN(auto sign_in, sign_in_options(settings, browsers));
  ASSIGN_OR_RETURN(const auto lock, lock_home(home));
  const base::RealClock clock;
  base::Metrics metrics;
  ASSIGN_OR_RETURN(const auto database, open_for_service(database_of(home, settings)));
  ASSIGN_OR_RETURN(const auto governance, open_governance(home, settings, *database, clock));
  ASSIGN_OR_RETURN(const auto credentials, governance->first_start());
  RETURN_IF_ERROR(governance->open_sign_in(home, clock, std::move(sign_in)));
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  SealedModels sealed(governance->content());
  const auto executor = cluster::make_local_executor("/proc/self/exe");
  auto workers = fleet_options(home, settings);
  workers.open_sealed = [&sealed](const std::string& content) { return sealed.open(content); };
  ASSIGN_OR_RETURN(const auto fleet,
                   cluster::Fleet::create(workers, library, *executor, clock, metrics));
  std::vector<std::string> names;
  for (const auto& wanted : first_models(settings, arguments.no_default)) {
    ASSIGN_OR_RETURN(names.emplace_back(), ensure_installed(library, wanted, clock));
    RETURN_IF_ERROR(fleet->load(names.back()));
  }
  fleet->set_ready();
  const auto tuned = make_tuned_models(library, sealed, clock);
  auto options = server_options(settings);
  options.tuned_models = tuned.get();
  options.address = listen.address;
  options.port = listen.port;
  options.tls = tls;
  options.public_url = browsers;
  ASSIGN_OR_RETURN(const auto server,
                   api::Server::create(options, *fleet, *governance, clock, metrics));
  // A certificate is good for names.
  const bool named = tls != nullptr && !settings.text("auth.public_url").empty();
  const std::string url = named ? browsers : listen.url(server->port());
  ASSIGN_OR_RETURN(auto tuning,
                   start_tuning(home, settings, {*governance, *executor, *tuned, clock}));
  RETURN_IF_ERROR(start_alerts(home, settings, *governance));
  ASSIGN_OR_RETURN(const auto recovery, listen_for_recovery(home, *governance));
  ASSIGN_OR_RETURN(const auto service_file, ServiceFile::write(home, {url, ::getpid(), names}));
  announce(arguments, home, url, credentials, names);
  wait_for_end(signals, tls.get());
  fmt::print(stderr, "draining\n");
  server->drain(std::chrono::seconds(settings.integer("server.drain_grace_s")));
  fleet->drain(std::chrono::seconds(1));
  tuning.reset();  // its jobs leave checkpoints
  return absl::OkStatus();
}

}  // namespace

void add_up_command(Command& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand("up", "Start the service and its models");
  command->footer(
      "Every setting can also stand in plinth.toml or the environment: see `plinth settings`.");
  const auto arguments = std::make_shared<UpArguments>();  // shared by the callback that is kept
  command->add_flag("--no-default", arguments->no_default, "Leave the default model out");
  command->add_flag("--json", arguments->json, "One JSON line on stdout when ready");
  std::vector<std::string_view> tables;
  for (const auto& setting : base::declared_settings()) {
    const auto table = setting.key.substr(0, setting.key.find('.'));
    if (tables.empty() || tables.back() != table) tables.push_back(table);
  }
  const auto flags = std::make_shared<SettingFlags>(*command, tables);
  command->callback([arguments, flags, &home, &exit_code] {
    const auto status = up(home, *arguments, *flags);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
