#include "apps/bench_gateway_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>
#include <vector>

#include "base/json.h"

namespace plinth {

absl::StatusOr<std::unique_ptr<GatewayProcess>> GatewayProcess::start(
    std::vector<std::string> arguments) {
  auto process = std::unique_ptr<GatewayProcess>(new GatewayProcess());
  std::vector<std::string> words{"plinth", "bench", "gateway", "--role"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  RETURN_IF_ERROR(process->spawn(std::move(words)));
  RETURN_IF_ERROR(process->read_ready_line());
  return process;
}

absl::StatusOr<std::unique_ptr<GatewayProcess>> GatewayProcess::start(const std::string& home,
                                                                      int step_ms,
                                                                      const std::string& database) {
  std::vector<std::string> words{"gateway", "--in", home, "--step-ms", std::to_string(step_ms)};
  if (!database.empty()) words.insert(words.end(), {"--database", database});
  return start(std::move(words));
}

absl::StatusOr<std::unique_ptr<GatewayProcess>> GatewayProcess::start_bare(bool streamed) {
  return start({streamed ? "bare-stream" : "bare"});
}

GatewayProcess::~GatewayProcess() {
  to_.reset();
  int status = 0;
  if (pid_ > 0) ::waitpid(pid_, &status, 0);
}

absl::Status GatewayProcess::read_ready_line() {
  std::string line;
  char byte = 0;
  while (::read(from_.get(), &byte, 1) == 1 && byte != '\n') line += byte;
  const auto ready = base::parse_json(line);
  const auto* fields = ready.ok() ? ready->if_object() : nullptr;
  const auto* port_field = fields == nullptr ? nullptr : fields->if_contains("port");
  const auto* key = fields == nullptr ? nullptr : fields->if_contains("api_key");
  if (port_field == nullptr || !port_field->is_int64() || key == nullptr || !key->is_string())
    return base::unavailable("[bench] no gateway came up");
  port = static_cast<std::uint16_t>(port_field->get_int64());
  api_key = std::string(key->get_string());
  return absl::OkStatus();
}

absl::StatusOr<double> GatewayProcess::cpu_seconds() const {
  ASSIGN_OR_RETURN(const auto text, base::read_file(fmt::format("/proc/{}/stat", pid_), 4096));
  // The fields after the name in parentheses; utime and stime are the 14th and 15th of all.
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::vector<std::string> words;
  for (std::string word; fields >> word;) words.push_back(word);
  if (words.size() < 13) return base::internal("[bench] /proc/PID/stat is short");
  return (std::stod(words[11]) + std::stod(words[12])) /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

absl::StatusOr<double> GatewayProcess::memory_mib(std::string_view field) const {
  ASSIGN_OR_RETURN(const auto text, base::read_file(fmt::format("/proc/{}/status", pid_), 1 << 16));
  const auto at = text.find(std::string(field) + ":");
  if (at == std::string::npos) return base::internal("[bench] /proc/PID/status is short");
  return std::stod(text.substr(at + field.size() + 1)) / 1024;
}

absl::Status GatewayProcess::spawn(std::vector<std::string> words) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
    return base::errno_status(errno, "[bench] pipe");
  to_ = base::UniqueFd(in[1]);
  from_ = base::UniqueFd(out[0]);
  const base::UniqueFd their_in(in[0]), their_out(out[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int error =
      ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? absl::OkStatus() : base::errno_status(error, "[bench] posix_spawn");
}

}  // namespace plinth
