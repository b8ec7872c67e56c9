#pragma once

// crypto.hpp - the few primitives that SASL needs, over OpenSSL's libcrypto.
//
//   digest, hmac            one call, no state
//   pbkdf2_job, run()       the one slow thing: a value that a pool can work on
//   equal_in_constant_time  compares keys without telling where they differ
//   random_source           where nonces, salts and ids come from; a test brings its own

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "secret.hpp"

namespace chat {

enum class hash_type : std::uint8_t { sha1, sha256 };

[[nodiscard]] std::size_t digest_size(hash_type hash) noexcept;
[[nodiscard]] std::string digest(hash_type hash, std::string_view bytes);
[[nodiscard]] std::string hmac(hash_type hash, std::string_view key, std::string_view bytes);

/// PBKDF2 (the `Hi` of RFC 5802): milliseconds of work, so it is a value and not a call: the
/// session hands it to a pool of blocking threads and comes back with the result.
struct pbkdf2_job {
  hash_type hash = hash_type::sha256;
  secret password;
  std::string salt;
  std::uint32_t iterations = 0;
};

/// Blocks: for as long as the iterations take. Throws: std::runtime_error if libcrypto refuses.
[[nodiscard]] secret run(pbkdf2_job const& job);

[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

/// Fills `size` bytes.
using random_source = std::function<void(char* bytes, std::size_t size)>;

/// The operating system's generator. Throws: std::runtime_error if it has nothing to give.
void system_random(char* bytes, std::size_t size);

/// `bytes` random bytes in hexadecimal.
[[nodiscard]] std::string random_hex(random_source const& random, std::size_t bytes);
/// `bytes` random bytes as they are.
[[nodiscard]] std::string random_bytes(random_source const& random, std::size_t bytes);

}  // namespace chat
