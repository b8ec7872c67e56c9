#pragma once

// otter/detail/server_core.hpp - a server without its types: the loop that all gen_servers share.
//
//   otter::detail::server_class   what the compiler made of one class: its dispatch tables and
//   hooks otter::detail::server_core    the process body; gen_server.hpp adds the object to it
//
// The tables hold functions that are compiled where the server is. They catch whatever the server
// throws and turn it into a step, so that no exception of a module crosses its border.

#include <cstdint>
#include <otter/outcome.hpp>
#include <otter/reactive.hpp>
#include <otter/start.hpp>
#include <span>
#include <string>
#include <string_view>

namespace otter::detail {

/// One message type and what deals with it. Never throws anything but the unwinding token.
struct handler {
  type_descriptor const* type;
  void (*run)(void* server, event& e, step& out);
};

/// Constant, one per class and module.
struct server_class {
  std::string_view name;
  std::span<handler const> calls;
  std::span<handler const> casts;
  std::span<handler const> infos;
  // Null where the class has no such member.
  void (*any_info)(void* server, event& e, step& out);
  void (*response)(void* server, event& e, step& out);
  void (*idle)(void* server, event& e, step& out);
  void (*terminate)(void* server, exit_reason const& reason, step& out);
  void (*hibernate)(void* server, step& out);
  void (*status)(void const* server, std::string& out);
};

/// Turns the exception that is being handled into a step; the unwinding token is thrown on.
/// Called from: a catch block.
void step_from_exception(step& out, std::string_view place);
/// A thrown answer of another type than the request names becomes bad_return_value.
void check_thrown_reply(step& out, type_descriptor const* wanted) noexcept;

/// The body of every gen_server.
///
/// Threads: its own process, except construction.
/// Invariant: a message of the server's is handled only between begin() and finish().
class server_core : public reactive {
 public:
  void handle(event& e) final;
  std::string describe() const final;

 protected:
  server_core(server_class const& type, pid parent) noexcept : class_(type), parent_(parent) {}

  /// Acts on what init wanted, and tells the starter. Called from start().
  void begin(alias_ref starter, step init);

 private:
  virtual void* server() noexcept = 0;
  virtual void const* server() const noexcept = 0;

  void on_message(event& e, step& out);
  void on_system(event& e);
  void unknown_message(event& e, char const* how);
  /// Acts on `next`, and on the continues that follow from it.
  void settle(step& next, event* e);
  void finish(step& next, event* e);
  void arm(duration limit);
  void disarm() noexcept;

  server_class const& class_;
  pid parent_;  // its exit ends this server (GS-27); none if not linked to a starter
  duration idle_ = infinity;
  std::uint32_t token_ = 0;  // of the idle timer; an older one is stale
  bool armed_ = false;
  bool suspended_ = false;
};

}  // namespace otter::detail
