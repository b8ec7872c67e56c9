#pragma once

// tls_over_memory.hpp - one connection's TLS without its socket: bytes of the wire in, bytes of the
// wire out. Of the clients (load/) and of the bare loop (peers/bare), not of otter.
//
//   bench::check()            ends the program with OpenSSL's reason
//   bench::tls_context_for()  TLS 1.3 and nothing else, buffers only while there is something in
//   them bench::tls_over_memory    handshake, then plain bytes in both directions
//
// So each flight is one recv() and one send(), however many records it has: with OpenSSL at the
// socket it would be one for the head of a record and one for the rest. Used by one thread.

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>

namespace bench {

inline void check(bool ok, char const* what) {
  if (ok) return;
  char reason[256] = "no reason given";
  if (unsigned long const e = ::ERR_peek_error(); e != 0)
    ::ERR_error_string_n(e, reason, sizeof reason);
  std::fprintf(stderr, "%s: %s\n", what, reason);
  std::exit(1);
}

struct openssl_deleter {
  void operator()(SSL_CTX* c) const noexcept { ::SSL_CTX_free(c); }
  void operator()(SSL* s) const noexcept { ::SSL_free(s); }
  void operator()(SSL_SESSION* s) const noexcept { ::SSL_SESSION_free(s); }
  void operator()(EVP_PKEY* k) const noexcept { ::EVP_PKEY_free(k); }
  void operator()(X509* c) const noexcept { ::X509_free(c); }
};
template <class T>
using openssl_ptr = std::unique_ptr<T, openssl_deleter>;

inline openssl_ptr<SSL_CTX> tls_context_for(SSL_METHOD const* side) {
  openssl_ptr<SSL_CTX> context(::SSL_CTX_new(side));
  check(context != nullptr, "SSL_CTX_new");
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  return context;
}

class tls_over_memory {
 public:
  enum class handshake : unsigned char { waits, done, failed };

  /// Which side it is, the caller says by SSL_set_accept_state() or SSL_set_connect_state().
  explicit tls_over_memory(SSL_CTX* context) : ssl_(::SSL_new(context)) {
    check(ssl_ != nullptr, "SSL_new");
    BIO* const in = ::BIO_new(::BIO_s_mem());
    BIO* const out = ::BIO_new(::BIO_s_mem());
    check(in != nullptr && out != nullptr, "BIO_new");
    ::SSL_set_bio(ssl_.get(), in, out);  // owns both from now on
  }

  SSL* openssl() const noexcept { return ssl_.get(); }

  /// What has come off the wire.
  void take(std::string_view wire) {
    std::size_t n = 0;
    check(::BIO_write_ex(::SSL_get_rbio(ssl_.get()), wire.data(), wire.size(), &n) == 1 &&
              n == wire.size(),
          "BIO_write_ex");
  }

  /// As far as it gets with what was taken. Again after `done` costs nothing.
  handshake shake_hands() {
    if (SSL_is_init_finished(ssl_.get())) return handshake::done;
    int const r = ::SSL_do_handshake(ssl_.get());
    if (r == 1) return handshake::done;
    return waits(r) ? handshake::waits : handshake::failed;
  }

  /// Plain bytes of what was taken: how many, 0 for no more now, below 0 for the end of it all.
  std::ptrdiff_t read(std::span<char> to) {
    std::size_t n = 0;
    int const r = ::SSL_read_ex(ssl_.get(), to.data(), to.size(), &n);
    if (r == 1) return static_cast<std::ptrdiff_t>(n);
    return waits(r) ? 0 : -1;
  }

  /// After the handshake. Memory is never full: it is all written or the program is over.
  void write(std::string_view plain) {
    std::size_t n = 0;
    check(::SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &n) == 1 && n == plain.size(),
          "SSL_write_ex");
  }

  /// What is to be sent now; until drop_wire().
  std::string_view wire() const {
    char* data = nullptr;
    long const size = BIO_get_mem_data(::SSL_get_wbio(ssl_.get()), &data);
    return {data, static_cast<std::size_t>(size)};
  }
  void drop_wire() { static_cast<void>(BIO_reset(::SSL_get_wbio(ssl_.get()))); }

 private:
  /// Of a call that did not succeed: more of the wire will help. Leaves OpenSSL's errors for those
  /// who print them only if not.
  bool waits(int r) const { return ::SSL_get_error(ssl_.get(), r) == SSL_ERROR_WANT_READ; }

  openssl_ptr<SSL> ssl_;
};

}  // namespace bench
