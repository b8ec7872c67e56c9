#include "base64.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace chat {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  for (auto& v : values) v = -1;
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}
constexpr auto values = make_values();

std::uint32_t byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    std::uint32_t const v =
        byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) out += alphabet[v >> shift & 63U];
  }
  if (bytes.size() - i == 1) {
    std::uint32_t const v = byte_at(bytes, i) << 16;
    out += alphabet[v >> 18];
    out += alphabet[v >> 12 & 63U];
    out += "==";
  } else if (bytes.size() - i == 2) {
    std::uint32_t const v = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8;
    out += alphabet[v >> 18];
    out += alphabet[v >> 12 & 63U];
    out += alphabet[v >> 6 & 63U];
    out += '=';
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    bool const last = i + 4 == text.size();
    std::size_t padding = 0;
    if (last && text[i + 3] == '=') padding = text[i + 2] == '=' ? 2 : 1;
    std::uint32_t v = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      if (k >= 4 - padding) {
        v <<= 6;
        continue;
      }
      auto const digit = values[static_cast<unsigned char>(text[i + k])];
      if (digit < 0) return std::nullopt;
      v = v << 6 | static_cast<std::uint32_t>(digit);
    }
    // One spelling per value: bits that no byte takes must be zero.
    if (padding == 2 && (v & 0xFFFFU) != 0) return std::nullopt;
    if (padding == 1 && (v & 0xFFU) != 0) return std::nullopt;
    out += static_cast<char>(v >> 16 & 0xFFU);
    if (padding < 2) out += static_cast<char>(v >> 8 & 0xFFU);
    if (padding < 1) out += static_cast<char>(v & 0xFFU);
  }
  return out;
}

}  // namespace chat
