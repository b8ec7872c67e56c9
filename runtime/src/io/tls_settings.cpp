// io/tls_settings.cpp - from options to OpenSSL's context, and the choices that it asks for.

#include "io/tls_settings.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <new>
#include <otter/error.hpp>

#include "io/tls_stream.hpp"

namespace otter::rts {

// --- sessions of a client ---

void tls_session_cache::put(std::string const& server, ssl_session_st* session) {
  std::lock_guard lock(mutex_);
  auto& place = entries_[server];
  place.session.reset(session);
  place.age = ++puts_;
  if (entries_.size() <= most_) return;
  entries_.erase(std::min_element(entries_.begin(), entries_.end(),
                                  [](auto& a, auto& b) { return a.second.age < b.second.age; }));
}

openssl_ptr<ssl_session_st> tls_session_cache::take(std::string const& server) noexcept {
  std::lock_guard lock(mutex_);
  auto const at = entries_.find(server);
  if (at == entries_.end()) return nullptr;
  auto session = std::move(at->second.session);
  entries_.erase(at);
  return session;
}

// --- what OpenSSL asks for; no exception may pass through it ---

/// SNI: the certificate for the name that the client wants.
static int choose_identity(SSL* ssl, int*, void* settings) noexcept {
  char const* const name = ::SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  auto const& chosen = static_cast<tls_settings const*>(settings)->identity_for(name);
  bool ok = ::SSL_use_certificate(ssl, chosen.certificate.get()) == 1 &&
            ::SSL_use_PrivateKey(ssl, chosen.key.get()) == 1 && ::SSL_clear_chain_certs(ssl) == 1;
  for (auto const& c : chosen.chain) ok = ok && ::SSL_add1_chain_cert(ssl, c.get()) == 1;
  return ok ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// ALPN: the first of ours that the client has too.
static int choose_protocol(SSL*, unsigned char const** out, unsigned char* length,
                           unsigned char const* theirs, unsigned int n, void* settings) noexcept {
  auto const& ours = static_cast<tls_settings const*>(settings)->protocols();
  unsigned char* chosen = nullptr;
  int const found =
      ::SSL_select_next_proto(&chosen, length, reinterpret_cast<unsigned char const*>(ours.data()),
                              static_cast<unsigned>(ours.size()), theirs, n);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// --- settings ---

namespace {

tls_failure bad(tls_errc code, std::string text) {
  return {make_error_code(code), std::move(text)};
}

int number_of(tls_version v) noexcept {
  return v == tls_version::tls1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

[[noreturn]] void misuse(std::string const& text) { throw error(errc::badarg, text); }

}  // namespace

tls_identity_data const& tls_settings::identity_for(char const* name) const noexcept {
  for (auto const& i : identities_)
    if (::X509_check_host(i->certificate.get(), name, 0, 0, nullptr) == 1) return *i;
  return *identities_.front();
}

void tls_settings::prepare(tls_version least, tls_version most,
                           std::vector<std::string> const& protocols) {
  if (least > most) misuse("tls_context: min_version is above max_version");
  if (handshakes == 0) misuse("tls_context: handshakes is 0; nobody could connect");
  for (std::string const& p : protocols) {
    if (p.empty() || p.size() > 255)
      misuse(fmt::format("tls_context: an ALPN name of {} bytes; allowed: 1 to 255", p.size()));
    protocols_ += static_cast<char>(p.size());
    protocols_ += p;
  }
  ::ERR_clear_error();
  context_.reset(
      ::SSL_CTX_new(role == tls_role::server ? ::TLS_server_method() : ::TLS_client_method()));
  if (!context_) throw std::bad_alloc();
  SSL_CTX* const c = context_.get();
  // Buffers only while there is something in them; what is sent may be sent again from elsewhere.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ::SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_min_proto_version(c, number_of(least));
  SSL_CTX_set_max_proto_version(c, number_of(most));
}

std::optional<tls_failure> tls_settings::use(tls_identity_data const& identity) {
  SSL_CTX* const c = context_.get();
  bool ok = ::SSL_CTX_use_certificate(c, identity.certificate.get()) == 1 &&
            ::SSL_CTX_use_PrivateKey(c, identity.key.get()) == 1;
  for (auto const& i : identity.chain) ok = ok && SSL_CTX_add1_chain_cert(c, i.get()) == 1;
  if (ok) return std::nullopt;
  return bad(tls_errc::bad_identity,
             "tls_context: the certificate cannot be used: " + take_openssl_errors());
}

std::optional<tls_failure> tls_settings::trust(std::string const& pem, char const* of_whom) {
  bool all = false;
  auto const found = certificates_in(pem, all);
  if (!all || found.empty()) {
    return bad(
        tls_errc::bad_trust,
        fmt::format(
            "tls_context: cannot read the authorities of {}: {}; certificates read: {}", of_whom,
            all ? "there is no certificate, it must be PEM" : take_openssl_errors(), found.size()));
  }
  X509_STORE* const store = ::SSL_CTX_get_cert_store(context_.get());
  for (auto const& c : found) {
    if (::X509_STORE_add_cert(store, c.get()) != 1) throw std::bad_alloc();
    if (role == tls_role::server && ::SSL_CTX_add_client_CA(context_.get(), c.get()) != 1)
      throw std::bad_alloc();
  }
  return std::nullopt;
}

tls_result<std::shared_ptr<tls_settings const>> tls_settings::make(
    tls_server_options const& options) {
  if (options.identities.empty()) misuse("tls_context::server: no identity");
  for (tls_identity const& i : options.identities)
    if (!i) misuse("tls_context::server: an identity that is nobody's");
  if (options.tickets > 4)
    misuse(fmt::format("tls_context::server: {} tickets; allowed: 0 to 4", options.tickets));
  bool const asks = options.client_certificate != tls_client_certificate::ignore;
  if (asks && options.client_authorities.empty())
    misuse(
        "tls_context::server: client certificates are wanted, and there are no client_authorities");
  auto made = std::make_shared<tls_settings>(tls_role::server, 0);
  made->handshakes = options.handshakes;
  made->show_truncation = options.show_truncation;
  made->prepare(options.min_version, options.max_version, options.protocols);
  for (tls_identity const& i : options.identities) made->identities_.push_back(tls_access::data(i));
  if (auto f = made->use(*made->identities_.front())) return tl::unexpected(std::move(*f));
  SSL_CTX* const c = made->openssl();
  SSL_CTX_set_tlsext_servername_callback(c, choose_identity);
  SSL_CTX_set_tlsext_servername_arg(c, made.get());
  if (!made->protocols_.empty()) ::SSL_CTX_set_alpn_select_cb(c, choose_protocol, made.get());
  if (asks) {
    if (auto f = made->trust(options.client_authorities, "clients"))
      return tl::unexpected(std::move(*f));
    made->verification = tls_verification::chain_only;
    int mode = SSL_VERIFY_PEER;
    if (options.client_certificate == tls_client_certificate::require)
      mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    tls_callbacks::verify(c, mode);
  }
  // A ticket holds the session, encrypted: nothing is stored here. The key is this context's.
  ::SSL_CTX_set_session_id_context(c, reinterpret_cast<unsigned char const*>("otter"), 5);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  made->tickets = options.tickets;
  ::SSL_CTX_set_num_tickets(c, 0);  // with the handshake; see tls_stream::write()
  if (options.tickets == 0) ::SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
  return std::shared_ptr<tls_settings const>(std::move(made));
}

tls_result<std::shared_ptr<tls_settings const>> tls_settings::make(
    tls_client_options const& options) {
  auto made = std::make_shared<tls_settings>(tls_role::client, options.sessions);
  made->verification = options.verification;
  made->handshakes = options.handshakes;
  made->show_truncation = options.show_truncation;
  made->prepare(options.min_version, options.max_version, options.protocols);
  SSL_CTX* const c = made->openssl();
  if (options.identity) {
    made->identities_.push_back(tls_access::data(options.identity));
    if (auto f = made->use(*made->identities_.front())) return tl::unexpected(std::move(*f));
  }
  if (!options.authorities.empty()) {
    if (auto f = made->trust(options.authorities, "servers")) return tl::unexpected(std::move(*f));
  } else if (::SSL_CTX_set_default_verify_paths(c) != 1) {
    return tl::unexpected(
        bad(tls_errc::bad_trust,
            "tls_context::client: cannot read the system's authorities: " + take_openssl_errors()));
  }
  ::ERR_clear_error();  // a system without authorities is no error, until a certificate is checked
  if (!made->protocols_.empty() &&
      ::SSL_CTX_set_alpn_protos(c, reinterpret_cast<unsigned char const*>(made->protocols_.data()),
                                static_cast<unsigned>(made->protocols_.size())) != 0)
    throw std::bad_alloc();
  tls_callbacks::verify(
      c, options.verification == tls_verification::none ? SSL_VERIFY_NONE : SSL_VERIFY_PEER);
  if (options.sessions != 0) {
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    tls_callbacks::remember_sessions(c);
  } else {
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  }
  return std::shared_ptr<tls_settings const>(std::move(made));
}

}  // namespace otter::rts

namespace otter {

using namespace rts;  // this room's own names; the file defines only functions of the public header

namespace {

template <class Options>
tls_result<tls_context> made_of(Options const& options) {
  auto settings = tls_settings::make(options);
  if (!settings) return tl::unexpected(std::move(settings.error()));
  return tls_access::context(std::make_shared<tls_context_data>(std::move(*settings)));
}

template <class Options>
tls_result<void> exchanged(std::shared_ptr<tls_context_data> const& data, tls_role kind,
                           Options const& options) {
  if (!data) throw error(errc::badarg, "tls_context::reload: there is no context");
  if (data->settings()->role != kind) {
    throw error(errc::badarg, kind == tls_role::server
                                  ? "tls_context::reload: this is a client's context"
                                  : "tls_context::reload: this is a server's context");
  }
  auto settings = tls_settings::make(options);
  if (!settings) return tl::unexpected(std::move(settings.error()));
  data->exchange(std::move(*settings));
  return {};
}

}  // namespace

tls_result<tls_context> tls_context::server(tls_server_options const& o) { return made_of(o); }
tls_result<tls_context> tls_context::client(tls_client_options const& o) { return made_of(o); }

tls_result<void> tls_context::reload(tls_server_options const& options) const {
  return exchanged(data_, tls_role::server, options);
}
tls_result<void> tls_context::reload(tls_client_options const& options) const {
  return exchanged(data_, tls_role::client, options);
}

}  // namespace otter
