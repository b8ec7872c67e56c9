// Names in registries of the program's own (RN-7).

#include "via_body.hpp"

#include <fmt/format.h>

#include <otter/detail/unwinding.hpp>
#include <otter/error.hpp>
#include <otter/message.hpp>
#include <otter/spawn.hpp>

namespace otter {

void name_registry::send(std::string_view key, any_message message) {
  pid const to = whereis(key);
  if (!to) throw error(errc::badarg, fmt::format("send to \"{}\": the registry has nobody", key));
  otter::send(to, std::move(message));
}

namespace detail {

void via_body::start() {
  registered_ = registry_.register_name(key_, self());
  if (!registered_) {
    otter::send(starter_, start_ack{starter_, start_ack::kind::taken, {}, registry_.whereis(key_)});
    stop(exit_reason::normal());
    return;
  }
  inner_->start();
}

void via_body::handle(event& what) { inner_->handle(what); }

/// A starter that was told of a failure waits for the end of the process: the name is free by then.
void via_body::ending(exit_reason const& reason) {
  if (!registered_) return;
  inner_->ending(reason);
  try {
    if (registry_.whereis(key_) == self()) registry_.unregister_name(key_);
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    // The registry has gone, and the name with it. That is no reason for another exit reason.
  }
}

}  // namespace detail
}  // namespace otter
