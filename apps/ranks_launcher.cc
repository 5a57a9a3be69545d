#include "apps/ranks_launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "apps/launcher_output.h"
#include "apps/stop_signals.h"
#include "base/clock.h"
#include "base/file.h"

namespace plinth {

namespace {

constexpr std::size_t kArgumentsBytesMax = 4u << 20;
// Between two looks at whether to stop, which is said again each time: ranks may still be starting.
constexpr std::chrono::milliseconds kLook{500};

absl::StatusOr<std::string> find_mpirun() {
  const char* path = std::getenv("PATH");
  std::string left = path == nullptr ? "" : path;
  while (!left.empty()) {
    const auto end = left.find(':');
    const auto program = left.substr(0, end) + "/mpirun";
    if (::access(program.c_str(), X_OK) == 0) return program;
    left = end == std::string::npos ? "" : left.substr(end + 1);
  }
  return base::not_found("--ranks needs mpirun, which is not in PATH: install openmpi-bin");
}

absl::StatusOr<std::vector<std::string>> command_line(int ranks) {
  ASSIGN_OR_RETURN(const auto mpirun, find_mpirun());
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).string();
  // Here, whatever a cluster has allotted; through shared memory alone, copied twice, since
  // containers forbid a process to read another's.
  std::vector<std::string> words = {mpirun,
                                    "-n",
                                    std::to_string(ranks),
                                    "--oversubscribe",
                                    "--bind-to",
                                    "none",
                                    "--host",
                                    fmt::format("localhost:{}", ranks)};
  for (const auto* setting : {"plm isolated", "ras ^slurm,gridengine,tm,lsf", "pml ob1",
                              "btl self,vader", "btl_vader_single_copy_mechanism none",
                              "oob_tcp_if_include lo", "oob_tcp_disable_ipv6_family 1"}) {
    const std::string_view text = setting;
    const auto space = text.find(' ');
    words.insert(words.end(), {"--mca", std::string(text.substr(0, space)),
                               std::string(text.substr(space + 1))});
  }
  words.push_back(program);
  ASSIGN_OR_RETURN(const auto own, base::read_file("/proc/self/cmdline", kArgumentsBytesMax));
  for (std::size_t at = own.find('\0') + 1; at < own.size(); at = own.find('\0', at) + 1)
    words.emplace_back(own.c_str() + at);
  return words;
}

bool write_text(const char* path, const std::string& text) {
  const base::UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file.get() >= 0 &&
         ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// A network with nothing but the loopback: mpirun listens on all there is, and cannot be told
// otherwise.
bool leave_network() {
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (::unshare(CLONE_NEWNET | (user == 0 ? 0 : CLONE_NEWUSER)) != 0) return false;
  if (user != 0 && !(write_text("/proc/self/uid_map", fmt::format("{0} {0} 1", user)) &&
                     write_text("/proc/self/setgroups", "deny") &&
                     write_text("/proc/self/gid_map", fmt::format("{0} {0} 1", group))))
    return false;
  const base::UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::strncpy(loopback.ifr_name, "lo", IFNAMSIZ - 1);
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  return ::ioctl(any.get(), SIOCSIFFLAGS, &loopback) == 0;
}

// In the child, which has one thread.
[[noreturn]] void become(const std::vector<char*>& words, int errors, pid_t parent) {
  ::setpgid(0, 0);  // Ctrl-C is the parent's, which passes it on
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(errors, STDERR_FILENO);
  ::signal(SIGUSR1, SIG_IGN);
  if (!leave_network())
    fmt::print(stderr,
               "note: mpirun listens on all networks of this machine: the kernel gives it "
               "none of its own\n");
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  if (::geteuid() == 0) {
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  }
  ::execv(words[0], words.data());
  ::_exit(127);
}

absl::StatusOr<int> stay(pid_t child, int errors, LauncherOutput& output) {
  const base::RealClock clock;
  base::TimePoint told{};
  std::array<char, 4096> bytes{};
  for (;;) {
    pollfd waiting{errors, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(kLook.count()));
    if (ready < 0 && errno != EINTR) return base::errno_status(errno, "[ranks] poll");
    if (asked_to_stop() && clock.now() - told >= kLook) {
      ::kill(child, SIGUSR1);
      told = clock.now();
    }
    if (ready <= 0) continue;
    const auto got = ::read(errors, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    const auto shown = output.take({bytes.data(), static_cast<std::size_t>(got)});
    fmt::print(stderr, "{}", shown);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return base::errno_status(errno, "[ranks] waitpid");
  }
  return status;
}

}  // namespace

absl::Status launch_ranks(int ranks) {
  ASSIGN_OR_RETURN(auto words, command_line(ranks));
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::errno_status(errno, "[ranks] pipe");
  const base::UniqueFd from(ends[0]);
  base::UniqueFd to(ends[1]);
  listen_for_stop();
  const auto parent = ::getpid();
  const auto child = ::fork();
  if (child < 0) return base::errno_status(errno, "[ranks] fork");
  if (child == 0) become(arguments, to.get(), parent);
  to.reset();
  LauncherOutput output;
  ASSIGN_OR_RETURN(const int status, stay(child, from.get(), output));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return output.error(WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

}  // namespace plinth
