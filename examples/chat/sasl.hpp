#pragma once

// sasl.hpp - the server's side of SASL PLAIN, SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 4616, 5802, 7677).
//
//   scram_key, credentials    what the store keeps of a password
//   sasl_policy               what all exchanges of a server share
//   sasl_exchange             one login attempt, step by step, without input or output
//   sasl_step                 what has to happen next
//
// Written over libcrypto and not over libgsasl: gsasl would run PBKDF2 inside its step function, on
// whatever thread calls it, and ask for the password's keys in a callback; here both are steps that
// the caller does elsewhere (a store process, a pool of blocking threads). The tests use gsasl as
// the other end.
//
// An unknown user takes the same path, with keys derived from a secret of the server, so neither
// the answers nor their cost tell whether an account exists.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "crypto.hpp"
#include "secret.hpp"

namespace chat {

/// What SCRAM keeps instead of a password, for one hash.
struct scram_key {
  std::string salt;
  std::uint32_t iterations = 0;
  std::string stored_key;
  std::string server_key;
};

struct credentials {
  scram_key sha1;
  scram_key sha256;
  [[nodiscard]] scram_key const& of(hash_type hash) const noexcept {
    return hash == hash_type::sha1 ? sha1 : sha256;
  }
};

/// Prepares `password` (OpaqueString) and derives both keys. Blocks: for two PBKDF2.
/// Throws: std::invalid_argument if the password holds what no password may.
[[nodiscard]] credentials make_credentials(secret const& password, std::uint32_t iterations,
                                           random_source const& random);

/// From the salted password to the keys (RFC 5802, section 3).
[[nodiscard]] scram_key keys_from_salted(hash_type hash, secret const& salted, std::string salt,
                                         std::uint32_t iterations);

enum class sasl_condition : std::uint8_t {
  aborted,
  incorrect_encoding,
  invalid_authzid,
  invalid_mechanism,
  malformed_request,
  not_authorized,
  temporary_auth_failure,
};
[[nodiscard]] std::string_view to_string(sasl_condition condition) noexcept;

struct sasl_policy {
  std::string domain;
  std::string server_secret;         // for the keys of accounts that do not exist
  std::uint32_t iterations = 10000;  // of those keys: the number that new accounts get
  random_source random = system_random;
  std::function<std::string()> nonce;  // SCRAM's server part; empty: 18 random bytes in base64
};

/// The mechanisms offered, best first.
inline constexpr std::string_view sasl_mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"};

/// Look `username` up (it is prepared) and call found() with what there is.
struct need_credentials {
  std::string username;
};
/// Run `job` where it may take its time and call derived() with the result.
struct need_derivation {
  pbkdf2_job job;
};
/// Send `data` and wait for response().
struct sasl_challenge {
  std::string data;
};
struct sasl_success {
  std::string data;  // additional data of the mechanism, may be empty
  std::string username;
};
struct sasl_failure {
  sasl_condition condition;
};
using sasl_step =
    std::variant<need_credentials, need_derivation, sasl_challenge, sasl_success, sasl_failure>;

/// One attempt. After sasl_success or sasl_failure it is finished.
///
/// Ownership: `policy` must outlive it.
/// Threads:   one at a time.
class sasl_exchange {
 public:
  explicit sasl_exchange(sasl_policy const& policy);
  ~sasl_exchange();
  sasl_exchange(sasl_exchange&&) noexcept;
  sasl_exchange& operator=(sasl_exchange&&) noexcept;

  /// `initial` is the decoded initial response; nothing if there was none.
  /// A call in the wrong state (a response while a lookup runs) is a malformed-request.
  [[nodiscard]] sasl_step start(std::string_view mechanism,
                                std::optional<std::string_view> initial);
  [[nodiscard]] sasl_step response(std::string_view data);
  [[nodiscard]] sasl_step found(std::optional<credentials> account);
  [[nodiscard]] sasl_step derived(secret salted);

 private:
  [[nodiscard]] sasl_step fail(sasl_condition condition);
  [[nodiscard]] sasl_step first_message(std::string_view data);
  [[nodiscard]] sasl_step plain_message(std::string_view data);
  [[nodiscard]] sasl_step scram_first(std::string_view data);
  [[nodiscard]] sasl_step scram_final(std::string_view data);
  [[nodiscard]] sasl_step look_up(std::string_view raw_name);
  [[nodiscard]] bool own_authzid(std::string_view authzid, std::string_view raw_name) const;

  enum class phase : std::uint8_t { fresh, first, lookup, derivation, final, done };

  sasl_policy const* policy_;
  phase phase_ = phase::fresh;
  hash_type hash_ = hash_type::sha256;
  bool plain_ = false;
  bool exists_ = false;
  std::string username_;  // prepared, or as it came if it can be no name
  scram_key key_;
  secret password_;           // PLAIN, between message and derivation
  std::string gs2_header_;    // SCRAM
  std::string client_first_;  //   without the GS2 header
  std::string server_first_;
  std::string nonce_;  //   both halves
};

}  // namespace chat
