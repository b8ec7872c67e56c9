// process/trace.cpp - see the header.

#include "process/trace.hpp"

#include <fmt/format.h>

#include <array>
#include <otter/print.hpp>
#include <string_view>

#include "process/process.hpp"
#include "process/signals.hpp"

namespace otter::rts {
namespace {

constexpr std::size_t longest_payload = 1 << 20;  // of its text

constexpr std::array<std::string_view, 28> kind_names = {"message",       "cast",
                                                         "request",       "reply",
                                                         "call_failed",   "timeout",
                                                         "system",        "ready",
                                                         "alias_message", "exit",
                                                         "link_exit",     "link",
                                                         "unlink",        "unlink_ack",
                                                         "monitor",       "demonitor",
                                                         "down",          "cancel_call",
                                                         "timer",         "attach_timer",
                                                         "query",         "set_group_leader",
                                                         "room_wanted",   "room_given",
                                                         "room_returned", "wake",
                                                         "spawn_begun",   "spawn_done"};
static_assert(kind_names[static_cast<std::size_t>(signal_kind::spawn_done)] == "spawn_done");

void put_payload(text_sink& out, envelope& e) {
  if (e.type == nullptr) return;
  out.put(" ");
  out.put(e.type->name);
  out.put(" ");
  e.type->print(out, e.payload());
}

void put_timer(text_sink& out, timer_block& t) {
  out.vformat(" {}.{} {}",
              fmt::make_format_args(t.index(), t.generation(), static_cast<int>(t.state())));
  if (t.is_for_name()) {
    out.put(" ");
    out.put_quoted(*t.name);
  }
  if (t.is_of_body()) out.vformat(" {}", fmt::make_format_args(t.token()));
  if (t.has_message() && t.message() != nullptr) put_payload(out, *t.message());
}

/// What `e` carries beside its kind and target.
void put_details(text_sink& out, process_system& system, envelope& e) {
  auto const put = [&out](auto const& value) { out.vformat(" {}", fmt::make_format_args(value)); };
  switch (e.kind) {
    case signal_kind::request:
    case signal_kind::system:
    case signal_kind::query:
    case signal_kind::monitor:
      put(static_cast<request_envelope&>(e).caller);
      break;
    case signal_kind::reply:
    case signal_kind::alias_message:
    case signal_kind::timeout:
    case signal_kind::spawn_begun:
    case signal_kind::spawn_done:
      put(static_cast<id_envelope&>(e).id);
      put(static_cast<id_envelope&>(e).extra);
      break;
    case signal_kind::call_failed:
      put(static_cast<call_failed_signal&>(e).id);
      put(static_cast<call_failed_signal&>(e).reason);
      break;
    case signal_kind::exit:
    case signal_kind::link_exit:
      put(static_cast<exit_signal&>(e).from);
      put(static_cast<exit_signal&>(e).reason);
      break;
    case signal_kind::down:
      put(static_cast<down_signal&>(e).id);
      put(static_cast<down_signal&>(e).who);
      put(static_cast<down_signal&>(e).reason);
      break;
    case signal_kind::link:
      put(system.make_pid_of(static_cast<link_entry&>(e).peer));
      break;
    case signal_kind::unlink:
    case signal_kind::unlink_ack:
    case signal_kind::demonitor:
    case signal_kind::cancel_call:
    case signal_kind::attach_timer:
    case signal_kind::set_group_leader:
    case signal_kind::room_wanted:
    case signal_kind::room_given:
    case signal_kind::room_returned:
      put(static_cast<peer_signal&>(e).from);
      put(static_cast<peer_signal&>(e).id);
      break;
    case signal_kind::timer:
      put_timer(out, static_cast<timer_block&>(e));
      return;
    case signal_kind::message:
    case signal_kind::cast:
    case signal_kind::ready:
    case signal_kind::wake:
      break;
  }
  put_payload(out, e);
}

/// What a print operation throws, or a lack of memory, cuts the text, in both runs of a seed alike.
template <class Put>
void add(process_system& system, char const* what, std::uint64_t a, std::uint64_t b,
         Put&& put) noexcept {
  text_sink text(longest_payload);
  try {
    put(text);
  } catch (...) {
  }
  system.sched().trace(what, a, b, text.text());
}

}  // namespace

void trace_signal(process_system& system, char const* what, std::uint64_t target,
                  envelope& e) noexcept {
  process const* const sender = here::now().self;
  add(system, what, target, sender != nullptr ? sender->bits() : 0, [&](text_sink& out) {
    out.put(kind_names[static_cast<std::size_t>(e.kind)]);
    put_details(out, system, e);
  });
}

void trace_timer(process_system& system, char const* what, timer_block& t) noexcept {
  if (!system.simulated()) return;
  process const* const by = here::now().self;
  add(system, what, t.target, by != nullptr ? by->bits() : 0,
      [&](text_sink& out) { put_timer(out, t); });
}

void trace_cancel(process_system& system, std::uint32_t index, std::uint64_t generation,
                  bool in_time) noexcept {
  if (!system.simulated()) return;
  system.sched().trace(in_time ? "timer cancelled" : "timer cancelled late", index, generation);
}

}  // namespace otter::rts
