// io/tls_identity.cpp - reading, making and showing certificates.

#include "io/tls_identity.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <otter/error.hpp>

#include "io/tls_settings.hpp"

namespace otter::rts {

void openssl_free::operator()(bio_st* p) const noexcept { ::BIO_free(p); }
void openssl_free::operator()(evp_pkey_st* p) const noexcept { ::EVP_PKEY_free(p); }
void openssl_free::operator()(ssl_ctx_st* p) const noexcept { ::SSL_CTX_free(p); }
void openssl_free::operator()(ssl_session_st* p) const noexcept { ::SSL_SESSION_free(p); }
void openssl_free::operator()(ssl_st* p) const noexcept { ::SSL_free(p); }
void openssl_free::operator()(x509_st* p) const noexcept { ::X509_free(p); }
void openssl_free::operator()(asn1_string_st* p) const noexcept { ::ASN1_STRING_free(p); }
void openssl_free::operator()(X509_extension_st* p) const noexcept { ::X509_EXTENSION_free(p); }

std::string take_openssl_errors() {
  std::string text;
  while (unsigned long const e = ::ERR_get_error()) {
    char const* const reason = ::ERR_reason_error_string(e);
    if (!text.empty()) text += ", ";
    text += reason != nullptr ? reason : fmt::format("error {:#x}", e);
  }
  return text.empty() ? "no reason given" : text;
}

namespace {

openssl_ptr<BIO> over(std::string_view text) {
  if (text.empty()) text = "\n";  // no text would be no buffer
  openssl_ptr<BIO> b(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!b) throw std::bad_alloc();
  return b;
}

/// A key that wants a password is refused: the default would ask at the terminal.
int no_password(char*, int, int, void*) noexcept { return -1; }

constexpr char const* name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*:";

}  // namespace

std::vector<openssl_ptr<X509>> certificates_in(std::string_view pem, bool& all) {
  std::vector<openssl_ptr<X509>> found;
  openssl_ptr<BIO> const in = over(pem);
  ::ERR_clear_error();
  while (X509* const c = ::PEM_read_bio_X509_AUX(in.get(), nullptr, no_password, nullptr))
    found.emplace_back(c);
  unsigned long const why = ::ERR_peek_last_error();
  all = ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE;
  if (all) ::ERR_clear_error();
  return found;
}

}  // namespace otter::rts

namespace otter {

using namespace rts;  // this room's own names; the file defines only functions of the public header

namespace {

tl::unexpected<tls_failure> refused(std::string const& text) {
  return tl::unexpected(
      tls_failure{make_error_code(tls_errc::bad_identity), "tls_identity: " + text});
}

std::optional<std::string> content(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

tls_result<tls_identity> tls_identity::from_pem(std::string_view chain, std::string_view key) {
  auto data = std::make_shared<tls_identity_data>();
  bool all = false;
  auto found = certificates_in(chain, all);
  if (!all) return refused("cannot read the certificate chain: " + take_openssl_errors());
  if (found.empty()) return refused("no certificate in the chain; it must be PEM");
  data->certificate = std::move(found.front());
  found.erase(found.begin());
  data->chain = std::move(found);
  openssl_ptr<BIO> const in = over(key);
  data->key.reset(::PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr));
  if (!data->key) {
    return refused("cannot read the private key: " + take_openssl_errors() +
                   "; it must be PEM, and have no password");
  }
  if (::X509_check_private_key(data->certificate.get(), data->key.get()) != 1) {
    ::ERR_clear_error();
    return refused("the private key does not belong to the first certificate of the chain");
  }
  return tls_access::identity(std::move(data));
}

tls_result<tls_identity> tls_identity::from_files(std::string const& chain,
                                                  std::string const& key) {
  auto const chain_pem = content(chain);
  auto key_pem = content(key);
  if (!chain_pem || !key_pem) {
    return refused("cannot read the file " + (chain_pem ? key : chain));
  }
  auto made = from_pem(*chain_pem, *key_pem);
  ::OPENSSL_cleanse(key_pem->data(), key_pem->size());
  if (!made) made.error().text += fmt::format(" (files {} and {})", chain, key);
  return made;
}

tls_result<tls_identity> tls_identity::self_signed(std::vector<std::string> const& names) {
  if (names.empty()) throw error(errc::badarg, "tls_identity::self_signed: no name");
  std::string alternatives;
  for (std::string const& n : names) {
    // What separates names in OpenSSL's notation would bring in others.
    if (n.empty() || n.find_first_not_of(name_characters) != std::string::npos)
      return refused(fmt::format("\"{}\" is no host name", n));
    openssl_ptr<ASN1_OCTET_STRING> const address(::a2i_IPADDRESS(n.c_str()));
    alternatives +=
        fmt::format("{}{}:{}", alternatives.empty() ? "" : ",", address ? "IP" : "DNS", n);
  }
  ::ERR_clear_error();
  auto data = std::make_shared<tls_identity_data>();
  data->key.reset(::EVP_EC_gen("P-256"));
  data->certificate.reset(::X509_new());
  X509* const c = data->certificate.get();
  if (!data->key || c == nullptr) throw std::bad_alloc();
  constexpr long day = 86'400;
  X509_NAME* const name = ::X509_get_subject_name(c);
  bool ok = ::X509_set_version(c, 2) == 1 &&
            // Clocks differ: valid since yesterday.
            ::X509_gmtime_adj(::X509_getm_notBefore(c), -day) != nullptr &&
            ::X509_gmtime_adj(::X509_getm_notAfter(c), 30 * day) != nullptr &&
            ::X509_set_pubkey(c, data->key.get()) == 1 &&
            ::X509_NAME_add_entry_by_NID(
                name, NID_commonName, MBSTRING_ASC,
                reinterpret_cast<unsigned char const*>(names.front().substr(0, 64).c_str()), -1, -1,
                0) == 1 &&
            ::X509_set_issuer_name(c, name) == 1;
  // Of the key, since no two certificates of one issuer may have the same.
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  std::uint32_t serial = 0;
  ok = ok && ::X509_pubkey_digest(c, ::EVP_sha256(), digest.data(), nullptr) == 1;
  std::memcpy(&serial, digest.data(), sizeof serial);
  ok = ok && ::ASN1_INTEGER_set_uint64(::X509_get_serialNumber(c), serial) == 1;
  openssl_ptr<X509_EXTENSION> const extension(
      ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternatives.c_str()));
  ok = ok && extension && ::X509_add_ext(c, extension.get(), -1) == 1 &&
       ::X509_sign(c, data->key.get(), ::EVP_sha256()) > 0;
  if (!ok) return refused("cannot make a certificate: " + take_openssl_errors());
  return tls_access::identity(std::move(data));
}

std::string tls_identity::chain() const {
  std::string text;
  if (!data_) return text;
  openssl_ptr<BIO> const out(::BIO_new(::BIO_s_mem()));
  bool ok = out && ::PEM_write_bio_X509(out.get(), data_->certificate.get()) == 1;
  for (auto const& c : data_->chain) ok = ok && ::PEM_write_bio_X509(out.get(), c.get()) == 1;
  if (!ok) throw std::bad_alloc();
  char* at = nullptr;
  long const n = BIO_get_mem_data(out.get(), &at);
  text.assign(at, static_cast<std::size_t>(n));
  return text;
}

}  // namespace otter
