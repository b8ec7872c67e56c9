#pragma once

// stanza_error.hpp - the answer to one stanza that cannot be done (RFC 6120, section 8.3).
// For what ends the whole stream, see stream_error.hpp.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "jid.hpp"
#include "stanza.hpp"
#include "xml_element.hpp"

namespace chat {

enum class stanza_condition : std::uint8_t {
  bad_request,
  conflict,
  feature_not_implemented,
  forbidden,
  gone,
  internal_server_error,
  item_not_found,
  jid_malformed,
  not_acceptable,
  not_allowed,
  not_authorized,
  policy_violation,
  recipient_unavailable,
  registration_required,
  remote_server_not_found,
  remote_server_timeout,
  resource_constraint,
  service_unavailable,
  subscription_required,
  unexpected_request,
};

[[nodiscard]] std::string_view to_string(stanza_condition condition) noexcept;
/// `cancel`, `modify`, `auth` or `wait`: what the sender may do about it.
[[nodiscard]] std::string_view type_of(stanza_condition condition) noexcept;

/// `<error type='...'>` with the condition and, if there is any, a text for people.
[[nodiscard]] xml_element error_element(stanza_condition condition, std::string_view text = {});

/// The error that answers a stanza of `kind`. `from` is who could not serve, `to` who asked.
/// Empty strings leave the attribute out.
[[nodiscard]] std::string stanza_error_xml(stanza_kind kind, std::string_view id,
                                           std::string_view from, std::string_view to,
                                           stanza_condition condition, std::string_view text = {});

/// The answer to a routed stanza, addresses swapped; nothing where none may be given: an error is
/// never answered, nor is an iq result.
[[nodiscard]] std::optional<std::string> error_reply(stanza const& to_what,
                                                     stanza_condition condition);

}  // namespace chat
