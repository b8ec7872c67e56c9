// test_certificate.cpp - by OpenSSL's interface.

#include "test_certificate.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <stdexcept>

namespace otter_test {
namespace {

template <auto Free>
struct free_by {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, free_by<EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, free_by<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, free_by<BIO_free>>;

void must(bool ok, char const* what) {
  if (!ok) throw std::runtime_error(std::string("test_certificate: ") + what);
}

std::string content(BIO* b) {
  char* text = nullptr;
  long const n = BIO_get_mem_data(b, &text);
  return std::string(text, static_cast<std::size_t>(n));
}

bio_ptr over(std::string const& text) {
  return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void extend(X509* certificate, X509* issuer, int what, std::string const& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const e = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  must(e != nullptr && X509_add_ext(certificate, e, -1) == 1, "extension");
  X509_EXTENSION_free(e);
}

}  // namespace

test_certificate test_certificate::make(certificate_request const& what,
                                        test_certificate const* issuer) {
  static std::atomic<long> serial{1};
  key_ptr const key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  x509_ptr const made(X509_new());
  must(key && made, "key");
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial++);
  constexpr long day = 86400;
  X509_gmtime_adj(X509_getm_notBefore(made.get()), what.valid_from_days * day);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), what.valid_to_days * day);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<unsigned char const*>(what.names.at(0).c_str()), -1,
                             -1, 0);
  must(X509_set_pubkey(made.get(), key.get()) == 1, "public key");

  x509_ptr issuer_certificate;
  key_ptr issuer_key;
  if (issuer != nullptr) {
    issuer_certificate.reset(
        PEM_read_bio_X509(over(issuer->certificate).get(), nullptr, nullptr, nullptr));
    issuer_key.reset(PEM_read_bio_PrivateKey(over(issuer->key).get(), nullptr, nullptr, nullptr));
    must(issuer_certificate && issuer_key, "issuer");
  }
  X509* const above = issuer != nullptr ? issuer_certificate.get() : made.get();
  X509_set_issuer_name(made.get(), X509_get_subject_name(above));
  extend(made.get(), above, NID_basic_constraints,
         what.authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!what.authority) {
    std::string names;
    for (std::string const& n : what.names) names += (names.empty() ? "DNS:" : ",DNS:") + n;
    for (std::string const& a : what.addresses) names += ",IP:" + a;
    extend(made.get(), above, NID_subject_alt_name, names);
  }
  must(X509_sign(made.get(), issuer != nullptr ? issuer_key.get() : key.get(), nullptr) > 0,
       "sign");

  bio_ptr const certificate_text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(certificate_text.get(), made.get()) == 1 &&
           PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                    nullptr) == 1,
       "text");
  return {content(certificate_text.get()), content(key_text.get())};
}

test_certificate const& test_authority() {
  static test_certificate const one =
      test_certificate::make({{"otter test authority"}, {}, -1, 30, true});
  return one;
}

test_certificate const& test_localhost() {
  static test_certificate const one =
      test_certificate::make({{"localhost"}, {"127.0.0.1"}}, &test_authority());
  return one;
}

}  // namespace otter_test
