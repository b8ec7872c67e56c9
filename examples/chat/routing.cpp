#include "routing.hpp"

#include <algorithm>

namespace chat {
namespace {

route_decision drop() { return {}; }
route_decision refuse(stanza_condition condition = stanza_condition::service_unavailable) {
  return {route_action::answer_error, condition, {}};
}
route_decision server() { return {route_action::answer_server, {}, {}}; }

template <typename Wanted>
route_decision deliver_where(std::span<resource_view const> resources, Wanted wanted) {
  route_decision out{route_action::deliver, {}, {}};
  for (std::size_t i = 0; i < resources.size(); ++i)
    if (wanted(resources[i])) out.resources.push_back(i);
  if (out.resources.empty()) return drop();
  return out;
}

bool eligible(resource_view const& r) { return r.available && r.priority >= 0; }

route_decision to_account(stanza_class cls, std::span<resource_view const> resources) {
  switch (cls) {
    case stanza_class::message_normal: {
      int highest = -1;
      for (auto const& r : resources)
        if (eligible(r)) highest = std::max(highest, static_cast<int>(r.priority));
      if (highest < 0) return {route_action::store_offline, {}, {}};
      return deliver_where(resources,
                           [&](auto const& r) { return r.available && r.priority == highest; });
    }
    case stanza_class::message_groupchat:
      return refuse();
    case stanza_class::message_headline:
      return deliver_where(resources, eligible);
    case stanza_class::message_error:
      return drop();
    case stanza_class::presence:
      return deliver_where(resources, [](auto const& r) { return r.available; });
    case stanza_class::presence_managing:
      return drop();  // there are no subscriptions yet
    case stanza_class::iq_request:
      return server();
    case stanza_class::iq_response:
      return drop();
  }
  return drop();
}

route_decision to_gone_resource(stanza_class cls, std::span<resource_view const> resources) {
  switch (cls) {
    case stanza_class::message_normal:
      return to_account(cls, resources);
    case stanza_class::message_groupchat:
    case stanza_class::iq_request:
      return refuse();
    default:
      return drop();
  }
}

route_decision to_nobody(stanza_class cls, stanza_condition condition) {
  switch (cls) {
    case stanza_class::message_normal:
    case stanza_class::message_groupchat:
    case stanza_class::iq_request:
      return refuse(condition);
    default:
      return drop();
  }
}

}  // namespace

target_type target_of(jid const& to, std::string_view domain, bool account_exists) {
  if (to.domain() != domain) return target_type::foreign;
  if (to.local().empty()) return target_type::server;
  if (!account_exists) return target_type::no_account;
  return to.is_full() ? target_type::full_account : target_type::bare_account;
}

route_decision decide(target_type target, stanza_class cls,
                      std::span<resource_view const> resources) {
  switch (target) {
    case target_type::bare_account:
      return to_account(cls, resources);
    case target_type::full_account: {
      auto const there = deliver_where(resources, [](auto const& r) { return r.addressed; });
      if (there.action == route_action::deliver) {
        // Subscriptions belong to accounts, not to resources.
        return cls == stanza_class::presence_managing ? drop() : there;
      }
      return to_gone_resource(cls, resources);
    }
    case target_type::no_account:
      return to_nobody(cls, stanza_condition::service_unavailable);
    case target_type::server:
      return cls == stanza_class::iq_request ? server() : drop();
    case target_type::foreign:
      // Nothing says that a headline is dropped on its way out, so it is told like any message.
      if (cls == stanza_class::message_headline)
        return refuse(stanza_condition::remote_server_not_found);
      return to_nobody(cls, stanza_condition::remote_server_not_found);
  }
  return drop();
}

}  // namespace chat
