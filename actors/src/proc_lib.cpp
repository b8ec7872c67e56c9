// Processes that run a function, and belong to a supervision tree.

#include <otter/detail/system_messages.hpp>
#include <otter/detail/throw_probe.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/name.hpp>
#include <otter/proc_lib.hpp>

#include "report.hpp"

namespace otter {
namespace detail {
namespace {

proc_lib_body* current_proc_lib() noexcept {
  return dynamic_cast<proc_lib_body*>(current_inner_body());
}

void acknowledge(proc_lib_body& body, start_ack::kind what, exit_reason reason = {}) {
  if (alias_ref const starter = body.take_starter())
    otter::send(starter, start_ack{starter, what, std::move(reason)});
}

}  // namespace

void proc_lib_body::start() {
  try {
    inner_ = run();
  } catch (unwinding const&) {
    throw;
  } catch (process_exit const& e) {
    if (e.reason().abnormal()) report_crash(e.reason(), initial_call_, ancestors().list());
    throw;
  } catch (throw_probe const&) {
    // never: it notes where what comes below was thrown
  } catch (...) {
    exit_reason why = exit_reason::from_current_exception({}, thrown_at());
    report_crash(why, initial_call_, ancestors().list());
    throw process_exit(std::move(why));
  }
  if (inner_)
    inner_->start();
  else
    stop(exit_reason::normal());
}

void proc_lib_body::come_from(origin from) noexcept {
  parent_ = from.parent;
  starter_ = from.starter;
  descend_from(std::move(from.ancestors));
}

void proc_lib_body::handle(event& what) {
  if (inner_) inner_->handle(what);
}
void proc_lib_body::ending(exit_reason const& reason) {
  if (inner_) inner_->ending(reason);
}
std::string proc_lib_body::describe() const { return inner_ ? inner_->describe() : std::string(); }

origin origin_of_spawned(spawn_options const& options) {
  return {options.link ? self() : pid{}, {}, ancestors_of_a_child(), infinity};
}

origin origin_of_becoming(start_options const& options) {
  proc_lib_body* body = current_proc_lib();
  if (body == nullptr)
    throw process_exit(exit_reason::error(
        "process_was_not_started_by_proc_lib",
        "enter_loop() is for a function that proc_lib started, which returns what it gives"));
  const bool named = options.via.registry != nullptr
                         ? options.via.registry->whereis(options.via.key) == self()
                         : options.name.empty() || whereis(options.name) == self();
  if (!named)
    throw process_exit(exit_reason::error("process_not_registered", options.via.registry != nullptr
                                                                        ? options.via.key
                                                                        : options.name));
  origin from = body->hand_over();
  from.hibernate_after = options.hibernate_after;
  from.debug = &options.debug;
  return from;
}

}  // namespace detail

namespace proc_lib {

void init_ack() {
  if (detail::proc_lib_body* body = detail::current_proc_lib())
    if (const alias_ref starter = body->take_starter()) detail::acknowledge_start(starter);
}

void init_fail(exit_reason answer, exit_reason reason) {
  if (detail::proc_lib_body* body = detail::current_proc_lib()) {
    const std::string name = detail::registered_name();
    if (!name.empty()) unregister_name(name);
    detail::acknowledge(*body, detail::start_ack::kind::refused, std::move(answer));
  }
  throw process_exit(std::move(reason));
}

void init_fail(exit_reason reason) {
  exit_reason answer = reason;
  init_fail(std::move(answer), std::move(reason));
}

std::vector<std::string> ancestors() {
  detail::kin* me = detail::current_kin();
  return me != nullptr ? me->ancestors().list() : std::vector<std::string>{};
}

pid parent() {
  detail::proc_lib_body* body = detail::current_proc_lib();
  return body != nullptr ? body->parent() : pid{};
}

std::string get_label(pid process) {
  return process_info<std::string>(process, info_item::label).value_or(std::string{});
}

}  // namespace proc_lib
}  // namespace otter
