// An RpcLink over a stream socket.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/file.h"
#include "net/rpc_link.h"

namespace plinth::net {

class SocketLink final : public RpcLink {
 public:
  // `socket` is connected.
  SocketLink(base::UniqueFd socket, const RpcOptions& options);
  ~SocketLink() override;
  absl::Status send(const std::string& frame) override;
  std::optional<std::string> receive() override;
  // The descriptor stays until nobody uses it any more.
  void close() override;

 private:
  absl::Status keep(std::string_view head, std::string_view body);
  bool send_now(std::string_view& head, std::string_view& body);
  void send_rest();
  bool read_exactly(char* out, std::size_t size);
  bool read_some();

  const base::UniqueFd socket_;
  const RpcOptions options_;

  std::mutex write_mutex_;
  std::condition_variable changed_;
  std::string unsent_;         // what the peer did not take at once; protected by write_mutex_,
                               // as are the following
  std::size_t unsent_at_ = 0;  // where it begins
  bool closed_ = false;
  std::thread sender_;  // of what is unsent; started when first needed

  std::string buffer_;  // of receive(), as is the following
  std::string_view unread_;
};

}  // namespace plinth::net
