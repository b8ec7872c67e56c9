#pragma once

// stream_error.hpp - what ends a whole stream, and the tags that open and close one.
// For the error that answers one stanza, see stanza_error.hpp.

#include <cstdint>
#include <string>
#include <string_view>

namespace chat {

/// The conditions of RFC 6120, section 4.9.3, that this server can have a reason to send.
enum class stream_condition : std::uint8_t {
  bad_format,
  bad_namespace_prefix,
  conflict,
  connection_timeout,
  host_unknown,
  improper_addressing,
  internal_server_error,
  invalid_from,
  invalid_namespace,
  not_authorized,
  not_well_formed,
  policy_violation,
  resource_constraint,
  restricted_xml,
  system_shutdown,
  unsupported_encoding,
  unsupported_stanza_type,
  unsupported_version,
};

[[nodiscard]] std::string_view to_string(stream_condition condition) noexcept;

/// `<stream:error>` with one condition and, if there is any, a text for people.
[[nodiscard]] std::string stream_error_xml(stream_condition condition, std::string_view text = {});

/// Our opening tag, with the XML declaration. `to` is left out if empty.
[[nodiscard]] std::string stream_header_xml(std::string_view from, std::string_view id,
                                            std::string_view to);

inline constexpr std::string_view stream_end_xml = "</stream:stream>";

}  // namespace chat
