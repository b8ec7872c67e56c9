#pragma once

// otter/detail/server_core.hpp - a server without its types: the loop that all gen_servers share.
//
//   otter::detail::server_class   what the compiler made of a class: its dispatch tables and hooks
//   otter::detail::server_core    the process body; gen_server.hpp adds the object to it

#include <cstdint>
#include <otter/detail/behaviour_core.hpp>
#include <span>

namespace otter::detail {

/// One message type and what deals with it. Never throws anything but the unwinding token.
struct handler {
  type_descriptor const* type;
  void (*run)(void* server, event& e, step& out);
};

/// Constant, one per class and module.
struct server_class : behaviour_class {
  std::span<handler const> calls{};
  std::span<handler const> casts{};
  std::span<handler const> infos{};
  // Null where the class has no such member.
  void (*any_info)(void* server, event& e, step& out) = nullptr;
  void (*response)(void* server, event& e, step& out) = nullptr;
  void (*idle)(void* server, event& e, step& out) = nullptr;
};

/// A thrown answer of another type than the request names becomes bad_return_value.
void check_thrown_reply(step& out, type_descriptor const* wanted) noexcept;

/// The body of every gen_server.
class server_core : public behaviour_core {
 protected:
  /// Throws: std::bad_alloc.
  server_core(server_class const& type, origin const& from) : behaviour_core(from), class_(type) {}

  /// Acts on what init wanted, and tells the starter. Called from start().
  void begin(alias_ref starter, step init);

 private:
  behaviour_class const& type() const noexcept final { return class_; }
  void on_event(event& e) final;
  void on_suspend() noexcept final { stop_timer(); }
  void after_system_message() final;

  std::string more_status() const final { return busy_status(); }

  void on_message(event& e, step& out);
  /// One that no handler in its table knows: of another layout of what it accepts, perhaps.
  [[gnu::cold, gnu::noinline]] void on_unknown(std::span<handler const> table, event& e, step& out);
  /// Acts on `next`, and on the continues that follow from it.
  void settle(step& next, event* e);
  void arm(duration limit) {
    rare().idle = limit;
    start_timer(limit);
  }
  /// Arms the timer for hibernate_after, if there is such a limit.
  void wait_for_sleep() {
    if (const duration limit = hibernate_after(); limit != infinity) [[unlikely]]
      start_timer(limit);
  }
  void start_timer(duration limit);
  void stop_timer() noexcept;
  /// Stops the idle timer, also for after a system message.
  void disarm() noexcept {
    if (rare_parts* const r = rare_if_any(); r != nullptr) [[unlikely]] {
      r->idle = infinity;
      stop_timer();
    }
  }

  server_class const& class_;
};

}  // namespace otter::detail
