// FIPS 180-4, section 6.2. The words of the standard are its names: a to h, W, K.

#include "code/sha256.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace otter::rts {

namespace {

constexpr std::size_t block_size = 64;

constexpr std::array<std::uint32_t, 64> k = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using state = std::array<std::uint32_t, 8>;

void take_block(state& hash, std::byte const* block) noexcept {
  std::array<std::uint32_t, 64> w;
  for (std::size_t t = 0; t < 16; ++t)
    w[t] = std::to_integer<std::uint32_t>(block[4 * t]) << 24 |
           std::to_integer<std::uint32_t>(block[4 * t + 1]) << 16 |
           std::to_integer<std::uint32_t>(block[4 * t + 2]) << 8 |
           std::to_integer<std::uint32_t>(block[4 * t + 3]);
  for (std::size_t t = 16; t < 64; ++t) {
    std::uint32_t const s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
    std::uint32_t const s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = hash;
  for (std::size_t t = 0; t < 64; ++t) {
    std::uint32_t const t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                             ((e & f) ^ (~e & g)) + k[t] + w[t];
    std::uint32_t const t2 =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state const add = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < hash.size(); ++i) hash[i] += add[i];
}

}  // namespace

std::string sha256(std::span<std::byte const> content) {
  state hash = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::size_t at = 0;
  for (; content.size() - at >= block_size; at += block_size) take_block(hash, content.data() + at);

  // What is left, a bit that is set, zeros, and the length in bits: one block or two.
  std::array<std::byte, 2 * block_size> end{};
  std::size_t const left = content.size() - at;
  if (left != 0) std::memcpy(end.data(), content.data() + at, left);
  end[left] = std::byte{0x80};
  std::size_t const size = left + 9 <= block_size ? block_size : 2 * block_size;
  std::uint64_t bits = std::uint64_t{content.size()} * 8;
  for (std::size_t i = 1; i <= 8; ++i, bits >>= 8) end[size - i] = static_cast<std::byte>(bits);
  for (std::size_t i = 0; i < size; i += block_size) take_block(hash, end.data() + i);

  std::string text;
  for (std::uint32_t word : hash) text += fmt::format("{:08x}", word);
  return text;
}

}  // namespace otter::rts
