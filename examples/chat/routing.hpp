#pragma once

// routing.hpp - who gets a stanza: the table of RFC 6121, section 8.5.4, as one pure function.
//
// It knows nothing of sessions: the caller looks the address up, asks, and does what is decided.
// Local choices where the RFC leaves one: a message to a bare address goes to all resources of the
// highest priority; an available presence to a bare address goes to all available ones.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "stanza.hpp"
#include "stanza_error.hpp"

namespace chat {

/// What the address of a stanza turned out to be.
enum class target_type : std::uint8_t {
  bare_account,  // local@domain, the account exists
  full_account,  // local@domain/resource, the account exists
  no_account,    // local@domain with or without a resource, nobody has it
  server,        // our domain, with or without a resource
  foreign,       // another domain
};

/// `account_exists` counts only for an address on our own `domain` with a local part.
[[nodiscard]] target_type target_of(jid const& to, std::string_view domain, bool account_exists);

/// One resource that is bound now.
struct resource_view {
  bool available = false;    // has sent presence
  std::int8_t priority = 0;  // of that presence
  bool addressed = false;    // it is the resource that a full address names
};

enum class route_action : std::uint8_t {
  deliver,        // to the resources listed
  store_offline,  // or `service-unavailable` if the store refuses or the message is not worth it
  answer_error,
  answer_server,  // the server answers for the account or domain. A session has already answered
                  // what is for its own account or the bare domain; the rest gets
                  // `service-unavailable`
  drop,
};

struct route_decision {
  route_action action = route_action::drop;
  stanza_condition condition = stanza_condition::service_unavailable;  // for answer_error
  std::vector<std::size_t> resources;                                  // indices, for deliver
};

[[nodiscard]] route_decision decide(target_type target, stanza_class cls,
                                    std::span<resource_view const> resources);

}  // namespace chat
