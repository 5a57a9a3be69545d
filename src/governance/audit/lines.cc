#include "governance/audit/lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/file.h"
#include "governance/audit_limits.h"

namespace plinth::governance {

absl::Status read_lines(const std::string& path,
                        const std::function<absl::Status(std::string_view, std::int64_t)>& take) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::errno_status(errno, path);
  std::vector<char> piece(1 << 16);
  std::string pending;
  std::int64_t number = 0;
  for (;;) {
    const auto count = ::read(fd.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::errno_status(errno, path);
    if (count == 0) return absl::OkStatus();
    pending.append(piece.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = pending.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      RETURN_IF_ERROR(take(std::string_view(pending).substr(begin, end - begin), ++number));
    }
    pending.erase(0, begin);
    if (pending.size() > kAuditLineBytesMax) {
      return base::resource_exhausted(
          fmt::format("{}:{}: a line of more than {} bytes", path, number + 1, kAuditLineBytesMax));
    }
  }
}

}  // namespace plinth::governance
