// io/tls_stream.cpp - one connection's OpenSSL, over memory.

#include "io/tls_stream.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace otter::rts {
namespace {

constexpr std::size_t header_bytes = 5;
// RFC 5246, 6.2.3: more is no record. What TLS 1.3 allows is less.
constexpr std::size_t longest_record = 16384 + 2048;

// Tickets, new keys and alerts are small and few: who sends only them wants our time.
constexpr std::size_t most_without_content = 131072;

std::size_t length_of(std::string_view record) noexcept {
  return header_bytes + (static_cast<std::size_t>(static_cast<unsigned char>(record[3])) << 8 |
                         static_cast<unsigned char>(record[4]));
}

/// How many bytes at the front of `stream` are whole records. What cannot be a record is counted
/// in: OpenSSL is to say what is wrong with it.
std::size_t whole_records(std::string_view stream) noexcept {
  std::size_t at = 0;
  while (stream.size() - at >= header_bytes) {
    std::size_t const length = length_of(stream.substr(at));
    if (length > header_bytes + longest_record) return stream.size();
    if (length > stream.size() - at) break;
    at += length;
  }
  return at;
}

bool is_address(std::string const& name) noexcept {
  in6_addr room;
  return ::inet_pton(AF_INET, name.c_str(), &room) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), &room) == 1;
}

std::string one_line(X509_NAME* name) {
  openssl_ptr<BIO> const out(::BIO_new(::BIO_s_mem()));
  if (!out || name == nullptr ||
      ::X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
    return {};
  char* text = nullptr;
  long const n = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(std::clamp(n, 0L, 512L)));
}

/// "a.example, b.example": for whom a certificate is.
std::string names_of(X509* certificate) {
  std::string names;
  auto* const all = static_cast<GENERAL_NAMES*>(
      ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all) && names.size() < 256; ++i) {
    GENERAL_NAME const* const one = sk_GENERAL_NAME_value(all, i);
    std::string name;
    if (one->type == GEN_DNS) {
      name.assign(reinterpret_cast<char const*>(::ASN1_STRING_get0_data(one->d.dNSName)),
                  static_cast<std::size_t>(::ASN1_STRING_length(one->d.dNSName)));
    } else if (one->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN] = "";
      int const family = ::ASN1_STRING_length(one->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      if (::inet_ntop(family, ::ASN1_STRING_get0_data(one->d.iPAddress), text, sizeof text))
        name = text;
    }
    if (name.empty()) continue;
    if (!names.empty()) names += ", ";
    names += name.substr(0, 128);
  }
  ::GENERAL_NAMES_free(all);
  // A stranger's text: it must not break the line it is printed in.
  std::replace_if(
      names.begin(), names.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return names.empty() ? "no name" : names;
}

std::string date_of(ASN1_TIME const* when) {
  tm broken{};
  if (::ASN1_TIME_to_tm(when, &broken) != 1) return "an unreadable date";
  return fmt::format("{}-{:02}-{:02} {:02}:{:02} UTC", broken.tm_year + 1900, broken.tm_mon + 1,
                     broken.tm_mday, broken.tm_hour, broken.tm_min);
}

tls_errc reason_of(long verify_result) noexcept {
  switch (verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return tls_errc::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return tls_errc::certificate_not_yet_valid;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return tls_errc::certificate_self_signed;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return tls_errc::unknown_ca;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return tls_errc::host_mismatch;
    case X509_V_ERR_CERT_REVOKED:
      return tls_errc::certificate_revoked;
    default:
      return tls_errc::certificate_refused;
  }
}

/// What is wrong with `certificate`, for people.
std::string fault_of(X509* certificate, long why, std::string const& wanted) {
  std::string const who =
      certificate != nullptr ? one_line(::X509_get_subject_name(certificate)) : std::string();
  switch (reason_of(why)) {
    case tls_errc::certificate_expired:
      return fmt::format("the certificate of \"{}\" has expired on {}; its owner must renew it",
                         who, date_of(::X509_get0_notAfter(certificate)));
    case tls_errc::certificate_not_yet_valid:
      return fmt::format(
          "the certificate of \"{}\" is valid from {} on; is the clock of this machine right?", who,
          date_of(::X509_get0_notBefore(certificate)));
    case tls_errc::certificate_self_signed:
      return fmt::format(
          "the certificate of \"{}\" is signed by itself only; to trust it, name it among the "
          "authorities",
          who);
    case tls_errc::unknown_ca:
      return fmt::format(
          "the certificate of \"{}\" is signed by \"{}\", which is not among the authorities that "
          "are trusted, or the peer does not send the certificates in between",
          who, certificate != nullptr ? one_line(::X509_get_issuer_name(certificate)) : "");
    case tls_errc::host_mismatch:
      return fmt::format("the certificate is for {}, and not for {}",
                         certificate != nullptr ? names_of(certificate) : "somebody else", wanted);
    default:
      return fmt::format("the certificate of \"{}\" is refused: {}", who,
                         ::X509_verify_cert_error_string(why));
  }
}

}  // namespace

