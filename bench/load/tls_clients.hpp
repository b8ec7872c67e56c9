#pragma once

// tls_clients.hpp - what clients need to connect with TLS 1.3 again and again, all of them in full,
// or each with the ticket of its connection before (psk_dhe_ke: a new key exchange, no
// certificate).
//
// They offer one suite and one group, so every server does the same arithmetic, whatever it would
// prefer. The server's signature is verified, as always; whose certificate it is, is not asked.

#include <cstddef>
#include <memory>
#include <vector>

#include "../tls_over_memory.hpp"

namespace load {

class tls_clients {
 public:
  tls_clients(bool resume, std::size_t clients)
      : resume_(resume),
        context_(bench::tls_context_for(::TLS_client_method())),
        clients_(clients) {
    SSL_CTX* const c = context_.get();
    bench::check(::SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256") == 1 &&
                     SSL_CTX_set1_groups_list(c, "X25519") == 1,
                 "tls client");
    ::SSL_CTX_set_cert_verify_callback(
        c, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    SSL_CTX_set_session_cache_mode(
        c, resume_ ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    ::SSL_CTX_sess_set_new_cb(c, keep_ticket);
  }

  /// The connection that client `i` makes now. The client is not moved meanwhile.
  std::unique_ptr<bench::tls_over_memory> connect(std::size_t i) {
    auto made = std::make_unique<bench::tls_over_memory>(context_.get());
    SSL* const s = made->openssl();
    SSL_set_app_data(s, &clients_[i]);
    if (clients_[i].ticket)
      bench::check(::SSL_set_session(s, clients_[i].ticket.get()) == 1, "SSL_set_session");
    ::SSL_set_connect_state(s);
    return made;
  }

  /// After the handshake: whether it was of the kind that is measured. The first of a client has no
  /// ticket yet.
  bool is_as_asked(std::size_t i, bench::tls_over_memory const& tls) {
    bool const resumed = ::SSL_session_reused(tls.openssl()) == 1;
    bool const expected = resume_ && clients_[i].has_been_here;
    clients_[i].has_been_here = true;
    return resumed == expected;
  }

  /// Before a connection ends without a farewell: else OpenSSL takes its ticket for broken.
  static void leave(bench::tls_over_memory const& tls) {
    ::SSL_set_shutdown(tls.openssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }

 private:
  struct client {
    bench::openssl_ptr<SSL_SESSION> ticket;  // the newest
    bool has_been_here = false;
  };

  static int keep_ticket(SSL* s, SSL_SESSION* ticket) {
    static_cast<client*>(SSL_get_app_data(s))->ticket.reset(ticket);
    return 1;  // it is ours
  }

  bool const resume_;
  bench::openssl_ptr<SSL_CTX> context_;
  std::vector<client> clients_;
};

}  // namespace load
