#include "net/unix_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace plinth::net {

absl::StatusOr<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return base::invalid_argument(path + ": longer than a socket's name may be");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<base::UniqueFd> make_unix_socket(int flags) {
  base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!socket.valid()) return base::errno_status(errno, "unix socket");
  return socket;
}

}  // namespace plinth::net
