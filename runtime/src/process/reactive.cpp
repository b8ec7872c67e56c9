// process/reactive.cpp - events, and what a body may ask of its process.

#include <fmt/format.h>

#include <otter/detail/system_messages.hpp>
#include <otter/reactive.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter {

using rts::here;
using rts::process;
using rts::runtime_entry;

from event::caller() const noexcept {
  if (taken() || (what_ != kind::request && what_ != kind::system)) return {};
  return static_cast<detail::request_envelope*>(envelope_)->caller;
}

std::uint64_t event::token() const noexcept {
  if (taken() || what_ != kind::timeout) return 0;
  return static_cast<detail::id_envelope*>(envelope_)->id;
}

any_message event::take() noexcept {
  if (taken() || envelope_->kind != detail::signal_kind::message) return {};
  return any_message(detail::envelope_ptr(release()));
}

void reactive::ending(exit_reason const&) {}
std::string reactive::describe() const { return {}; }
void* reactive::upper_part() noexcept { return nullptr; }
reactive_ptr* reactive::inner() noexcept { return nullptr; }

void reactive::stop(exit_reason reason) noexcept {
  if (rts::kept_process self; self) self->request_stop(std::move(reason));
}

void reactive::pause_messages(bool paused) noexcept {
  if (rts::kept_process self; self) self->pause_messages(paused);
}

void detail::pause_messages_but_exit_of(pid parent) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  rts::current_process().pause_messages_but_exit_of(parent);
}

void detail::receive_system_messages() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  rts::current_process().receive_system_messages();
}

reactive* detail::current_body() noexcept {
  runtime_entry entry;
  process* self = rts::current_process_or_null();
  return self == nullptr || entry.refused() ? nullptr : self->body();
}

pid detail::spawner() noexcept {
  runtime_entry entry;
  process* self = rts::current_process_or_null();
  return self == nullptr || entry.refused() ? pid{} : self->parent_pid();
}

std::uint64_t detail::number_of(pid process) noexcept {
  here const at = here::now();
  return at.system != nullptr && rts::node_of(process) == at.system->node_index()
             ? rts::pid_access::bits(process)
             : 0;
}

pid detail::process_of(std::uint64_t number) noexcept {
  here const at = here::now();
  return at.system != nullptr && number != 0 ? at.system->make_pid_of(number) : pid{};
}

std::uint64_t detail::number_of(alias_ref const& name) noexcept { return rts::id_of(name); }

alias_ref detail::alias_of_spawner(std::uint64_t number) noexcept {
  return number == 0 ? alias_ref() : alias_ref(rts::make_ref(spawner(), number));
}

void reactive::shrink() noexcept {
  runtime_entry entry;
  process* self = rts::current_process_or_null();
  if (self != nullptr && !entry.refused()) self->shrink();
}

void reactive::start_timeout(duration delay, std::uint64_t token) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  process& self = rts::current_process();
  if (delay == infinity) {
    self.clear_timeout();
    return;
  }
  if (delay < duration::zero())
    throw error(errc::badarg,
                fmt::format("a time-out of {} ns: it must not be negative", delay.count()));
  self.set_timeout(delay.count(), token);
}

void reactive::stop_timeout() noexcept {
  runtime_entry entry;
  process* self = rts::current_process_or_null();
  if (self != nullptr && !entry.refused()) self->clear_timeout();
}

}  // namespace otter
