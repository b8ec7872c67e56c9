#include "crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <limits>
#include <stdexcept>

namespace chat {
namespace {

EVP_MD const* algorithm(hash_type hash) {
  return hash == hash_type::sha1 ? EVP_sha1() : EVP_sha256();
}

unsigned char const* octets(std::string_view bytes) {
  return reinterpret_cast<unsigned char const*>(bytes.data());
}

int length_of(std::string_view bytes) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw std::length_error("crypto: input of " + std::to_string(bytes.size()) + " bytes");
  return static_cast<int>(bytes.size());
}

}  // namespace

std::size_t digest_size(hash_type hash) noexcept { return hash == hash_type::sha1 ? 20 : 32; }

std::string digest(hash_type hash, std::string_view bytes) {
  std::string out(digest_size(hash), '\0');
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
                 algorithm(hash), nullptr) != 1)
    throw std::runtime_error("crypto: digest refused by libcrypto");
  return out;
}

std::string hmac(hash_type hash, std::string_view key, std::string_view bytes) {
  std::string out(digest_size(hash), '\0');
  unsigned int size = 0;
  // An empty key is legal, a null pointer means "as before".
  char const none = 0;
  if (HMAC(algorithm(hash), key.empty() ? &none : key.data(), length_of(key), octets(bytes),
           bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size) == nullptr)
    throw std::runtime_error("crypto: hmac refused by libcrypto");
  return out;
}

secret run(pbkdf2_job const& job) {
  secret out{digest_size(job.hash)};
  std::string_view const password = job.password.view();
  if (PKCS5_PBKDF2_HMAC(password.empty() ? "" : password.data(), length_of(password),
                        octets(job.salt), length_of(job.salt), static_cast<int>(job.iterations),
                        algorithm(job.hash), static_cast<int>(out.size()),
                        reinterpret_cast<unsigned char*>(out.data())) != 1)
    throw std::runtime_error("crypto: pbkdf2 refused by libcrypto (" +
                             std::to_string(job.iterations) + " iterations)");
  return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void system_random(char* bytes, std::size_t size) {
  if (size > 0 && RAND_bytes(reinterpret_cast<unsigned char*>(bytes), static_cast<int>(size)) != 1)
    throw std::runtime_error("crypto: no random bytes from the operating system");
}

std::string random_bytes(random_source const& random, std::size_t bytes) {
  std::string out(bytes, '\0');
  random(out.data(), out.size());
  return out;
}

std::string random_hex(random_source const& random, std::size_t bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes * 2);
  for (char const c : random_bytes(random, bytes)) {
    auto const value = static_cast<unsigned char>(c);
    out += digits[value >> 4];
    out += digits[value & 15U];
  }
  return out;
}

}  // namespace chat
