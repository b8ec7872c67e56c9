// process/node_log.cpp - see the header: the log of a node, as far as the runtime knows of it.

#include <exception>
#include <otter/detail/node_log.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter {

using rts::here;
using rts::runtime_entry;

namespace rts {

on_behalf_of::on_behalf_of(process_system& system, std::uint64_t process) noexcept
    : active_(current_worker() == nullptr && foreign_context::current() == nullptr) {
  if (!active_) return;
  context_.system = &system;
  context_.job_of = process;
  foreign_context::set_current(&context_);
}

on_behalf_of::~on_behalf_of() {
  if (active_) foreign_context::set_current(nullptr);
}

}  // namespace rts

namespace detail {

node_log* current_node_log() noexcept {
  here const at = here::now();
  return at.system != nullptr ? at.system->log().get() : nullptr;
}

node_log* make_node_log(std::unique_ptr<node_log> (*make)()) {
  here const at = here::now();
  return at.system != nullptr ? &at.system->log().make(make) : nullptr;
}

bool has_listener() noexcept {
  here const at = here::now();
  return at.system != nullptr && at.system->has_listener();
}

void hand_on(node_event event, bool taken) noexcept {
  runtime_entry entry;
  if (entry.refused()) return;
  if (here const at = here::now(); at.system != nullptr)
    at.system->hand_on(std::move(event), taken);
  else if (!taken)
    rts::print_event(event);
}

pid logging_process() noexcept {
  here const at = here::now();
  if (at.self != nullptr) return at.self->self_pid();
  rts::foreign_context const* const c = rts::foreign_context::current();
  return c != nullptr && c->job_of != 0 ? c->system->make_pid_of(c->job_of) : pid{};
}

bool may_wait() noexcept {
  rts::kept_process self;
  return self && !self->deferring() && !self->is_dying() && !self->ending_soon() &&
         std::uncaught_exceptions() == 0;
}

message_memory::message_memory() {
  here const at = here::now();
  if (at.system != nullptr && at.memory == nullptr) lent_ = new rts::pool_memory(*at.system);
}

message_memory::~message_memory() { delete static_cast<rts::pool_memory*>(lent_); }

void post_envelope(pid to, envelope_ptr e) noexcept {
  runtime_entry entry;
  here const at = here::now(entry);
  if (entry.refused() || at.system == nullptr || rts::node_of(to) != at.system->node_index())
    return;
  rts::deliver(*at.system, rts::pid_access::bits(to), e.release());
}

}  // namespace detail
}  // namespace otter
