#include "router.hpp"

#include <otter/message.hpp>
#include <utility>

#include "session.hpp"
#include "stanza_error.hpp"

namespace chat {

router::router(std::string domain, std::uint32_t max_resources,
               otter::server_ref<store_writer> writer)
    : domain_{std::move(domain)}, max_resources_{max_resources}, writer_{writer} {}

// --- who is here ---

bind_outcome router::handle_call(bind m, otter::from who) {
  auto const session = who.caller();
  auto result = table_.bind(m.who, session, max_resources_);
  if (!result.bound) return bind_outcome::too_many_resources;
  if (result.replaced) {
    auto const old = sessions_.find(*result.replaced);
    if (old != sessions_.end()) {
      otter::demonitor(old->second.watch);
      sessions_.erase(old);
    }
    otter::send(*result.replaced, session::replaced{});
  }
  sessions_.emplace(session, holder{std::move(m.who), otter::monitor(session)});
  tell(std::move(result.told));
  return bind_outcome::bound;
}

void router::handle_cast(unbind m) {
  auto const found = sessions_.find(m.session);
  if (found == sessions_.end()) return;  // replaced
  otter::demonitor(found->second.watch);
  forget_session(m.session);
}

void router::handle_info(otter::down m) { forget_session(m.process); }

void router::forget_session(otter::pid session) {
  auto const found = sessions_.find(session);
  if (found == sessions_.end()) return;
  auto const who = std::move(found->second.who);
  sessions_.erase(found);
  tell(table_.unbind(who, session));
}

void router::handle_cast(set_presence m) {
  auto const found = sessions_.find(m.session);
  if (found == sessions_.end()) return;
  tell(
      table_.set_presence(found->second.who, m.session, m.available, m.priority, std::move(m.xml)));
}

void router::tell(deliveries told) {
  for (auto& d : told) otter::send(d.to, session::delivery{std::move(d.xml)});
}

// --- stanzas ---

void router::refuse(route const& m, stanza_condition condition) {
  if (auto error = error_reply(m.what, condition))
    otter::send(m.session, session::delivery{*std::move(error)});
}

void router::handle_cast(route m) {
  // Whether an account exists is the store's to know. It is asked where that makes a difference,
  // when a message is to be kept; all other answers are the same for strangers (routing.cpp).
  std::vector<otter::pid> to;
  auto const decision =
      table_.route(target_of(m.what.to, domain_, true), m.what.cls, m.what.to, to);
  switch (decision.action) {
    case route_action::deliver:
      for (std::size_t i = 0; i + 1 < to.size(); ++i)
        otter::send(to[i], session::delivery{m.what.xml});
      if (!to.empty()) otter::send(to.back(), session::delivery{std::move(m.what.xml)});
      return;
    case route_action::store_offline:
      if (!m.what.keep_offline) return refuse(m, stanza_condition::service_unavailable);
      otter::cast(writer_, store_writer::keep{m.session, std::move(m.what)});
      return;
    case route_action::answer_error:
      return refuse(m, decision.condition);
    case route_action::answer_server:
      return refuse(m, stanza_condition::service_unavailable);
    case route_action::drop:
      return;
  }
}

// --- waiting messages ---

otter::call_outcome<offline_batch> router::handle_call(fetch_offline m,
                                                       otter::caller<fetch_offline> who) {
  otter::cast(writer_, store_writer::fetch{who, std::move(m.account)});
  return noreply();
}

void router::handle_cast(forget_offline m) {
  otter::cast(writer_, store_writer::forget{std::move(m.account), std::move(m.ids)});
}

}  // namespace chat
