#include "apps/up_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <memory>
#include <thread>
#include <vector>

#include "api/server.h"
#include "apps/home.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory_limit.h"
#include "cluster/fleet.h"
#include "cluster/model_puller.h"
#include "governance/api_keys.h"

namespace plinth {

namespace {

constexpr char kDefaultModel[] = "smollm2";
constexpr std::chrono::seconds kDrainGrace{30};

struct UpArguments {
  std::string listen = "127.0.0.1:8080";
  std::vector<std::string> models, cors_origins;
  bool no_default = false, json = false;
  int context = 0;
  int threads = 0;
  int kv_mib = 512;
  int memory_mib = 0;
};

absl::Status parse_listen(const std::string& text, api::ServerOptions& options) {
  const auto colon = text.rfind(':');
  const char* end = text.data() + text.size();
  const auto parsed = colon == std::string::npos
                          ? std::from_chars_result{nullptr, std::errc::invalid_argument}
                          : std::from_chars(text.data() + colon + 1, end, options.port);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return base::invalid_argument(text + ": expected ADDRESS:PORT, for example 127.0.0.1:8080");
  }
  options.address = text.substr(0, colon);
  if (options.address != "127.0.0.1" && options.address != "::1") {
    return base::invalid_argument(options.address + ": only loopback, since there is no TLS yet");
  }
  return absl::OkStatus();
}

// One process holds a home; the kernel lets go when it dies.
absl::StatusOr<base::UniqueFd> lock_home(const std::string& home) {
  RETURN_IF_ERROR(base::make_folders(home));
  const std::string path = home + "/lock";
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return base::errno_status(errno, path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const auto holder = base::read_file(path, 64);
    return base::failed_precondition(
        fmt::format("{} is in use by process {}", home, holder.ok() ? *holder : "?"));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return base::errno_status(errno, path);
  }
  return fd;
}

absl::Status ensure_installed(const cluster::ModelLibrary& library, const std::string& name,
                              const base::Clock& clock) {
  if (library.find(name).ok()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto wanted, cluster::resolve_model(name));
  ProgressBar bar(clock);
  const auto http = net::make_http_client();
  const cluster::PullProgress progress{[&](const std::string& line) {
                                         bar.finish();
                                         fmt::print(stderr, "{}\n", line);
                                       },
                                       [&](const std::string& file, std::uint64_t done,
                                           std::uint64_t total) { bar.update(file, done, total); }};
  const auto pulled =
      cluster::ModelPuller(library, *http, clock, cluster::PullOptions::from_environment())
          .pull(wanted, progress);
  bar.finish();
  return pulled.status();
}

std::string service_url(const api::Server& server, const std::string& address) {
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? fmt::format("http://[{}]:{}", address, server.port())
            : fmt::format("http://{}:{}", address, server.port());
}

void announce(const UpArguments& arguments, const api::Server& server, const std::string& address,
              const governance::Credentials& credentials, const std::vector<std::string>& names) {
  const std::string url = service_url(server, address);
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
      fmt::print("key     {}\nadmin   {}\n        (kept in secrets/credentials.toml)\n",
                 credentials.api_key, credentials.admin_key);
    }
    fmt::print(
        "try     curl {}/v1/chat/completions -H 'Authorization: Bearer {}' -H 'Content-Type: "
        "application/json' "
        "-d '{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'\n",
        url, credentials.created ? credentials.api_key : "$KEY", names.empty() ? "" : names[0]);
  }
  std::fflush(stdout);
}

// What running a worker takes, from the flags or, where they are 0, from what this machine grants.
cluster::FleetOptions fleet_options(const std::string& home, const UpArguments& arguments) {
  const int threads = arguments.threads > 0
                          ? arguments.threads
                          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  cluster::FleetOptions options;
  options.run_folder = home + "/run";
  options.log_folder = home + "/logs";
  options.kv_bytes = static_cast<std::uint64_t>(arguments.kv_mib) << 20;
  options.memory_bytes = arguments.memory_mib > 0
                             ? static_cast<std::uint64_t>(arguments.memory_mib) << 20
                             : base::memory_limit_bytes() / 5 * 4;
  options.worker_arguments = {"--ctx",     std::to_string(arguments.context),
                              "--threads", std::to_string(threads),
                              "--kv-mib",  std::to_string(arguments.kv_mib)};
  return options;
}

