#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cluster/executor.h"

namespace plinth::cluster {

namespace {

class LocalProcess final : public WorkerProcess {
 public:
  explicit LocalProcess(pid_t pid) : pid_(pid) {}
  ~LocalProcess() override {
    if (end_) return;
    kill();
    int status = 0;
    ::waitpid(pid_, &status, 0);
  }
  void kill() override {
    if (!end_) ::kill(pid_, SIGKILL);
  }
  void interrupt() override {
    if (!end_) ::kill(pid_, SIGTERM);
  }
  std::optional<std::string> ended() override {
    int status = 0;
    if (!end_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
      end_ = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                 : fmt::format("exit code {}", WEXITSTATUS(status));
    }
    return end_;
  }

 private:
  const pid_t pid_;
  std::optional<std::string> end_;  // set once the process is reaped: its number may be reused
};

// What a child is made of, ready before the fork.
struct Child {
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  pid_t parent = 0;
  int log = -1, input = -1, output = -1;
  bool background = false;
  rlim_t memory_bytes = 0;
};

// Between fork and exec: async-signal-safe calls alone.
[[noreturn]] void become(const Child& child) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != child.parent) ::_exit(1);
  // A terminal's Ctrl-C is for the gateway, which drains.
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (child.background) {
    // Who serves takes a processor from it at once, and not only at the end of its turn.
    const sched_param none_of_it{};
    ::sched_setscheduler(0, SCHED_IDLE, &none_of_it);
    ::setpriority(PRIO_PROCESS, 0, 19);
  }
  const rlimit memory{child.memory_bytes, child.memory_bytes};
  if (child.memory_bytes > 0) ::setrlimit(RLIMIT_DATA, &memory);
  // Neither of the caller's may be one of those that are overwritten.
  const int output = ::fcntl(child.output >= 0 ? child.output : child.log, F_DUPFD_CLOEXEC, 3);
  ::dup2(child.input >= 0 ? child.input : ::open("/dev/null", O_RDWR), 0);
  ::dup2(output, 1);
  ::dup2(child.log, 2);
  ::execve(child.program, child.arguments, child.environment);
  ::_exit(127);
}

class LocalExecutor final : public Executor {
 public:
  explicit LocalExecutor(std::string program) : program_(std::move(program)) {}

  absl::StatusOr<std::unique_ptr<WorkerProcess>> start(const WorkerSpec& spec) override {
    base::UniqueFd log(
        ::open(spec.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!log.valid()) return base::errno_status(errno, spec.log_path);
    std::vector<std::string> words = spec.arguments;
    words.insert(words.begin(), program_);
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::string token = fmt::format("{}={}", kWorkerTokenVariable, spec.token);
    std::vector<char*> environment{token.data()};
    for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
    environment.push_back(nullptr);
    const Child child{program_.c_str(), arguments.data(), environment.data(),
                      ::getpid(),       log.get(),        spec.input,
                      spec.output,      spec.background,  spec.memory_bytes};
    const pid_t pid = ::fork();
    if (pid < 0) return base::errno_status(errno, "[executor] fork");
    if (pid == 0) become(child);
    return std::unique_ptr<WorkerProcess>(std::make_unique<LocalProcess>(pid));
  }

 private:
  const std::string program_;
};

}  // namespace

std::unique_ptr<Executor> make_local_executor(std::string program) {
  return std::make_unique<LocalExecutor>(std::move(program));
}

}  // namespace plinth::cluster
