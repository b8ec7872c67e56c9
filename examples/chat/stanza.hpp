#pragma once

// stanza.hpp - a message, presence or iq on its way from one session to others.
//
// It is written out once, with the sender's address stamped on it, and travels as bytes beside the
// few facts that routing needs. Receivers write the bytes as they are.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "jid.hpp"
#include "xml_element.hpp"

namespace chat {

enum class stanza_kind : std::uint8_t { message, presence, iq };

/// What the routing table tells apart (RFC 6121, section 8.5).
enum class stanza_class : std::uint8_t {
  message_normal,  // also chat: the table treats them alike
  message_groupchat,
  message_headline,
  message_error,
  presence,           // available, unavailable, error
  presence_managing,  // subscribe and its kin, probe
  iq_request,
  iq_response,
};

[[nodiscard]] std::string_view to_string(stanza_kind kind) noexcept;
/// The kind of a first-level element, or nothing if it is no stanza.
[[nodiscard]] std::optional<stanza_kind> kind_of(xml_element const& element) noexcept;
/// Nothing for an iq whose type is none of the four, or a presence of unknown type. A message of
/// unknown type is a normal one (RFC 6121, section 5.2.2).
[[nodiscard]] std::optional<stanza_class> classify(xml_element const& element) noexcept;

struct stanza {
  stanza_class cls = stanza_class::message_normal;
  stanza_kind kind = stanza_kind::message;
  bool keep_offline = false;  // worth keeping for a user who is away
  std::string id;             // as it came, or empty
  jid from;
  jid to;
  std::string xml;
};

/// Takes `element` apart. `element` must be classifiable; from and to are stamped on it.
[[nodiscard]] stanza make_stanza(xml_element element, jid const& from, jid const& to);

/// The same presence with ` to='...'` put in. `xml` is ours, written by serialise() without a `to`.
[[nodiscard]] std::string addressed_to(std::string_view xml, jid const& to);

}  // namespace chat