first_record look_at_first(std::string_view stream) noexcept {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(stream[i]); };
  // A handshake, or an alert instead of one; then a version, 3.0 to 3.4.
  if (!stream.empty() && byte(0) != 22 && byte(0) != 21) return first_record::not_tls;
  if (stream.size() > 1 && byte(1) != 3) return first_record::not_tls;
  if (stream.size() > 2 && byte(2) > 4) return first_record::not_tls;
  if (stream.size() < header_bytes) return first_record::incomplete;
  std::size_t const length = length_of(stream);
  if (length > header_bytes + longest_record) return first_record::not_tls;
  return length > stream.size() ? first_record::incomplete : first_record::complete;
}

tls_failure not_tls(std::string_view stream) {
  std::string shown;
  for (char const c : stream.substr(0, 24)) {
    if (c >= ' ' && c <= '~' && c != '\\')
      shown += c;
    else
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return {make_error_code(tls_errc::not_tls),
          fmt::format("the peer does not speak TLS: it began with \"{}\"", shown)};
}

// --- from OpenSSL to a stream ---

tls_stream& tls_callbacks::stream_of(ssl_st const* ssl) noexcept {
  return *static_cast<tls_stream*>(SSL_get_app_data(ssl));
}

int tls_callbacks::check_certificate(int ok, X509_STORE_CTX* at) noexcept {
  if (ok == 1) return 1;
  auto const* const ssl =
      static_cast<SSL*>(::X509_STORE_CTX_get_ex_data(at, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
  tls_stream& s = stream_of(ssl);
  try {
    if (s.why_.empty())  // the first fault is the one to be told of
      s.why_ =
          fault_of(::X509_STORE_CTX_get_current_cert(at), ::X509_STORE_CTX_get_error(at), s.name_);
  } catch (...) {
    // No memory for a sentence: the code says it.
  }
  return 0;
}

int tls_callbacks::keep_session(SSL* ssl, SSL_SESSION* session) noexcept {
  tls_stream& s = stream_of(ssl);
  if (s.name_.empty() || ::SSL_SESSION_is_resumable(session) != 1) return 0;
  try {
    s.settings_->sessions().put(s.name_, session);
    return 1;
  } catch (...) {
    return 0;
  }
}

int tls_callbacks::read(BIO* bio, char* into, std::size_t room, std::size_t* n) noexcept {
  auto& s = *static_cast<tls_stream*>(::BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *n = std::min(room, s.fed_.size());
  if (*n == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(into, s.fed_.data(), *n);
  s.fed_.remove_prefix(*n);
  return 1;
}

int tls_callbacks::write(BIO* bio, char const* data, std::size_t size, std::size_t* n) noexcept {
  auto& s = *static_cast<tls_stream*>(::BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  try {
    s.out_.append(data, size);
  } catch (...) {
    s.no_memory_ = true;
    return 0;
  }
  *n = size;
  return 1;
}

long tls_callbacks::control(BIO*, int what, long, void*) noexcept {
  return what == BIO_CTRL_FLUSH ? 1 : 0;
}

void tls_callbacks::verify(ssl_ctx_st* context, int mode) noexcept {
  ::SSL_CTX_set_verify(context, mode, check_certificate);
}

void tls_callbacks::remember_sessions(ssl_ctx_st* context) noexcept {
  ::SSL_CTX_sess_set_new_cb(context, keep_session);
}

namespace {

BIO_METHOD* make_stream_method() {
  BIO_METHOD* const made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "otter");
  if (made == nullptr) throw std::bad_alloc();
  ::BIO_meth_set_read_ex(made, tls_callbacks::read);
  ::BIO_meth_set_write_ex(made, tls_callbacks::write);
  ::BIO_meth_set_ctrl(made, tls_callbacks::control);
  return made;
}

/// Bytes that a stream is fed and says. Made once and never written to again, nor freed: a thread
/// that was left behind may still use it.
BIO_METHOD const* stream_method() {
  static BIO_METHOD const* const only = make_stream_method();
  return only;
}

}  // namespace

// --- a stream ---

tls_stream::tls_stream(std::shared_ptr<tls_settings const> settings, std::string server_name)
    : settings_(std::move(settings)), name_(std::move(server_name)) {
  ::ERR_clear_error();
  ssl_.reset(::SSL_new(settings_->openssl()));
  BIO* const bio = ssl_ ? ::BIO_new(stream_method()) : nullptr;
  if (bio == nullptr) throw std::bad_alloc();
  ::BIO_set_data(bio, this);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  if (settings_->role == tls_role::server) {
    ::SSL_set_accept_state(ssl_.get());
    return;
  }
  ::SSL_set_connect_state(ssl_.get());
  if (name_.empty()) return;
  bool ok = true;
  bool const address = is_address(name_);
  if (!address) ok = SSL_set_tlsext_host_name(ssl_.get(), name_.c_str()) == 1;
  if (settings_->verification != tls_verification::chain_only) {
    // With `none` as well: tls_info::verification tells of it.
    ::SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ok = ok && (address ? ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_.get()),
                                                          name_.c_str()) == 1
                        : ::SSL_set1_host(ssl_.get(), name_.c_str()) == 1);
  }
  if (!ok) throw std::bad_alloc();
  if (auto const session = settings_->sessions().take(name_))
    ::SSL_set_session(ssl_.get(), session.get());
  ::ERR_clear_error();
}

tls_stream::~tls_stream() = default;

void tls_stream::stage(std::string_view came) {
  std::string_view all = came;
  if (!kept_.empty()) {
    kept_.append(came);
    all = kept_;
  }
  std::size_t const whole = whole_records(all);
  fed_ = all.substr(0, whole);
  behind_ = all.substr(whole);
}

/// Keeps what OpenSSL has not taken.
void tls_stream::unstage() noexcept {
  std::size_t const rest = fed_.size() + behind_.size();
  more_ = error_ != 0 || ended_ || !fed_.empty() || (established_ && ::SSL_pending(ssl_.get()) > 0);
  // A ticket that was met leaves a buffer for writing behind, SSL_MODE_RELEASE_BUFFERS or not.
  if (established_) ::SSL_free_buffers(ssl_.get());
  try {
    if (rest == 0) {
      std::string().swap(kept_);
    } else if (!kept_.empty()) {
      kept_.erase(0, kept_.size() - rest);
    } else {
      std::string joined;
      joined.reserve(rest);
      joined.append(fed_).append(behind_);
      kept_.swap(joined);
    }
  } catch (...) {
    error_ = ENOMEM;
    more_ = true;
  }
  fed_ = behind_ = {};
}

tls_stream::got tls_stream::fail(int error, std::string_view why) noexcept {
  if (error_ == 0) error_ = error;
  try {
    if (why_.empty()) why_ = why;
  } catch (...) {
  }
  return got::failed;
}

/// The first of OpenSSL's errors as one of ours.
int tls_stream::classify() noexcept {
  unsigned long const e = ::ERR_peek_error();
  if (no_memory_ || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE) return ENOMEM;
  auto const is = [](tls_errc c) { return static_cast<int>(c); };
  if (ERR_GET_LIB(e) != ERR_LIB_SSL) return is(tls_errc::protocol);
  int const reason = ERR_GET_REASON(e);
  if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255)
    return is(tls_errc::alert);
  switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return is(reason_of(::SSL_get_verify_result(ssl_.get())));
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return is(tls_errc::certificate_required);
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      return is(tls_errc::version);
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      return is(tls_errc::no_shared_cipher);
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return is(tls_errc::no_shared_protocol);
    case SSL_R_INAPPROPRIATE_FALLBACK:
      return is(tls_errc::downgrade);
    default:
      return is(tls_errc::protocol);
  }
}

tls_stream::got tls_stream::failed(int result) noexcept {
  switch (::SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return got::nothing;
    case SSL_ERROR_ZERO_RETURN:
      ended_ = true;
      return got::end;
    default:
      break;
  }
  int const code = classify();
  std::string_view const said = why_;
  try {
    std::string text(said);
    std::string const openssl = take_openssl_errors();
    if (code == static_cast<int>(tls_errc::alert))
      text = "the peer has given up: " + openssl;
    else if (text.empty() || (code < static_cast<int>(tls_errc::certificate_expired) ||
                              code > static_cast<int>(tls_errc::certificate_refused)))
      text = make_error_code(static_cast<tls_errc>(code)).message() + ": " + openssl;
    why_ = std::move(text);
  } catch (...) {
    ::ERR_clear_error();
  }
  return fail(code, {});
}

tls_stream::got tls_stream::handshake(std::string_view came) noexcept {
  if (error_ != 0) return got::failed;
  try {
    stage(came);
    if (!first_seen_) {
      std::string_view const all =
          fed_.empty() ? behind_ : std::string_view(fed_.data(), fed_.size() + behind_.size());
      if (look_at_first(all) == first_record::not_tls) {
        tls_failure const f = not_tls(all);
        fed_ = behind_ = {};
        return fail(static_cast<int>(tls_errc::not_tls), f.text);
      }
      first_seen_ = all.size() >= header_bytes;
    }
  } catch (...) {
    fed_ = behind_ = {};
    return fail(ENOMEM, "no memory");
  }
  ::ERR_clear_error();
  int const r = ::SSL_do_handshake(ssl_.get());
  got outcome = got::bytes;
  if (r == 1) {
    established_ = true;
    std::string().swap(why_);  // with tls_verification::none it may have faults to tell of
  } else {
    outcome = failed(r);
  }
  if (outcome == got::end)
    outcome = fail(static_cast<int>(tls_errc::alert),
                   "the peer has said farewell in the middle of the handshake");
  unstage();
  if (error_ != 0) outcome = got::failed;
  ::ERR_clear_error();
  return outcome;
}

tls_stream::got tls_stream::read(std::string_view came, char* into, std::size_t room,
                                 std::size_t& n) noexcept {
  n = 0;
  if (error_ != 0) return got::failed;
  if (ended_) return got::end;
  try {
    stage(came);
  } catch (...) {
    fed_ = behind_ = {};
    return fail(ENOMEM, "no memory");
  }
  ::ERR_clear_error();
  got outcome = got::nothing;
  std::size_t const offered = fed_.size();
  while (n < room) {
    std::size_t one = 0;
    int const r = ::SSL_read_ex(ssl_.get(), into + n, room - n, &one);
    if (r == 1) {
      n += one;
      continue;
    }
    outcome = failed(r);
    break;
  }
  without_content_ = n != 0 ? 0 : without_content_ + (offered - fed_.size());
  if (without_content_ > most_without_content)
    fail(static_cast<int>(tls_errc::flood), "the peer sends records without content");
  unstage();
  ::ERR_clear_error();
  // What came before the end is told before the end.
  return n != 0 ? got::bytes : error_ != 0 ? got::failed : outcome;
}

bool tls_stream::write(std::string_view plain) noexcept {
  if (error_ != 0 || farewell_) return false;
  ::ERR_clear_error();
  // Tickets go with the first bytes for the client, not with the handshake: a client that only
  // sends and closes would answer them with a reset, and the system would drop what it had sent.
  if (!tickets_sent_) {
    tickets_sent_ = true;
    for (int i = 0; i < settings_->tickets; ++i) ::SSL_new_session_ticket(ssl_.get());
  }
  std::size_t n = 0;
  int const r = ::SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &n);
  bool const all = r == 1 && n == plain.size();
  if (!all && failed(r) != got::failed)
    fail(static_cast<int>(tls_errc::protocol), "the handshake is not over");
  ::ERR_clear_error();
  return all;
}

