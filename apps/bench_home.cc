#include "apps/bench_home.h"

#include <stdlib.h>

#include <cerrno>
#include <filesystem>

namespace plinth {

absl::Status in_bench_home(absl::FunctionRef<absl::Status(const std::string& home)> measure) {
  std::string home = std::filesystem::temp_directory_path() / "plinth-bench-XXXXXX";
  if (::mkdtemp(home.data()) == nullptr) return base::errno_status(errno, home);
  const auto status = measure(home);
  std::error_code ignored;
  std::filesystem::remove_all(home, ignored);
  return status;
}

}  // namespace plinth
