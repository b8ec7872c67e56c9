// io/tls_error.cpp - the error category of TLS.

#include <otter/tls_error.hpp>

namespace otter {
namespace {

class tls_category_type final : public std::error_category {
 public:
  char const* name() const noexcept override { return "tls"; }
  std::string message(int value) const override {
    switch (static_cast<tls_errc>(value)) {
      case tls_errc::not_tls:
        return "the peer does not speak TLS";
      case tls_errc::version:
        return "no TLS version that both sides allow";
      case tls_errc::no_shared_cipher:
        return "no cipher that both sides have";
      case tls_errc::no_shared_protocol:
        return "no application protocol (ALPN) that both sides speak";
      case tls_errc::downgrade:
        return "the handshake was weakened on its way";
      case tls_errc::certificate_expired:
        return "the peer's certificate has expired";
      case tls_errc::certificate_not_yet_valid:
        return "the peer's certificate is not valid yet";
      case tls_errc::certificate_self_signed:
        return "the peer's certificate is signed by itself only";
      case tls_errc::unknown_ca:
        return "the peer's certificate is signed by an authority that is not trusted";
      case tls_errc::host_mismatch:
        return "the peer's certificate is for another name";
      case tls_errc::certificate_revoked:
        return "the peer's certificate was revoked";
      case tls_errc::certificate_refused:
        return "the peer's certificate is not acceptable";
      case tls_errc::certificate_required:
        return "the peer has shown no certificate";
      case tls_errc::alert:
        return "the peer has given up TLS";
      case tls_errc::protocol:
        return "the peer breaks the rules of TLS";
      case tls_errc::truncated:
        return "the connection ended without a farewell: what came may be cut off";
      case tls_errc::flood:
        return "the peer demands answers and does not read them";
      case tls_errc::bad_identity:
        return "certificate or key cannot be used";
      case tls_errc::bad_trust:
        return "the authorities cannot be read";
      case tls_errc::no_exporter:
        return "this connection gives no keying material";
    }
    return "error " + std::to_string(value);
  }
};

}  // namespace

std::error_category const& tls_category() noexcept {
  static tls_category_type const category;
  return category;
}

}  // namespace otter
