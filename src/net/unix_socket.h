// What servers and clients of unix sockets begin with. Inside of net.
#pragma once

#include <sys/un.h>

#include <string>

#include "base/file.h"
#include "base/status.h"

namespace plinth::net {

// InvalidArgument where the path is longer than a socket's name may be.
absl::StatusOr<sockaddr_un> unix_address(const std::string& path);
// A stream socket; `flags` are added: SOCK_NONBLOCK.
absl::StatusOr<base::UniqueFd> make_unix_socket(int flags = 0);

}  // namespace plinth::net
