#pragma once

// otter/tls.hpp - TLS on TCP sockets.
//
//   otter::tls_handshake()            makes a plain connection a TLS one, in place (STARTTLS)
//   otter::tls_accept(), tls_connect()  TCP and then the handshake
//   otter::connection_information()   version, cipher, protocol, names ... of a connection
//   otter::peer_certificate()         what the peer has shown
//   otter::export_key_material()      keying material of this connection, for channel binding
//
// After the handshake the socket is the one that it was: the same name, owner and messages, modes,
// packets and watermarks (otter/tcp.hpp). What is sent is encrypted, what comes is decrypted and
// checked; sent_bytes and received_bytes count what is on the wire. close() says farewell to the
// peer and then closes; a peer that leaves without a farewell has closed as well (TCP-30).
//
// A TLS connection that waits holds 15 KB, nearly all of it OpenSSL's (doc/io.md, "TLS").

#include <chrono>
#include <cstdint>
#include <otter/duration.hpp>
#include <otter/tcp.hpp>
#include <otter/tls_context.hpp>
#include <otter/tls_error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter {

struct tls_handshake_options {
  /// Client: whom we want to talk to, a host name or a numeric address: asked for (SNI), and with
  /// tls_verification::full looked for in the certificate. Server: not used.
  std::string server_name = {};
  /// For all of it, the waiting for a place among tls_server_options::handshakes included.
  duration limit = std::chrono::seconds(10);
};

/// What both sides have agreed upon.
struct tls_info {
  std::string version;           ///< "TLSv1.3"
  std::string cipher;            ///< "TLS_AES_256_GCM_SHA384"
  std::string protocol;          ///< ALPN; empty: none
  std::string server_name = {};  ///< asked for by the client; empty: none
  std::string
      peer_subject;  ///< of the peer's certificate, as in RFC 2253; empty: it has shown none
  /// "ok", or what is wrong with the peer's certificate: with tls_verification::none that ends no
  /// handshake. Empty: it has shown none.
  std::string verification;
  bool resumed = false;  ///< a session from before: no certificates were sent
};

/// Makes the connection a TLS connection, on the side that `context` was made for. The socket must
/// be passive and the caller its owner. Bytes that came before and were not received are the
/// beginning of the peer's handshake, and never read as plain text (TCP-29); what was sent before
/// goes ahead.
///
/// A handshake that fails closes the socket, after telling the peer why. A client knows only that
/// *it* is satisfied: with TLS 1.3 a server's refusal of the client's certificate is met by the
/// first receive.
///
/// Called from: the owner. Blocks: until both are satisfied, at most options.limit. Exits: may.
/// Errors: any of tls_errc and tcp_errc but no_exporter and truncated. The socket stays as it was,
/// and open, only for these: einval if it is not passive, has TLS already or is being received
/// from; not_owner. Throws: error(badarg) for no context, and for a client that verifies names
/// without server_name.
tls_result<tls_info> tls_handshake(tcp_socket socket, tls_context const& context,
                                   tls_handshake_options const& options = {});

/// tcp_accept() and tls_handshake(). While the handshake goes on the caller accepts nobody else: to
/// serve many, accept with tcp_accept() and let the process of the connection make the handshake.
/// `limit` is for waiting for a connection.
tls_result<tcp_socket> tls_accept(tcp_listener listener, tls_context const& context,
                                  duration limit = infinity,
                                  tls_handshake_options const& options = {});

/// tcp_connect() and tls_handshake() with `host` as the server_name. `limit` is for both. A socket
/// that is to be active is so after the handshake.
tls_result<tcp_socket> tls_connect(std::string_view host, std::uint16_t port,
                                   tls_context const& context, tcp_options const& options = {},
                                   duration limit = infinity);

/// Errors: closed; enotconn if the connection has no TLS, as long as it has none.
/// Called from: a process. Blocks: never. Exits: never.
tcp_result<tls_info> connection_information(tcp_socket socket);

/// The peer's certificate in DER. Errors: as above; and tls_errc::certificate_required if it has
/// shown none.
tcp_result<std::vector<std::byte>> peer_certificate(tcp_socket socket);

/// `length` bytes that only the two ends of this connection know (RFC 8446, 7.5; RFC 5705), at most
/// 1024. For channel binding "tls-exporter" (RFC 9266): label "EXPORTER-Channel-Binding", 32 bytes.
/// Errors: as above; and no_exporter: in TLS 1.2 without the extended master secret they might be
/// known to somebody in the middle.
tcp_result<std::vector<std::byte>> export_key_material(tcp_socket socket, std::string_view label,
                                                       std::size_t length);

}  // namespace otter
