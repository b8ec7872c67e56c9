#pragma once

// test_certificate.hpp - certificates for tests, made in memory: no key lies in the repository.

#include <memory>
#include <string>
#include <vector>

namespace otter_test {

struct certificate_request {
  std::vector<std::string> names = {"localhost"};  ///< the first is the common name, too
  std::vector<std::string> addresses = {};
  int valid_from_days = -1;  ///< from today
  int valid_to_days = 30;
  bool authority = false;
};

/// A certificate and its key, in PEM. Ed25519: all signatures have one length, so the lengths of a
/// handshake in a simulation do not depend on chance.
struct test_certificate {
  std::string certificate;
  std::string key;

  /// Signed by `issuer`, or by itself.
  static test_certificate make(certificate_request const& what,
                               test_certificate const* issuer = nullptr);
};

/// An authority that all tests of a program share, and a certificate for localhost and 127.0.0.1.
test_certificate const& test_authority();
test_certificate const& test_localhost();

}  // namespace otter_test
