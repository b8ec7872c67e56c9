#pragma once

// io/tls_identity.hpp - certificates and keys as OpenSSL has them.
//
//   openssl_ptr          owns what OpenSSL counts
//   tls_identity_data    a parsed certificate chain and its key
//   certificates_in()    all certificates of a PEM text
//   take_openssl_errors()

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct X509_extension_st;
struct asn1_string_st;
struct bio_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;
struct x509_st;

namespace otter::rts {

struct openssl_free {
  void operator()(X509_extension_st* p) const noexcept;
  void operator()(asn1_string_st* p) const noexcept;
  void operator()(bio_st* p) const noexcept;
  void operator()(evp_pkey_st* p) const noexcept;
  void operator()(ssl_ctx_st* p) const noexcept;
  void operator()(ssl_session_st* p) const noexcept;
  void operator()(ssl_st* p) const noexcept;
  void operator()(x509_st* p) const noexcept;
};
template <class T>
using openssl_ptr = std::unique_ptr<T, openssl_free>;

/// Constant once made, so any number of contexts and threads share it.
struct tls_identity_data {
  openssl_ptr<x509_st> certificate;
  std::vector<openssl_ptr<x509_st>> chain;  // without the certificate itself
  openssl_ptr<evp_pkey_st> key;
};

/// Stops at the first that cannot be read; then `all` is false, and OpenSSL's errors say why.
std::vector<openssl_ptr<x509_st>> certificates_in(std::string_view pem, bool& all);

/// OpenSSL's errors of this thread as one line, oldest first; forgets them.
std::string take_openssl_errors();

}  // namespace otter::rts
