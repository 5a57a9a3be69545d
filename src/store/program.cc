#include "store/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "store/limits.h"

extern char** environ;

namespace plinth::store {

namespace {

// argv or envp of `texts`, which outlive it.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// The end of what comes, to its end.
std::string last_words(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > kProgramOutputMax) text.erase(0, text.size() - kProgramOutputMax);
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

absl::Status run_program(const std::vector<std::string>& words,
                         const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> arguments = words, environment;
  for (char** at = environ; *at != nullptr; ++at) environment.emplace_back(*at);
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::errno_status(errno, "pipe");
  const base::UniqueFd reading(ends[0]);
  base::UniqueFd writing(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), 2);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, words[0].c_str(), &actions, nullptr,
                                   pointers_to(arguments).data(), pointers_to(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  writing.reset();
  if (error == ENOENT) {
    return base::failed_precondition(fmt::format(
        "{} is not installed: it comes with PostgreSQL's client programs (Debian's package"
        " postgresql-client)",
        words[0]));
  }
  if (error != 0) return base::errno_status(error, words[0]);
  const auto said = last_words(reading.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return base::internal(fmt::format("{} failed: {}", words[0], said));
}

}  // namespace plinth::store
