#include "router.hpp"

#include <otter/message.hpp>
#include <utility>

#include "session_border.hpp"
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
    otter::send(*result.replaced, to_session::replaced{});
  }
  sessions_.emplace(session, holder{std::move(m.who), otter::monitor(session)});
  tell(std::move(result.told));
  return bind_outcome::bound;
}

void router::handle_call(unbind, otter::from who) {
  auto const session = who.caller();
  auto const found = sessions_.find(session);
  if (found == sessions_.end()) return;  // replaced: nothing has come for it since
  std::string account{found->second.who.bare()};
  ++departures_[account].leavers;
  leavers_.emplace(session, leaver{std::move(account), found->second.watch});
  forget_session(session);
}

void router::handle_cast(left m) {
  auto const found = leavers_.find(m.session);
  if (found == leavers_.end()) return;
  otter::demonitor(found->second.watch);
  forget_leaver(m.session);
}

void router::handle_info(otter::down m) {
  forget_session(m.process);
  forget_leaver(m.process);
}

void router::forget_leaver(otter::pid session) {
  auto const found = leavers_.find(session);
  if (found == leavers_.end()) return;
  auto const all = departures_.find(found->second.account);
  leavers_.erase(found);
  if (--all->second.leavers > 0) return;
  auto const behind = std::move(all->second.behind);
  departures_.erase(all);
  for (auto const& m : behind) send_on(m);
}

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
  for (auto& d : told) otter::send(d.to, to_session::delivery{std::move(d.xml)});
}

// --- stanzas ---

void router::refuse(route const& m, stanza_condition condition) {
  if (auto error = error_reply(m.what, condition))
    otter::send(m.session, to_session::delivery{*std::move(error)});
}

void router::handle_cast(route m) {
  if (!departures_.empty()) {
    auto const leaving = departures_.find(std::string{m.what.to.bare()});
    if (leaving != departures_.end()) return leaving->second.behind.push_back(std::move(m));
  }
  send_on(std::move(m));
}

void router::handle_cast(give_back m) {
  auto const sender = table_.session_of(m.what.from);
  send_on({sender.value_or(otter::pid{}), std::move(m.what)});
}

void router::send_on(route m) {
  // Whether an account exists is the store's to know. It is asked where that makes a difference,
  // when a message is to be kept; all other answers are the same for strangers (routing.cpp).
  std::vector<otter::pid> to;
  auto const decision =
      table_.route(target_of(m.what.to, domain_, true), m.what.cls, m.what.to, to);
  switch (decision.action) {
    case route_action::deliver: {
      // Only where nobody else has got it: given back, it would come twice.
      bool const precious =
          m.what.cls == stanza_class::message_normal || m.what.cls == stanza_class::iq_request;
      if (to.size() == 1 && precious)
        return otter::send(to.front(), to_session::entrusted{std::move(m.what)});
      for (auto const one : to) otter::send(one, to_session::delivery{m.what.xml});
      return;
    }
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
