#pragma once

// presence_table.hpp - which resources of which accounts are bound, and what they last said.
//
//   presence_table<Session>   the table; Session is how the caller names a connection
//
// Pure bookkeeping for the router: it answers "whom do I write to", the router writes. Presence
// goes to the account's own resources and back to the sender (RFC 6121, section 4.2.2: clients wait
// for the echo); there are no contacts yet.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "jid.hpp"
#include "routing.hpp"
#include "stanza.hpp"

namespace chat {

/// Ownership: owns its entries; a Session is a value that it hands back.
/// Threads:   one at a time.
/// Invariant: an account has an entry exactly while one of its resources is bound.
template <typename Session>
class presence_table {
 public:
  struct delivery {
    Session to;
    std::string xml;
  };
  struct bind_result {
    bool bound = false;               // false: the account has too many resources
    std::optional<Session> replaced;  // the old connection of that resource, which must end
    std::vector<delivery> told;       // its end, as the other resources hear of it
  };

  /// Makes `who` (a full jid) the address of `session`. An old holder of the name loses.
  bind_result bind(jid const& who, Session session, std::size_t max_resources) {
    auto& resources = accounts_[std::string{who.bare()}];
    bind_result out;
    if (auto* old = find_in(resources, who.resource())) {
      out.bound = true;
      out.replaced = old->session;
      bool const was_available = old->available;
      old->session = std::move(session);
      old->available = false;
      old->priority = 0;
      old->presence.clear();
      if (was_available) out.told = announce_end(resources, who);
      return out;
    }
    if (resources.size() >= max_resources) {
      if (resources.empty()) accounts_.erase(std::string{who.bare()});
      return out;
    }
    resources.push_back({std::string{who.resource()}, std::move(session), false, 0, {}});
    out.bound = true;
    return out;
  }

  /// The connection has ended. Nothing happens if `session` no longer holds the name: it was
  /// replaced, and the name is another's now.
  std::vector<delivery> unbind(jid const& who, Session const& session) {
    auto const account = accounts_.find(std::string{who.bare()});
    if (account == accounts_.end()) return {};
    auto& resources = account->second;
    auto* entry = find_in(resources, who.resource());
    if (entry == nullptr || !(entry->session == session)) return {};
    bool const was_available = entry->available;
    resources.erase(resources.begin() + (entry - resources.data()));
    std::vector<delivery> out;
    if (was_available) out = announce_end(resources, who);
    if (resources.empty()) accounts_.erase(account);
    return out;
  }

  /// `xml` is the presence as its sender stamped it, without a `to`. The deliveries are the echo,
  /// the copies for the other available resources and, at the first presence, theirs for the
  /// sender.
  std::vector<delivery> set_presence(jid const& who, Session const& session, bool available,
                                     std::int8_t priority, std::string xml) {
    auto* resources = find_account(who);
    auto* entry = resources == nullptr ? nullptr : find_in(*resources, who.resource());
    if (entry == nullptr || !(entry->session == session)) return {};
    bool const first = available && !entry->available;
    bool const was_available = entry->available;
    std::vector<delivery> out;
    if (!available && !was_available) return out;
    entry->available = available;
    entry->priority = priority;
    for (auto const& other : *resources) {
      bool const self = &other == entry;
      if (!other.available && !self) continue;
      out.push_back({other.session, addressed_to(xml, full_of(who, other))});
    }
    if (first) {
      for (auto const& other : *resources)
        if (&other != entry && other.available)
          out.push_back({entry->session, addressed_to(other.presence, who)});
    }
    entry->presence = available ? std::move(xml) : std::string{};
    return out;
  }

  /// What to do with a stanza for `to`. `account_exists` is the store's answer for an address that
  /// is local; the sessions are listed in `sessions`.
  route_decision route(target_type target, stanza_class cls, jid const& to,
                       std::vector<Session>& sessions) const {
    std::vector<resource_view> views;
    auto const* resources = find_account(to);
    if (resources != nullptr) {
      views.reserve(resources->size());
      for (auto const& r : *resources)
        views.push_back({r.available, r.priority, to.is_full() && r.name == to.resource()});
    }
    auto decision = decide(target, cls, views);
    sessions.clear();
    for (auto const i : decision.resources) sessions.push_back((*resources)[i].session);
    return decision;
  }

  [[nodiscard]] bool is_bound(jid const& who) const {
    auto const* resources = find_account(who);
    return resources != nullptr && find_in(*resources, who.resource()) != nullptr;
  }
  /// Who holds this full address.
  [[nodiscard]] std::optional<Session> session_of(jid const& who) const {
    auto const* resources = find_account(who);
    auto const* found = resources == nullptr ? nullptr : find_in(*resources, who.resource());
    return found == nullptr ? std::nullopt : std::optional<Session>{found->session};
  }
  [[nodiscard]] std::size_t accounts() const noexcept { return accounts_.size(); }

 private:
  struct resource {
    std::string name;
    Session session;
    bool available = false;
    std::int8_t priority = 0;
    std::string presence;  // the last one, for resources that come later
  };
  using resources_of = std::vector<resource>;

  template <typename Resources>
  static auto* find_in(Resources& resources, std::string_view name) {
    auto const found = std::find_if(resources.begin(), resources.end(),
                                    [&](auto const& r) { return r.name == name; });
    return found == resources.end() ? nullptr : &*found;
  }
  resources_of* find_account(jid const& who) {
    auto const found = accounts_.find(std::string{who.bare()});
    return found == accounts_.end() ? nullptr : &found->second;
  }
  resources_of const* find_account(jid const& who) const {
    auto const found = accounts_.find(std::string{who.bare()});
    return found == accounts_.end() ? nullptr : &found->second;
  }
  static jid full_of(jid const& who, resource const& r) {
    return jid::from_prepared(who.local(), who.domain(), r.name);
  }
  static std::vector<delivery> announce_end(resources_of const& resources, jid const& who) {
    std::vector<delivery> out;
    xml_element gone{"presence", ns::client};
    gone.set("from", who.full()).set("type", "unavailable");
    auto const xml = to_xml(gone);
    for (auto const& other : resources)
      if (other.available) out.push_back({other.session, addressed_to(xml, full_of(who, other))});
    return out;
  }

  std::unordered_map<std::string, resources_of> accounts_;  // by bare jid
};

}  // namespace chat
