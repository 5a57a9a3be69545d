// One question and one answer over a unix socket, for programs of the same user on this machine:
//
//   auto socket = LocalSocket::listen(home + "/run/admin.sock", options,
//                                     [](const LocalPeer& peer, std::string question) { ... });
//   auto answer = ask_local_socket(home + "/run/admin.sock", "hello", options);
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"

namespace plinth::net {

// Who asks, as the kernel says: nothing that the peer sends.
struct LocalPeer {
  uid_t uid = 0;
  pid_t pid = 0;
};
// Of a connected socket (SO_PEERCRED).
absl::StatusOr<LocalPeer> kernel_peer(int socket);

struct LocalSocketOptions {
  // Of a question or an answer: a few short fields.
  std::size_t message_bytes_max = 16u << 10;
  // For one question and its answer. One is served at a time: who sends nothing keeps others
  // waiting for so long.
  std::chrono::milliseconds time_max{5'000};
  std::function<absl::StatusOr<LocalPeer>(int socket)> peer_of = kernel_peer;
};

class LocalSocket {
 public:
  using Handler = std::function<std::string(const LocalPeer& peer, std::string question)>;

  // The file has mode 0600 from its first moment; a stale one is replaced. Besides, only this
  // process's own user and root are answered: others are hung up on. `handler` runs on one thread.
  static absl::StatusOr<std::unique_ptr<LocalSocket>> listen(const std::string& path,
                                                             const LocalSocketOptions& options,
                                                             Handler handler);
  // Waits for the question that is being answered, and removes the file.
  virtual ~LocalSocket() = default;
};

// Unavailable where nobody listens, or whoever does hangs up without an answer.
absl::StatusOr<std::string> ask_local_socket(const std::string& path, const std::string& question,
                                             const LocalSocketOptions& options = {});

}  // namespace plinth::net
