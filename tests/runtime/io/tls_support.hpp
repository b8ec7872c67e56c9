#pragma once

// What the tests of TLS share: contexts, and a connection whose ends have shaken hands.

#include <otter/tls.hpp>

#include "tcp_support.hpp"
#include "test_certificate.hpp"

namespace tls_test {

using namespace tcp_test;
using otter_test::test_certificate;

template <class T>
T must_tls(otter::tls_result<T> r, char const* what) {
  if (!r) throw std::runtime_error(std::string(what) + ": " + r.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

inline otter::tls_identity identity_of(test_certificate const& c) {
  return must_tls(otter::tls_identity::from_pem(c.certificate, c.key), "identity");
}

/// For localhost, unless the options name others.
inline otter::tls_context server_context(otter::tls_server_options options = {}) {
  if (options.identities.empty())
    options.identities.push_back(identity_of(otter_test::test_localhost()));
  return must_tls(otter::tls_context::server(options), "server context");
}

/// Trusts the tests' authority.
inline otter::tls_context client_context(otter::tls_client_options options = {}) {
  if (options.authorities.empty()) options.authorities = otter_test::test_authority().certificate;
  return must_tls(otter::tls_context::client(options), "client context");
}

inline std::string show_tls(otter::tls_result<otter::tls_info> const& r) {
  return r ? "ok" : r.error().code.message();
}

/// What became of the server's side of a handshake.
struct server_done {
  otter::tls_result<otter::tls_info> result;
};

struct both_results {
  otter::tls_result<otter::tls_info> server, client;
};

/// Both sides of the handshake on a connection of the caller's. The server's side is made by a
/// process of its own, which gives the socket back.
inline both_results shake_hands(pair const& p, otter::tls_context const& server,
                                otter::tls_context const& client,
                                otter::tls_handshake_options options = {"localhost", long_time}) {
  otter::pid const home = otter::self();
  struct yours {};
  otter::pid const other = otter::spawn_link([=] {
    otter::receive([](yours) {});
    server_done done{otter::tls_handshake(p.server, server, {"", options.limit})};
    if (done.result) static_cast<void>(p.server.controlling_process(home));
    otter::send(home, std::move(done));
  });
  must(p.server.controlling_process(other), "controlling_process");
  otter::send(other, yours{});
  auto at_client = otter::tls_handshake(p.client, client, options);
  both_results both{otter::tls_result<otter::tls_info>(), std::move(at_client)};
  otter::receive([&](server_done& d) { both.server = std::move(d.result); });
  return both;
}

inline pair tls_pair(otter::tls_context const& server, otter::tls_context const& client,
                     otter::tcp_options server_options = {},
                     otter::tcp_options client_options = {}) {
  pair p = connect_pair(server_options, client_options);
  both_results const both = shake_hands(p, server, client);
  if (!both.server) throw std::runtime_error("server: " + both.server.error().message());
  if (!both.client) throw std::runtime_error("client: " + both.client.error().message());
  return p;
}

}  // namespace tls_test
