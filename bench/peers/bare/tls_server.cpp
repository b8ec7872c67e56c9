#include "tls_server.hpp"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

namespace bare {
namespace {

bench::openssl_ptr<X509> certificate_of(EVP_PKEY* key) {
  bench::openssl_ptr<X509> made(::X509_new());
  X509* const c = made.get();
  bench::check(c != nullptr, "X509_new");
  constexpr long day = 86'400;
  X509_NAME* const name = ::X509_get_subject_name(c);
  X509_EXTENSION* const names =
      ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  bench::check(names != nullptr && ::X509_set_version(c, 2) == 1 &&
                   ::ASN1_INTEGER_set(::X509_get_serialNumber(c), 1) == 1 &&
                   ::X509_gmtime_adj(::X509_getm_notBefore(c), -day) != nullptr &&
                   ::X509_gmtime_adj(::X509_getm_notAfter(c), 30 * day) != nullptr &&
                   ::X509_set_pubkey(c, key) == 1 &&
                   ::X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                                reinterpret_cast<unsigned char const*>("127.0.0.1"),
                                                -1, -1, 0) == 1 &&
                   ::X509_set_issuer_name(c, name) == 1 && ::X509_add_ext(c, names, -1) == 1 &&
                   ::X509_sign(c, key, ::EVP_sha256()) > 0,
               "certificate");
  ::X509_EXTENSION_free(names);
  return made;
}

}  // namespace

bench::openssl_ptr<SSL_CTX> tls_server() {
  bench::openssl_ptr<EVP_PKEY> const key(EVP_EC_gen("P-256"));
  bench::check(key != nullptr, "EVP_EC_gen");
  auto const certificate = certificate_of(key.get());
  auto context = bench::tls_context_for(::TLS_server_method());
  bench::check(::SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
                   ::SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1 &&
                   ::SSL_CTX_set_num_tickets(context.get(), 1) == 1,
               "tls server");
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // a ticket holds it all
  return context;
}

}  // namespace bare
