#pragma once

// otter/tls_error.hpp - what can go wrong with TLS, as values.
//
//   otter::tls_errc       the reasons
//   otter::tls_failure    a reason, and a sentence about this very case: both names, dates, bytes
//   otter::tls_result<T>  a value or a tls_failure
//
// Making a context and a handshake fail with a tls_failure. A connection that breaks later tells
// its owner a std::error_code, as for everything else that goes wrong with a socket. What TCP can
// say
// (`closed`, `timeout`, `econnrefused`) is said by tcp_errc here as well.

#include <otter/detail/text_formatter.hpp>
#include <otter/tcp_error.hpp>
#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace otter {

enum class tls_errc : int {
  not_tls = 20001,  ///< the peer's first bytes are no TLS: a plain text protocol, or garbage
  version,          ///< no version of the protocol that both sides allow
  no_shared_cipher,
  no_shared_protocol,  ///< ALPN: nothing that both sides speak
  downgrade,           ///< somebody on the way has weakened the handshake
  // --- the peer's certificate ---
  certificate_expired,
  certificate_not_yet_valid,
  certificate_self_signed,  ///< signed by nobody but itself, and not among those trusted
  unknown_ca,               ///< signed by an authority that is not trusted
  host_mismatch,            ///< good, but for another name
  certificate_revoked,
  certificate_refused,   ///< another fault of the certificate or its chain
  certificate_required,  ///< the peer was asked for one and has shown none
  // --- the connection ---
  alert,      ///< the peer has given up; its reason is in the text
  protocol,   ///< the peer breaks the rules of the protocol
  truncated,  ///< ended without a farewell: what came may be cut off (with show_truncation)
  flood,      ///< the peer makes us answer and does not read the answers
  // --- what was given to make a context ---
  bad_identity,  ///< certificate or key cannot be read, or do not belong together
  bad_trust,     ///< the authorities cannot be read
  no_exporter,   ///< this connection can give no keying material
};

std::error_category const& tls_category() noexcept;

inline std::error_code make_error_code(tls_errc e) noexcept {
  return {static_cast<int>(e), tls_category()};
}

/// Why there is no TLS. Compares with a tls_errc or a tcp_errc.
struct tls_failure {
  std::error_code code;
  /// What was attempted, what happened, what to do. Never contains anything of a private key.
  std::string text;

  std::string message() const { return text.empty() ? code.message() : text; }
  friend bool operator==(tls_failure const& f, tls_errc e) noexcept {
    return f.code == make_error_code(e);
  }
  friend bool operator==(tls_failure const& f, tcp_errc e) noexcept {
    return f.code == make_error_code(e);
  }
};

inline std::string to_string(tls_errc e) { return make_error_code(e).message(); }
inline std::string to_string(tls_failure const& f) { return f.message(); }

template <class T>
using tls_result = tl::expected<T, tls_failure>;

}  // namespace otter

template <>
struct std::is_error_code_enum<otter::tls_errc> : std::true_type {};

template <>
struct fmt::formatter<otter::tls_errc> : otter::detail::text_formatter<otter::tls_errc> {};
template <>
struct fmt::formatter<otter::tls_failure> : otter::detail::text_formatter<otter::tls_failure> {};
