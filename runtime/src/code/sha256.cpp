#include "code/sha256.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <new>

namespace otter::rts {

std::string sha256(std::span<std::byte const> content) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  // It fails for lack of memory alone: SHA-256 is always there.
  if (EVP_Digest(content.data(), content.size(), digest, &size, EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace otter::rts
