#pragma once

// base64.hpp - base64 as SASL wants it: padded, no white space, one spelling per value.

#include <optional>
#include <string>
#include <string_view>

namespace chat {

[[nodiscard]] std::string base64_encode(std::string_view bytes);

/// Empty for anything but the one canonical spelling: wrong length, a character outside the
/// alphabet, padding in the middle, or left-over bits that are not zero.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace chat
