#include "net/http/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <climits>
#include <utility>

namespace plinth::net {

namespace {

namespace asio = boost::asio;

int to_int(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, INT_MAX)); }

}  // namespace

Transport::Transport(asio::ip::tcp::socket socket, const TlsIdentity* tls)
    : socket_(std::move(socket)), ssl_(nullptr, SSL_free) {
  if (tls == nullptr) return;
  context_ = tls->context();
  ssl_.reset(SSL_new(context_.get()));
}

Transport::~Transport() = default;

Transport::Error Transport::begin() {
  Error error;
  socket_.non_blocking(true, error);
  if (error || context_ == nullptr) return error;
  if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), socket_.native_handle()) != 1)
    return asio::error::no_memory;
  SSL_set_accept_state(ssl_.get());
  return {};
}

Transport::Error Transport::error_of(int result, bool reading) {
  const int why = SSL_get_error(ssl_.get(), result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
    read_wants_to_write_ = reading && why == SSL_ERROR_WANT_WRITE;
    write_wants_to_read_ = !reading && why == SSL_ERROR_WANT_READ;
    return asio::error::would_block;
  }
  if (why == SSL_ERROR_ZERO_RETURN) return asio::error::eof;
  broken_ = true;
  return asio::error::connection_reset;
}

std::size_t Transport::read(char* data, std::size_t size, Error& error) {
  if (ssl_ == nullptr) return socket_.read_some(asio::buffer(data, size), error);
  ERR_clear_error();
  read_wants_to_write_ = false;
  const int result = SSL_read(ssl_.get(), data, to_int(size));
  error = result > 0 ? Error() : error_of(result, true);
  return result > 0 ? static_cast<std::size_t>(result) : 0;
}

std::size_t Transport::write(const char* data, std::size_t size, Error& error) {
  if (ssl_ == nullptr) return socket_.write_some(asio::const_buffer(data, size), error);
  ERR_clear_error();
  write_wants_to_read_ = false;
  const int result = SSL_write(ssl_.get(), data, to_int(size));
  error = result > 0 ? Error() : error_of(result, false);
  return result > 0 ? static_cast<std::size_t>(result) : 0;
}

Transport::Error Transport::end_sending() {
  if (ssl_ != nullptr && !broken_ && !greets()) {
    ERR_clear_error();
    (void)SSL_shutdown(ssl_.get());
  }
  Error error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  return error;
}

void Transport::close() {
  Error ignored;
  socket_.close(ignored);
}

bool Transport::greets() const { return ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 0; }

std::shared_ptr<const std::vector<std::string>> Transport::client_chain() const {
  if (ssl_ == nullptr) return nullptr;
  // Of a server without the client's own, which comes first in ours.
  const auto* others = SSL_get_peer_cert_chain(ssl_.get());
  const X509* own = SSL_get0_peer_certificate(ssl_.get());
  if (own == nullptr) return nullptr;
  auto chain = std::make_shared<std::vector<std::string>>();
  const auto add = [&](const X509* certificate) {
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(certificate, &bytes);
    // What cannot be written stands there as what nobody accepts.
    chain->emplace_back(reinterpret_cast<const char*>(bytes), size > 0 ? size : 0);
    OPENSSL_free(bytes);
  };
  add(own);
  for (int i = 0; others != nullptr && i < sk_X509_num(others); ++i) add(sk_X509_value(others, i));
  ERR_clear_error();
  return chain;
}

}  // namespace plinth::net
