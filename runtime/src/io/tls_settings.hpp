#pragma once

// io/tls_settings.hpp - what the connections of one context share: OpenSSL's context, made from the
// options, with the callbacks that choose certificates, protocols and sessions.
//
//   tls_settings         what handshakes use from one (re)load of a context to the next
//   tls_context_data     a context: the settings of now

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <otter/tls_context.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/tls_identity.hpp"

namespace otter::rts {

enum class tls_role : std::uint8_t { server, client };

/// Sessions of a client, to be resumed: the newest of each server, of so many servers.
///
/// Ownership: of its references to sessions. Threads: any; a mutex.
class tls_session_cache {
 public:
  explicit tls_session_cache(std::size_t most) noexcept : most_(most) {}
  /// Takes the reference over. Throws: std::bad_alloc, and then has not.
  void put(std::string const& server, ssl_session_st* session);
  /// The session is taken out: a ticket is used once (RFC 8446, C.4).
  openssl_ptr<ssl_session_st> take(std::string const& server) noexcept;

 private:
  struct entry {
    openssl_ptr<ssl_session_st> session;
    std::uint64_t age = 0;
  };
  std::mutex mutex_;
  std::size_t const most_;
  std::uint64_t puts_ = 0;
  std::map<std::string, entry> entries_;
};

/// Ownership: shared by the context and by the connections made with it: OpenSSL's callbacks point
///            here.
/// Threads:   constant once made, but for the sessions, which have a lock.
class tls_settings {
 public:
  static tls_result<std::shared_ptr<tls_settings const>> make(tls_server_options const& options);
  static tls_result<std::shared_ptr<tls_settings const>> make(tls_client_options const& options);

  tls_settings(tls_role r, std::size_t sessions) noexcept : role(r), sessions_(sessions) {}
  tls_settings(tls_settings const&) = delete;
  tls_settings& operator=(tls_settings const&) = delete;

  tls_role const role;
  tls_verification verification = tls_verification::none;
  bool show_truncation = false;
  std::uint32_t handshakes = 0;
  std::uint8_t tickets = 0;

  ssl_ctx_st* openssl() const noexcept { return context_.get(); }
  tls_session_cache& sessions() const noexcept { return sessions_; }
  /// For a server: the identity for `name`.
  tls_identity_data const& identity_for(char const* name) const noexcept;
  /// ALPN as on the wire: each name behind its length.
  std::string const& protocols() const noexcept { return protocols_; }

 private:
  void prepare(tls_version least, tls_version most, std::vector<std::string> const& protocols);
  std::optional<tls_failure> use(tls_identity_data const& identity);
  std::optional<tls_failure> trust(std::string const& pem, char const* of_whom);

  openssl_ptr<ssl_ctx_st> context_;
  std::vector<std::shared_ptr<tls_identity_data const>> identities_;
  std::string protocols_;
  mutable tls_session_cache sessions_;
};

/// Ownership: counted, by the public handles.
/// Threads:   any; a mutex.
class tls_context_data {
 public:
  explicit tls_context_data(std::shared_ptr<tls_settings const> settings) noexcept
      : settings_(std::move(settings)) {}
  std::shared_ptr<tls_settings const> settings() const {
    std::lock_guard lock(mutex_);
    return settings_;
  }
  void exchange(std::shared_ptr<tls_settings const> settings) {
    std::lock_guard lock(mutex_);
    settings_.swap(settings);  // what was replaced ends outside the lock
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<tls_settings const> settings_;
};

struct tls_access {
  static std::shared_ptr<tls_identity_data const> const& data(tls_identity const& i) noexcept {
    return i.data_;
  }
  static tls_identity identity(std::shared_ptr<tls_identity_data const> data) noexcept {
    tls_identity i;
    i.data_ = std::move(data);
    return i;
  }
  static std::shared_ptr<tls_context_data> const& data(tls_context const& c) noexcept {
    return c.data_;
  }
  static tls_context context(std::shared_ptr<tls_context_data> data) noexcept {
    tls_context c;
    c.data_ = std::move(data);
    return c;
  }
};

}  // namespace otter::rts
