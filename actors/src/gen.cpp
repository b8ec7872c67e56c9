// Calls, casts and stop(): what needs no types.

#include <fmt/format.h>

#include <otter/detail/message_change.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/gen.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>

namespace otter::detail {
namespace {

std::string text_of(target const& to) {
  if (to.name.empty()) return to_string(to.process);
  if (!to.process) return fmt::format("\"{}\"", to.name);
  return fmt::format("\"{}\" {}", to.name, to.process);
}

}  // namespace

void check_reply_type(response& got, type_descriptor const& reply_type) {
  if (!got.reply || same_type(*got.reply->type, reply_type)) return;
  convert_answer(got, reply_type);
}

response call_target(target const& to, envelope_ptr request, duration limit,
                     type_descriptor const& reply_type) {
  if (!to.process) return {nullptr, exit_reason::noproc()};
  response got = detail::call(to.process, std::move(request), limit);
  check_reply_type(got, reply_type);
  return got;
}

void throw_call_failed(target const& to, std::string_view request, exit_reason why) {
  throw process_exit(exit_reason::call_failed(std::move(why),
                                              fmt::format("call({}) to {}", request, text_of(to))));
}

void stop_target(target const& to, exit_reason reason, duration limit) {
  limit = checked_limit(limit);
  if (!to.process) throw process_exit(exit_reason::noproc());
  if (to.process == self()) throw process_exit(exit_reason::calling_self());
  const monitor_ref watch = otter::monitor(to.process);
  detail::cast(to.process,
               pack<system_message>(signal_kind::system,
                                    system_message{system_message::kind::terminate, reason}));
  bool late = false;
  exit_reason ended = receive_from(
      watch, when([&](down const& d) { return d.ref == watch; }, [](down d) { return d.reason; }),
      after(limit, [&] {
        late = true;
        return exit_reason::timeout();
      }));
  if (late) demonitor(watch, demonitor_flush::yes);
  if (late || !(ended == reason)) throw process_exit(std::move(ended));
}

}  // namespace otter::detail