void tls_stream::say_farewell() noexcept {
  if (!established_ || error_ != 0 || farewell_) return;
  farewell_ = true;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_.get());
  ::ERR_clear_error();
}

// --- facts ---

tls_info tls_stream::info() const {
  tls_info i;
  SSL const* const s = ssl_.get();
  i.version = ::SSL_get_version(s);
  if (char const* const name = ::SSL_get_cipher_name(s)) i.cipher = name;
  unsigned char const* protocol = nullptr;
  unsigned length = 0;
  ::SSL_get0_alpn_selected(s, &protocol, &length);
  if (length != 0) i.protocol.assign(reinterpret_cast<char const*>(protocol), length);
  if (char const* const name = ::SSL_get_servername(s, TLSEXT_NAMETYPE_host_name))
    i.server_name = name;
  if (X509* const peer = ::SSL_get0_peer_certificate(s)) {
    i.peer_subject = one_line(::X509_get_subject_name(peer));
    long const result = ::SSL_get_verify_result(s);
    i.verification = result == X509_V_OK ? "ok" : fault_of(peer, result, name_);
  }
  i.resumed = ::SSL_session_reused(s) == 1;
  return i;
}

std::vector<std::byte> tls_stream::peer_certificate() const {
  X509* const peer = ::SSL_get0_peer_certificate(ssl_.get());
  int const size = peer != nullptr ? ::i2d_X509(peer, nullptr) : 0;
  std::vector<std::byte> der(static_cast<std::size_t>(std::max(size, 0)));
  auto* at = reinterpret_cast<unsigned char*>(der.data());
  if (size > 0) ::i2d_X509(peer, &at);
  return der;
}

bool tls_stream::export_key_material(std::string_view label, std::vector<std::byte>& into) const {
  SSL* const s = ssl_.get();
  if (::SSL_version(s) < TLS1_3_VERSION && SSL_get_extms_support(s) != 1) return false;
  ::ERR_clear_error();
  bool const ok =
      ::SSL_export_keying_material(s, reinterpret_cast<unsigned char*>(into.data()), into.size(),
                                   label.data(), label.size(), nullptr, 0, 0) == 1;
  ::ERR_clear_error();
  return ok;
}

}  // namespace otter::rts
