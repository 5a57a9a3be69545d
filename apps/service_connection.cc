#include "apps/service_connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "apps/command_line.h"
#include "apps/home.h"
#include "apps/model_install.h"
#include "apps/service_file.h"
#include "apps/settings_flags.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "base/json.h"
#include "governance/api_keys.h"
#include "net/http_client.h"

namespace plinth {

namespace {

// A service that another command is just starting; loading a large model takes this long.
constexpr std::chrono::seconds kStartMax{600};
constexpr std::size_t kLogTailBytes = 2000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::unique_ptr<net::HttpClient> quick_client(const std::string& url) {
  net::HttpClientOptions options;
  options.connect_max = std::chrono::seconds(5);
  options.total_max = std::chrono::seconds(10);
  options.proxies = !is_this_machine(url);
  return net::make_http_client(options);
}

bool answers(const std::string& url) {
  const auto health = quick_client(url)->get(url + "/healthz", {});
  return health.ok();
}

// The first model that the service lists.
absl::StatusOr<std::string> first_model(const std::string& url, const std::string& key) {
  const auto client = quick_client(url);
  ASSIGN_OR_RETURN(const auto answer,
                   client->get(url + "/v1/models", {"Authorization: Bearer " + key}));
  ASSIGN_OR_RETURN(const auto document, base::parse_json(answer.body));
  const auto* object = document.if_object();
  const auto* data = object == nullptr ? nullptr : object->if_contains("data");
  if (data != nullptr && data->is_array()) {
    for (const auto& model : data->get_array()) {
      const auto* id = model.is_object() ? model.get_object().if_contains("id") : nullptr;
      if (id != nullptr && id->is_string()) return std::string(id->get_string());
    }
  }
  return base::not_found(url + " lists no model; name one with -m");
}

absl::StatusOr<ServiceConnection> connect_url(std::string url, const ServiceFlags& flags) {
  while (url.ends_with("/")) url.pop_back();
  if (url.ends_with("/v1")) url.resize(url.size() - 3);
  ServiceConnection service;
  service.url = url;
  service.key = flags.key.empty() ? environment("PLINTH_KEY") : flags.key;
  service.model = flags.model;
  if (service.model.empty()) {
    ASSIGN_OR_RETURN(service.model, first_model(url, service.key));
  }
  return service;
}

// Whether some process holds the home, as `plinth up` does while it runs.
bool home_is_held(const std::string& home) {
  base::UniqueFd fd(::open((home + "/lock").c_str(), O_RDWR | O_CLOEXEC));
  return fd.valid() && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

absl::StatusOr<ServiceAddress> wait_for_other(const std::string& home) {
  const auto until = std::chrono::steady_clock::now() + kStartMax;
  bool told = false;
  while (home_is_held(home) && std::chrono::steady_clock::now() < until) {
    auto service = read_service_file(home);
    if (service.ok() && answers(service->url)) return service;
    if (!told && is_terminal(STDERR_FILENO)) {
      fmt::print(stderr, "{}\n", styled("waiting for the service of this home to be ready", "2"));
      told = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return base::unavailable("no service is ready in " + home);
}

// Between fork and exec: async-signal-safe calls alone.
[[noreturn]] void become_service(char* const* arguments, pid_t parent, int out, int log) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  // A terminal's Ctrl-C is for the command.
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, 0);
  ::dup2(out, 1);
  ::dup2(log, 2);
  ::execv("/proc/self/exe", arguments);
  ::_exit(127);
}

std::string tail_of(const std::string& path) {
  auto text = base::read_file(path, 64u << 20);
  if (!text.ok()) return "";
  if (text->size() > kLogTailBytes) text->erase(0, text->size() - kLogTailBytes);
  while (text->ends_with("\n")) text->pop_back();
  return *std::move(text);
}

// The first line of the child's standard output; empty where it ended before.
std::string read_line(int fd) {
  std::string line;
  char c = 0;
  while (true) {
    const auto n = ::read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return "";
    if (c == '\n') return line;
    line += c;
  }
}

absl::StatusOr<ServiceConnection> start_service(const std::string& home, const std::string& model) {
  RETURN_IF_ERROR(base::make_folders(home + "/logs"));
  const std::string log_path = home + "/logs/service.log";
  base::UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!log.valid()) return base::errno_status(errno, log_path);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::errno_status(errno, "[service] pipe");
  const base::UniqueFd read_end(ends[0]);
  base::UniqueFd write_end(ends[1]);
  std::vector<std::string> words{"plinth",      "up",     "--home",       home,      "--listen",
                                 "127.0.0.1:0", "--json", "--no-default", "--model", model};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (is_terminal(STDERR_FILENO)) {
    fmt::print(stderr, "{}", styled(fmt::format("loading {} ...\r", model), "2"));
  }
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return base::errno_status(errno, "[service] fork");
  if (pid == 0) become_service(arguments.data(), parent, write_end.get(), log.get());
  write_end.reset();
  ServiceConnection service;
  service.started = std::make_unique<StartedService>(pid);
  const std::string line = read_line(read_end.get());
  if (is_terminal(STDERR_FILENO)) fmt::print(stderr, "\033[K");
  const auto ready = base::parse_json(line);
  const auto* object = ready.ok() ? ready->if_object() : nullptr;
  if (object == nullptr) {
    return base::unavailable(
        fmt::format("the service did not start; the end of {}:\n{}", log_path, tail_of(log_path)));
  }
  const auto text = [&](const char* name) {
    const auto* value = object->if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
  };
  service.home = home;
  service.url = text("url");
  service.key = text("api_key");
  service.model = model;
  return service;
}

}  // namespace

bool is_this_machine(const std::string& url) {
  const auto host = url.find("://");
  if (host == std::string::npos) return false;
  const auto rest = std::string_view(url).substr(host + 3);
  return rest.starts_with("127.") || rest.starts_with("[::1]") || rest.starts_with("localhost");
}

void add_service_flags(Command& command, ServiceFlags& flags) {
  command.add_option("-m,--model", flags.model, "Model (default: the service's first)");
  command.add_option("--url", flags.url, "A service elsewhere (or PLINTH_URL)");
  command.add_option("--key", flags.key, "Its API key (or PLINTH_KEY)");
}

StartedService::~StartedService() {
  ::kill(pid_, SIGTERM);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

absl::StatusOr<ServiceConnection> connect_service(const std::string& home_flag,
                                                  const ServiceFlags& flags) {
  const std::string url = flags.url.empty() ? environment("PLINTH_URL") : flags.url;
  if (!url.empty()) return connect_url(url, flags);
  ASSIGN_OR_RETURN(const std::string home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto settings, load_settings(home, nullptr));
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  const base::RealClock clock;
  std::string model = flags.model;
  if (!model.empty()) {
    ASSIGN_OR_RETURN(model, ensure_installed(library, model, clock));
  }
  if (home_is_held(home)) {
    ASSIGN_OR_RETURN(const auto running, wait_for_other(home));
    ASSIGN_OR_RETURN(const auto credentials, governance::read_credentials(home));
    ServiceConnection service;
    service.home = home;
    service.url = running.url;
    service.key = flags.key.empty() ? credentials.api_key : flags.key;
    service.model = model;
    if (service.model.empty() && !running.models.empty()) service.model = running.models.front();
    if (service.model.empty()) {
      ASSIGN_OR_RETURN(service.model, first_model(service.url, service.key));
    }
    return service;
  }
  if (model.empty()) {
    const auto& first = settings.text("models.default");
    if (first.empty()) return base::invalid_argument("models.default is empty: name a model, -m");
    ASSIGN_OR_RETURN(model, ensure_installed(library, first, clock));
  }
  return start_service(home, model);
}

absl::Status switch_model(ServiceConnection& service, const std::string& model) {
  if (service.home.empty()) {
    service.model = model;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(service.home));
  const base::RealClock clock;
  ASSIGN_OR_RETURN(service.model, ensure_installed(library, model, clock));
  return absl::OkStatus();
}

}  // namespace plinth
