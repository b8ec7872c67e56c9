#pragma once

// otter/reactive.hpp - a process whose body is an object that is called once per event.
//
//   otter::reactive          the body: start(), then handle() for each event
//   otter::event             one thing that happened to it
//   otter::spawn_reactive()  starts such a process
//
// Between two calls the process holds no stack: it costs its block, its body and what they own.
// Behaviours (gen_server, supervisor) are reactives, and so may be your own. Inside a call it may
// do whatever a process may, blocking calls included. For a process that runs one function from
// top to bottom, see otter/spawn.hpp.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <otter/detail/envelope.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace otter {

struct spawn_options;
struct spawned;
class reactive;

namespace detail {
struct reactive_deleter;
}
using reactive_ptr = std::unique_ptr<reactive, detail::reactive_deleter>;

/// One thing that happened to a reactive process.
///
/// Lives during the call of handle() only.
class event {
 public:
  enum class kind : unsigned char {
    message,  ///< a plain message; `down` and `exited` are such messages too
    cast,     ///< an asynchronous request: otter::cast
    request,  ///< a call: answer it with reply(caller(), ...), now or later, here or elsewhere
    reply,    ///< the response to a request that this process sent (request_id)
    timeout,  ///< a timer of start_timeout(); token() says which
    system,   ///< a system message: also delivered while messages are paused
    ready,    ///< a port has something for this process; see the port's header
  };

  kind what() const noexcept { return what_; }
  /// Type of the payload, or null for a timeout. Still known after take().
  type_descriptor const* type() const noexcept { return type_; }
  /// The payload if it is a `T`, else null; it may be moved from. Null after take().
  template <class T>
  T* get_if() noexcept {
    if (taken() || type_ == nullptr || !same_type(*type_, descriptor_of<T>())) return nullptr;
    return static_cast<T*>(envelope_->payload());
  }
  /// Called from: whoever has not taken it.
  void* payload() noexcept { return envelope_->payload(); }
  bool taken() const noexcept { return envelope_ == nullptr; }
  /// Who asked: for a request or a system message, else a false `from`.
  from caller() const noexcept;
  std::uint64_t token() const noexcept;
  /// Takes a plain message out, to keep it or to send it on; of another kind nothing is taken.
  any_message take() noexcept;

  explicit event(detail::envelope* e) noexcept
      : envelope_(e), type_(e->type), what_(kind_of(e->kind)) {}
  detail::envelope* release() noexcept { return std::exchange(envelope_, nullptr); }
  detail::envelope* envelope() noexcept { return envelope_; }

 private:
  static constexpr kind kind_of(detail::signal_kind of) noexcept {
    using detail::signal_kind;
    switch (of) {
      case signal_kind::cast:
        return kind::cast;
      case signal_kind::request:
        return kind::request;
      case signal_kind::reply:
      case signal_kind::call_failed:
        return kind::reply;
      case signal_kind::timeout:
        return kind::timeout;
      case signal_kind::system:
        return kind::system;
      case signal_kind::ready:
        return kind::ready;
      default:
        return kind::message;
    }
  }

  detail::envelope* envelope_;
  type_descriptor const* type_;
  kind what_;
};

/// The body of a process. All its functions are called in the process, one at a time.
///
/// An exception that leaves one of them ends the process with it as the reason (C0-1).
class reactive {
 public:
  virtual ~reactive() = default;

  /// The first turn of the process.
  virtual void start() = 0;
  /// One event. Messages come in the order of their arrival.
  virtual void handle(event& what) = 0;
  /// The process is about to end with `reason`, by stop() or an exception that left handle() or
  /// start() - not by an exit signal. Still a living process; may throw, which changes the reason.
  virtual void ending(exit_reason const& reason);
  /// Short text of the state for reports, or empty. Called from: the process, when it ends badly.
  virtual std::string describe() const;
  /// What the room above keeps in bodies of its own: null in all others. Not for users. A virtual
  /// function, since it is asked for at each start of a process and a dynamic_cast costs 700
  /// instructions.
  virtual void* upper_part() noexcept;
  /// What kind of process it is, for info_item::initial_call unless set_initial_call() has said
  /// something else. Called from: the process.
  virtual std::string_view initial_call() const noexcept { return {}; }
  /// Where a body that wraps another one keeps that: which module a process uses is seen by the
  /// innermost. Null in all others. Not for users.
  virtual reactive_ptr* inner() noexcept;

 protected:
  /// Ends the process with `reason` once the present call returns.
  void stop(exit_reason reason) noexcept;
  /// While paused only system events are delivered; the rest waits in order (SY-2, SY-3).
  void pause_messages(bool paused) noexcept;
  /// One event of kind timeout with `token` comes after `delay`, unless stopped or replaced: a
  /// process has one such timer. Never early. infinity stops it.
  void start_timeout(duration delay, std::uint64_t token);
  void stop_timeout() noexcept;
  /// Nothing will come for long: gives back what the runtime keeps for links, monitors and requests
  /// beyond their present number (PI-9). What the body owns is its own to shrink.
  void shrink() noexcept;
};

namespace detail {
void* allocate_body(std::size_t size, std::size_t alignment);
void free_body(void* block) noexcept;

struct reactive_deleter {
  void operator()(reactive* body) const noexcept {
    void* block = dynamic_cast<void*>(body);
    body->~reactive();
    free_body(block);
  }
};
}  // namespace detail

/// Makes a body. It is constructed in the calling process; its start() runs in its own.
template <class Body, class... Args>
reactive_ptr make_reactive(Args&&... args) {
  static_assert(std::is_base_of_v<reactive, Body>, "otter: the body must derive from reactive");
  static_assert(alignof(Body) <= 64, "otter: a body may be aligned to 64 bytes at most");
  void* block = detail::allocate_body(sizeof(Body), alignof(Body));
  try {
    return reactive_ptr(::new (block) Body(std::forward<Args>(args)...));
  } catch (...) {
    detail::free_body(block);
    throw;
  }
}

/// Starts a process around `body`. See otter/spawn.hpp for the options and what it throws.
spawned spawn_reactive(spawn_options const& options, reactive_ptr body);

}  // namespace otter
