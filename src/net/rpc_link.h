// Frames both ways over one stream: what a gateway and its workers speak through. A unix socket on
// one machine (docs/decisions/0017); the same link over mTLS later.
//
//   auto server = RpcServer::listen("/home/run/gateway.sock", options, [](RpcLink& link) { ... });
//   auto link = dial_rpc("/home/run/gateway.sock", options);
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "net/limits.h"

namespace plinth::net {

struct RpcOptions {
  std::size_t frame_bytes_max = kRpcFrameBytesMax;    // a longer frame ends the link
  std::size_t unsent_bytes_max = kRpcUnsentBytesMax;  // more, and the link is closed
  std::chrono::milliseconds dial_max{10'000};
};

// One stream. send() from any threads; receive() from one thread at a time; close() from any.
class RpcLink {
 public:
  virtual ~RpcLink() = default;
  // Never waits: what the peer does not take at once follows later, in order, from a thread of the
  // link. Unavailable once the link is closed.
  virtual absl::Status send(const std::string& frame) = 0;
  // The next frame, or nothing once the peer is gone or the link is closed.
  virtual std::optional<std::string> receive() = 0;
  virtual void close() = 0;
};

class RpcServer {
 public:
  // `serve` runs on a thread of its own for each link, which is closed when it returns. A stale
  // socket file is replaced; the new one is open to this user alone.
  static absl::StatusOr<std::unique_ptr<RpcServer>> listen(const std::string& path,
                                                           const RpcOptions& options,
                                                           std::function<void(RpcLink&)> serve);
  // Closes every link and waits for their threads.
  virtual ~RpcServer() = default;
};

// Unavailable where nobody listens within dial_max.
absl::StatusOr<std::unique_ptr<RpcLink>> dial_rpc(const std::string& path,
                                                  const RpcOptions& options);

}  // namespace plinth::net
