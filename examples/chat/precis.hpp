#pragma once

// precis.hpp - preparing names and passwords for comparison (PRECIS, RFC 8264 and 8265), over ICU.
//
//   username_case_mapped()  for local parts and login names: alice == Alice == ＡＬＩＣＥ
//   opaque_string()         for resources and passwords: case kept
//   prepare_domain()        for domains: U-labels, lower case, IP literals as they are
//
// ASCII is done without ICU. The store's keys depend on these rules: a change needs a migration.
// Narrower than the RFC in one place: ZERO WIDTH NON-JOINER is allowed only behind a virama (the
// RFC also allows it between joining letters), since ICU offers no shortcut and no client sends it.

#include <optional>
#include <string>
#include <string_view>

namespace chat {

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// Empty if a character may not stand in a name, if the bidi rule is broken, or if nothing is left.
[[nodiscard]] std::optional<std::string> username_case_mapped(std::string_view text);
[[nodiscard]] std::optional<std::string> opaque_string(std::string_view text);
[[nodiscard]] std::optional<std::string> prepare_domain(std::string_view text);

}  // namespace chat
