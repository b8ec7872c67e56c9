// Asking behaviours about themselves.

#include <otter/detail/system_message.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/sys.hpp>
#include <utility>

namespace otter::detail {
namespace {

std::string ask(target const& to, system_message::kind what, duration limit) {
  limit = checked_limit(limit);
  if (!to.process) throw process_exit(exit_reason::noproc());
  if (to.process == self()) throw process_exit(exit_reason::calling_self());
  // One ref: the monitor, and the address for the answer, which ends both.
  const monitor_ref watch = otter::monitor(to.process, alias_mode::reply_demonitor);
  detail::cast(to.process, pack<system_message>(signal_kind::system,
                                                system_message{what, {}, alias_ref(watch)}));
  return receive_from(watch,
                      when([&](system_answer const& a) { return a.request == watch; },
                           [](system_answer a) { return std::move(a.text); }),
                      when([&](down const& d) { return d.ref == watch; },
                           [](down d) -> std::string { throw process_exit(std::move(d.reason)); }),
                      after(limit, [&]() -> std::string {
                        demonitor(watch, demonitor_flush::yes);
                        throw process_exit(exit_reason::timeout());
                      }));
}

}  // namespace

void suspend_target(target const& to, duration limit) {
  ask(to, system_message::kind::suspend, limit);
}
void resume_target(target const& to, duration limit) {
  ask(to, system_message::kind::resume, limit);
}
std::string status_target(target const& to, duration limit) {
  return ask(to, system_message::kind::status, limit);
}

}  // namespace otter::detail
