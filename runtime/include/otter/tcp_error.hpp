#pragma once

// otter/tcp_error.hpp - what can go wrong with a socket, as values.
//
//   otter::tcp_errc       the reasons, by OTP's names
//   otter::tcp_result<T>  a value or a std::error_code
//
// A reason that the operating system gave is its errno, and compares equal to std::errc too:
// `r.error() == otter::tcp_errc::econnrefused`. Only wrong use of the interface is thrown, as
// otter::error; whatever a peer or the network can cause is a value.

#include <cerrno>
#include <otter/detail/text_formatter.hpp>
#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <type_traits>

namespace otter {

enum class tcp_errc : int {
  einval = EINVAL,      ///< the port cannot do this now: receiving while active, ...
  ealready = EALREADY,  ///< another process is receiving from this socket
  emsgsize = EMSGSIZE,  ///< the peer sent a packet longer than packet_size; or one to be sent has
                        ///< no length header
  ebadmsg = EBADMSG,    ///< what the peer sent is not what the socket's framer cuts
  enomem = ENOMEM,
  emfile = EMFILE,  ///< no descriptor is left in this OS process
  enfile = ENFILE,  ///< no descriptor is left in the system
  eacces = EACCES,
  eaddrinuse = EADDRINUSE,  ///< explain_listen_failure() says by whom, and what to do
  eaddrnotavail = EADDRNOTAVAIL,
  econnrefused = ECONNREFUSED,
  enoent = ENOENT,          ///< a local name: there is no such file
  econnreset = ECONNRESET,  ///< only with show_econnreset; otherwise a reset is `closed`
  ehostunreach = EHOSTUNREACH,
  enetunreach = ENETUNREACH,
  enotconn = ENOTCONN,
  etimedout = ETIMEDOUT,  ///< the system's: the peer does not answer any more
  // --- not from the system ---
  closed = 10001,        ///< closed here, by the peer, or never a port of this node
  timeout = 10002,       ///< the limit of this call is over
  not_owner = 10003,     ///< only the controlling process may do this
  badarg = 10004,        ///< the new owner is not alive
  nxdomain = 10005,      ///< the name has no address
  system_limit = 10006,  ///< the node has as many ports as it may
  shed = 10007,          ///< closed to free memory: it was idle, see tcp_options::shed_when_idle
};

std::error_category const& tcp_category() noexcept;

inline std::error_code make_error_code(tcp_errc e) noexcept {
  return {static_cast<int>(e), tcp_category()};
}

/// OTP's name of the reason, as in "econnrefused".
inline std::string to_string(tcp_errc e) { return make_error_code(e).message(); }

template <class T>
using tcp_result = tl::expected<T, std::error_code>;

}  // namespace otter

template <>
struct std::is_error_code_enum<otter::tcp_errc> : std::true_type {};

template <>
struct fmt::formatter<otter::tcp_errc> : otter::detail::text_formatter<otter::tcp_errc> {};
