// The process of a gen_event.

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <otter/detail/event_change.hpp>
#include <otter/detail/event_manager.hpp>
#include <otter/detail/message_change.hpp>
#include <otter/detail/throw_probe.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/process_info.hpp>
#include <otter/spawn.hpp>

#include "report.hpp"

namespace otter::detail {

event_manager::event_manager() { trap_exit(true); }  // always (GE-11)

// --- events ---

outcome event_manager::handle_cast(event_notice notice) {
  notify(*notice.event.type(), notice.event.envelope()->payload());
  return goes_on();
}

void event_manager::notify(type_descriptor const& type, void* payload) {
  last_message_ = type.name;
  for (auto it = handlers_.begin(); it != handlers_.end();) {
    event_box& box = **it++;  // what happens to it leaves the next one where it is
    handler_wish wish;
    try {
      if (!box.event(type, payload, wish)) event_of_other_layout(box, type, payload, wish);
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      drop_failed(box);
      continue;
    }
    obey(box, wish);
  }
}

namespace {

/// What `box` has another layout of, made of it: a copy, since others look at it too. Empty: it has
/// none, or it is reported why it cannot be made.
envelope_ptr made_for(event_box const& box, type_descriptor const& type, void* payload) {
  type_descriptor const* const wanted = box.other_layout(type);
  if (wanted == nullptr) return nullptr;
  converted_value made =
      convert_value(type, payload, source::shared, *wanted, signal_kind::message);
  if (!made.value)
    log_report(logger::level::warning,
               fmt::format("gen_event {}: handler {} does not handle this version of {}",
                           self_text(), box.name(), type.name),
               {{"handler", std::string(box.name())},
                {"id", box.id()},
                {"another_version", std::move(made.why)}});
  return std::move(made.value);
}

}  // namespace

void event_manager::event_of_other_layout(event_box& box, type_descriptor const& type,
                                          void* payload, handler_wish& wish) {
  if (envelope_ptr const made = made_for(box, type, payload))
    box.event(*made->type, made->payload(), wish);
}

bool event_manager::info_of_other_layout(event_box& box, any_message& message, handler_wish& wish) {
  any_message made(made_for(box, *message.type(), message.envelope()->payload()));
  return made && box.info(made, wish);
}

outcome event_manager::handle_info(any_message& message) {
  last_message_ = message.type()->name;
  bool known = false;
  for (auto it = handlers_.begin(); it != handlers_.end();) {
    event_box& box = **it++;
    handler_wish wish;
    try {
      known = box.info(message, wish) || info_of_other_layout(box, message, wish) || known;
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      known = true;
      drop_failed(box);
      continue;
    }
    obey(box, wish);
  }
  if (!known)
    report_text(fmt::format("gen_event {} has no handler for this message, dropped: {}",
                            self_text(), message.type()->name));
  return goes_on();
}

outcome event_manager::handle_info(exited end) {
  bool owned = false;
  for (auto it = handlers_.begin(); it != handlers_.end();) {
    event_box& box = **it++;
    if (!box.bond.owner || box.bond.owner != end.process) continue;
    owned = true;
    box.bond = {};  // there is nobody to be told
    take_out(box, {handler_end::kind::stopped, end.reason});
  }
  if (owned) return goes_on();
  any_message message = any_message::of(std::move(end));
  return handle_info(message);
}

call_outcome<event_answer> event_manager::handle_call(event_request request) {
  last_message_ = "call";
  event_answer answer;
  request.job->run(*this, answer);
  if (std::exchange(hibernate_, false)) return reply(std::move(answer)).hibernate();
  return reply(std::move(answer));
}

outcome event_manager::goes_on() {
  if (std::exchange(hibernate_, false)) return noreply().hibernate();
  return noreply();
}

// --- handlers ---

event_box* event_manager::find(void const* mark, std::string_view id) noexcept {
  for (event_box_ptr const& box : handlers_)
    if (box->is(mark, id)) return box.get();
  return nullptr;
}

void* event_manager::find_object(void const* mark) noexcept {
  for (event_box_ptr const& box : handlers_)
    if (box->mark() == mark) return box->object();
  return nullptr;
}

void event_manager::add(event_box_ptr box, pid owner) {
  box->use = part_use(code_of_object(*box));
  handlers_.push_front(std::move(box));
  if (owner) bind(*handlers_.front(), owner);
}

void event_manager::bind(event_box& box, pid owner) {
  box.bond.owner = owner;
  auto links =
      process_info<std::vector<pid>>(self(), info_item::links).value_or(std::vector<pid>{});
  box.bond.linked_here = std::find(links.begin(), links.end(), owner) == links.end();
  otter::link(owner);  // if it has ended, its exit is in the mailbox now
}

event_box_ptr event_manager::take_out(event_box& box, handler_end const& end,
                                      handler_farewell* farewell) {
  const auto place = std::find_if(handlers_.begin(), handlers_.end(),
                                  [&](event_box_ptr const& b) { return b.get() == &box; });
  event_box_ptr gone = std::move(*place);
  handlers_.erase(place);
  exit_reason told;
  switch (end.what) {
    case handler_end::kind::stopped:
      told = exit_reason::shutdown();
      break;
    case handler_end::kind::error:
      told = end.reason;
      break;
    default:
      break;
  }
  bool terminated = true;
  try {
    if (farewell != nullptr)
      farewell->say(*gone);
    else
      gone->terminate(end);
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    terminated = false;
    told = exit_reason::from_current_exception("terminate");
    log_report(
        logger::level::error,
        fmt::format("gen_event {}: terminate of handler {} failed: {}", self_text(), gone->name(),
                    told),
        {{"handler", std::string(gone->name())}, {"id", gone->id()}, {"reason", to_string(told)}});
  }
  // Of one that is swapped the owner hears when its successor is there.
  if (end.what != handler_end::kind::swapped)
    tell_owner(gone->bond, {self(), std::string(gone->name()), gone->id(), std::move(told)});
  if (!terminated) return nullptr;
  return gone;
}

void event_manager::tell_owner(handler_bond bond, handler_exited const& what) {
  if (!bond.owner) return;
  otter::send(bond.owner, what);
  if (!bond.linked_here) return;
  auto const another =
      std::find_if(handlers_.begin(), handlers_.end(),
                   [&](event_box_ptr const& b) { return b->bond.owner == bond.owner; });
  if (another == handlers_.end())
    otter::unlink(bond.owner);
  else
    (*another)->bond.linked_here = true;
}

exit_reason event_manager::drop_failed(event_box& box) {
  exit_reason why;
  try {
    throw;
  } catch (unwinding const&) {
    throw;
  } catch (process_exit const& e) {
    why = e.reason();
  } catch (...) {
    why = exit_reason::from_current_exception(box.name(), thrown_at());
  }
  facts all = {{"handler", std::string(box.name())},
               {"id", box.id()},
               {"last_message", std::string(last_message_)},
               {"reason", to_string(why)}};
  add_backtrace(all, why);
  log_report(logger::level::error,
             fmt::format("gen_event {}: handler {}{}{} is removed, since it failed: {}",
                         self_text(), box.name(), box.id().empty() ? "" : " ", box.id(), why),
             std::move(all));
  take_out(box, {handler_end::kind::error, why});
  return why;
}

void event_manager::swap(event_box* old, handler_swap const& how) {
  // Of the old one; it is itself gone if its terminate() throws.
  handler_bond bond;
  handler_exited told{self(), {}, {}, exit_reason::normal()};
  event_box_ptr gone;
  if (old != nullptr) {
    bond = old->bond;
    told.handler = old->name();
    told.id = old->id();
    gone = take_out(*old, {handler_end::kind::swapped, {}}, how.farewell);
  }
  event_box_ptr made;
  try {
    made = how.maker.make(gone.get());
    made->use = part_use(code_of_object(*made));
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    told.reason = exit_reason::from_current_exception("swap_handler");
    tell_owner(bond, told);
    throw process_exit(std::move(told.reason));
  }
  told.swapped = true;
  told.successor = made->name();
  told.successor_id = made->id();
  told.successor_owner = how.owner ? how.owner : bond.owner;
  handlers_.push_front(std::move(made));
  if (how.owner)
    bind(*handlers_.front(), how.owner);
  else
    handlers_.front()->bond.owner = bond.owner;
  tell_owner(bond, told);
}

void event_manager::obey(event_box& box, handler_wish& wish) {
  hibernate_ = hibernate_ || wish.hibernate;
  switch (wish.what) {
    case handler_wish::kind::keep:
      return;
    case handler_wish::kind::remove:
      take_out(box, {handler_end::kind::removed, {}});
      return;
    case handler_wish::kind::swap: {
      const std::string name(box.name());
      try {
        swap(&box, {*wish.next});
      } catch (process_exit const& e) {
        report_text(fmt::format("gen_event {}: no handler takes the place of {}: {}", self_text(),
                                name, e.reason()));
      }
      return;
    }
  }
}

// --- another version of their module ---

namespace {

/// One handler that changes.
struct handler_move {
  event_box_ptr* place;
  succession plan;
  std::unique_ptr<box_successor> next;
  part_use use;  // of what comes
};

}  // namespace

/// As a server's change: what can fail comes first, for all of them; then they change places.
void event_manager::change_parts(code_change_request& wanted) {
  std::list<handler_move> moves;
  for (event_box_ptr& box : handlers_) {
    auto const from = class_of_part(code_of_object(*box), box->name());
    if (!from || from->module != wanted.module) continue;
    if (from->behaviour == nullptr)
      refuse_change(fmt::format("module {} {} does not list the handler {}", from->module,
                                from->version, box->name()));
    module_class const to = class_to_go_to(wanted, box->name());
    auto const& old = *static_cast<change_class const*>(from->behaviour);
    auto const& now = *static_cast<change_class const*>(to.behaviour);
    if (old.kind != now.kind)
      refuse_change(fmt::format("{} is a {} in module {} {}, and a {} in {}", box->name(), old.kind,
                                from->module, from->version, now.kind, to.version));
    handler_move& m = moves.emplace_back(handler_move{
        &box, succession(wanted.extra, from->version, to.version), nullptr, part_use()});
    m.next.reset(
        static_cast<box_successor*>(prepare_succession(old, now, box->object(), m.plan).release()));
    m.next->id = box->id();
    if (!wanted.check) m.use = part_use(&now);
  }
  if (wanted.check) return;
  for (handler_move& m : moves) {
    m.plan.move_all();
    m.next->finish();
    m.next->box->bond = (*m.place)->bond;
    m.next->box->use = std::move(m.use);
  }
  // The old ones are destroyed when all new ones are there.
  for (handler_move& m : moves) m.place->swap(m.next->box);
}

std::vector<handler_info> event_manager::list() const {
  std::vector<handler_info> all;
  for (event_box_ptr const& box : handlers_)
    all.push_back({std::string(box->name()), box->id(), static_cast<bool>(box->bond.owner)});
  return all;
}

void event_manager::terminate(exit_reason const& reason) {
  while (!handlers_.empty()) take_out(*handlers_.front(), {handler_end::kind::stopped, reason});
}

std::string event_manager::format_status() const {
  std::string text = fmt::format("{} handlers", handlers_.size());
  for (handler_info const& h : list())
    text += fmt::format("\n    {}{}{}{}", h.handler, h.id.empty() ? "" : " ", h.id,
                        h.supervised ? ", supervised" : "");
  return text;
}

}  // namespace otter::detail