// Where `plinth chat` and its like find the service of a home; gone once the service is.
class ServiceFile {
 public:
  static absl::StatusOr<ServiceFile> write(const std::string& home, const std::string& url) {
    ServiceFile file(home + "/run/service.json");
    const base::json::object content{{"url", url}, {"pid", ::getpid()}};
    RETURN_IF_ERROR(base::write_file_atomic(file.path_, base::to_json(content)));
    return file;
  }
  ServiceFile(ServiceFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~ServiceFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

 private:
  explicit ServiceFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

absl::Status up(const std::string& home_flag, const UpArguments& arguments) {
  // Blocked before any thread starts, so that only the wait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  api::ServerOptions server_options;
  RETURN_IF_ERROR(parse_listen(arguments.listen, server_options));
  server_options.cors_origins = arguments.cors_origins;
  ASSIGN_OR_RETURN(const std::string home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto lock, lock_home(home));
  const base::RealClock clock;
  base::Metrics metrics;
  ASSIGN_OR_RETURN(const auto database, store::Database::open(home + "/plinth.db"));
  ASSIGN_OR_RETURN(const auto keys, governance::ApiKeys::open(home, *database, clock));
  ASSIGN_OR_RETURN(const auto credentials, keys->first_start());
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  const auto executor = cluster::make_local_executor("/proc/self/exe");
  ASSIGN_OR_RETURN(const auto fleet, cluster::Fleet::create(fleet_options(home, arguments), library,
                                                            *executor, clock, metrics));
  std::vector<std::string> names;
  if (!arguments.no_default) names.push_back(kDefaultModel);
  names.insert(names.end(), arguments.models.begin(), arguments.models.end());
  for (const auto& name : names) {
    RETURN_IF_ERROR(ensure_installed(library, name, clock));
    RETURN_IF_ERROR(fleet->load(name));
  }
  fleet->set_ready();
  ASSIGN_OR_RETURN(const auto server,
                   api::Server::create(server_options, *fleet, *keys, clock, metrics));
  ASSIGN_OR_RETURN(const auto service_file,
                   ServiceFile::write(home, service_url(*server, server_options.address)));
  announce(arguments, *server, server_options.address, credentials, names);
  int received = 0;
  sigwait(&signals, &received);
  fmt::print(stderr, "draining\n");
  server->drain(kDrainGrace);
  fleet->drain(std::chrono::seconds(1));
  return absl::OkStatus();
}

}  // namespace

void add_up_command(CLI::App& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand("up", "Start the service and its models");
  const auto arguments = std::make_shared<UpArguments>();  // shared by the callback CLI11 keeps
  command->add_option("--listen", arguments->listen, "Address and port")->capture_default_str();
  command->add_option("--model", arguments->models, "A further model to load (repeatable)");
  command->add_option("--cors-origin", arguments->cors_origins,
                      "A web page's origin that may call this service, or * (repeatable)");
  command->add_flag("--no-default", arguments->no_default, "Leave the default model out");
  command->add_flag("--json", arguments->json, "One JSON line on stdout when ready");
  command->add_option("--ctx", arguments->context, "Context length in tokens (0 = the model's own)")
      ->check(CLI::Range(0, 1 << 24));
  command->add_option("--threads", arguments->threads, "Compute threads (0 = all)")
      ->check(CLI::Range(0, 1024));
  command
      ->add_option("--model-memory-mib", arguments->memory_mib,
                   "Memory for all loaded models, MiB (0 = 80 % of what this machine grants)")
      ->check(CLI::Range(0, 1 << 30));
  command->add_option("--kv-mib", arguments->kv_mib, "Memory for each model's keys and values, MiB")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->callback([arguments, &home, &exit_code] {
    const auto status = up(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
