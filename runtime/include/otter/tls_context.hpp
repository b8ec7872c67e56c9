#pragma once

// otter/tls_context.hpp - who we are and whom we believe: what many TLS connections share.
//
//   otter::tls_identity         a certificate chain and its private key
//   otter::tls_server_options   for those who accept
//   otter::tls_client_options   for those who connect; verification is on
//   otter::tls_context          made of either; given to tls_handshake(), otter/tls.hpp
//
// A context is a counted handle: copies are the same context. It is made once, may be used by any
// number of processes at once, and its certificates can be exchanged while it is in use.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/tls_error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter {

namespace rts {
struct tls_access;
struct tls_identity_data;
class tls_context_data;
}  // namespace rts

/// A certificate with the chain to its authority, and the private key to it. The key cannot be had
/// back, so it does not get into a log by way of a state or a message.
class tls_identity {
 public:
  /// Nobody.
  tls_identity() noexcept = default;
  /// Both in PEM; the chain begins with the certificate itself.
  ///
  /// Called from: anywhere. Blocks: never. Errors: bad_identity.
  static tls_result<tls_identity> from_pem(std::string_view chain, std::string_view key);
  /// Reads them. Blocks the thread for as long as reading two small files takes.
  static tls_result<tls_identity> from_files(std::string const& chain, std::string const& key);

  /// Made and signed by itself now, for 30 days, for `names` (host names or numeric addresses, at
  /// least one): for trying things out. Clients trust it if chain() is among their authorities.
  ///
  /// Called from: anywhere. Blocks: never. Errors: bad_identity for a name that cannot be in a
  /// certificate. Throws: error(badarg) for no name.
  static tls_result<tls_identity> self_signed(std::vector<std::string> const& names);

  /// The certificate and those above it, in PEM; of nobody: empty.
  std::string chain() const;
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  friend struct rts::tls_access;
  std::shared_ptr<rts::tls_identity_data const> data_;
};

enum class tls_version : std::uint8_t { tls1_2, tls1_3 };

/// What a server does about certificates of its clients (mutual TLS).
enum class tls_client_certificate : std::uint8_t {
  ignore,   ///< does not ask
  ask,      ///< asks; one that is shown must be good, none is fine
  require,  ///< no connection without a good one
};

struct tls_server_options {
  /// At least one. A client that asks for a name (SNI) gets the first whose certificate is for it;
  /// all others get the first.
  std::vector<tls_identity> identities = {};
  /// ALPN, by preference: "h2", "xmpp-client" ... A client that offers only others is refused.
  std::vector<std::string> protocols = {};
  tls_client_certificate client_certificate = tls_client_certificate::ignore;
  /// Authorities of clients' certificates, in PEM; needed for ask and require.
  std::string client_authorities = {};
  tls_version min_version = tls_version::tls1_2;
  tls_version max_version = tls_version::tls1_3;
  /// Session tickets that a client gets, with the first bytes that are sent to it: 0, none, to 4.
  /// They cost the server no memory.
  std::uint8_t tickets = 2;
  /// So many handshakes with this context run at once on a node; others wait, within their limit.
  /// A limit of each context, so that a flood of newcomers at one listener holds up only those.
  std::uint32_t handshakes = 256;
  /// The end of a connection without a farewell is told as tls_errc::truncated; else it looks like
  /// an ordinary close (TCP-30), as a reset does without show_econnreset.
  bool show_truncation = false;
};

enum class tls_verification : std::uint8_t {
  full,        ///< a trusted chain, and the name that was asked for
  chain_only,  ///< a trusted chain, whatever the name
  /// Anybody. What is wrong is to be found in tls_info::verification. For protocols that ask
  /// somebody else, such as XMPP's dialback, and for tests.
  none,
};

struct tls_client_options {
  tls_verification verification = tls_verification::full;
  /// Trusted authorities, in PEM; empty: those of the system.
  std::string authorities = {};
  /// Shown to servers that ask.
  tls_identity identity = {};
  std::vector<std::string> protocols = {};  ///< ALPN, by preference
  tls_version min_version = tls_version::tls1_2;
  tls_version max_version = tls_version::tls1_3;
  /// So many sessions, of different servers, are remembered to be resumed. 0: none.
  std::uint16_t sessions = 64;
  std::uint32_t handshakes = 256;  ///< as for a server
  bool show_truncation = false;    ///< as for a server
};

class tls_context {
 public:
  /// None; it can be assigned to, nothing else.
  tls_context() noexcept = default;
  /// Called from: anywhere. Blocks: never; a client's, while it reads the system's authorities.
  /// Errors: bad_identity, bad_trust.
  /// Throws: error(badarg) for a server without identity, for client certificates wanted without
  /// client_authorities, for an ALPN name of 0 or more than 255 bytes, for more than 4 tickets, for
  /// no handshakes, for min_version above max_version.
  static tls_result<tls_context> server(tls_server_options const& options);
  static tls_result<tls_context> client(tls_client_options const& options = {});

  /// From now on handshakes use `options`; connections that exist, and handshakes that have begun,
  /// go on as they are. Nothing has changed if this fails. Sessions from before are not resumed: a
  /// peer that brings a ticket makes a full handshake.
  ///
  /// As server() and client(); the kind of a context does not change (error(badarg)).
  tls_result<void> reload(tls_server_options const& options) const;
  tls_result<void> reload(tls_client_options const& options) const;

  explicit operator bool() const noexcept { return data_ != nullptr; }
  /// The same context, not an equal one.
  friend bool operator==(tls_context const&, tls_context const&) noexcept = default;

 private:
  friend struct rts::tls_access;
  std::shared_ptr<rts::tls_context_data> data_;
};

}  // namespace otter
