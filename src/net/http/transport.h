// The bytes of one connection, as they are or through TLS.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "net/tls.h"

extern "C" {
typedef struct ssl_st SSL;
}

namespace plinth::net {

// Used by one thread. Never blocks: `would_block` means to try again once the socket can be read or
// written, as wants_to_write() and wants_to_read() say where that is not what one would think.
class Transport {
 public:
  using Error = boost::system::error_code;

  // `tls` null: plain bytes. The socket is non-blocking once begin() was called.
  Transport(boost::asio::ip::tcp::socket socket, const TlsIdentity* tls);
  ~Transport();

  boost::asio::ip::tcp::socket& socket() { return socket_; }
  Error begin();
  // Zero bytes and `eof` at the peer's end.
  std::size_t read(char* data, std::size_t size, Error& error);
  std::size_t write(const char* data, std::size_t size, Error& error);
  // Tells the peer that no more comes.
  Error end_sending();
  void close();

  // Whether read() waits for the socket to take bytes, and write() for it to bring some: a
  // handshake goes on with either.
  bool read_wants_to_write() const { return read_wants_to_write_; }
  bool write_wants_to_read() const { return write_wants_to_read_; }
  // Of TLS, whether the peer has yet to prove that it speaks it.
  bool greets() const;
  // What the client presented: DER, its own first. Null where it was not asked, or had none.
  std::shared_ptr<const std::vector<std::string>> client_chain() const;

 private:
  Error error_of(int result, bool reading);

  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<SSL_CTX> context_;  // shared with the identity, which may have a newer one
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  bool read_wants_to_write_ = false, write_wants_to_read_ = false, broken_ = false;
};

}  // namespace plinth::net
