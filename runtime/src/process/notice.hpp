#pragma once

// process/notice.hpp - how a room above (ports) tells a process that something is there for it,
// and how what a process owns is released when it dies.
//
//   notice     a signal that is embedded in its sender (a port), pushed as often as needed
//   resource   something that a process owns and that is released before anybody hears of its
//              death (P-18)

#include <atomic>
#include <otter/detail/envelope.hpp>
#include <otter/pid.hpp>

namespace otter::rts {

class process;
class process_system;
class notice;

/// Where a notice puts the messages that it stands for: at its own place in the mailbox.
class message_sink {
 public:
  /// Appends a message (kind message) behind those appended before. Never throws.
  virtual void append(detail::envelope_ptr message) noexcept = 0;

 protected:
  ~message_sink() = default;
};

/// Written under a lock, and looked at without.
class seen_flag {
 public:
  seen_flag& operator=(bool on) noexcept {
    is_.store(on, std::memory_order_relaxed);
    return *this;
  }
  operator bool() const noexcept { return is_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> is_{false};
};

/// A readiness signal. It travels through the owner's inbox like any other signal, so that its
/// order, a change of owner and stealing are the inbox's (P-22).
///
/// Ownership: embedded in its port, which outlives it: a port may be freed only when in_flight()
///            is false or the owner has given the notice back.
/// Threads:   post() may be called by any thread; only one of several concurrent ones pushes.
///            expand() is called by the owner when it reaches the notice in its mailbox.
/// Invariant: in_flight_ is true from the winning post() until the owner has taken the notice out
///            (before expand() is called) or its closed inbox gave it back (then refused() is
///            called instead, by whoever found out).
class notice : public detail::envelope {
 public:
  notice() noexcept { kind = detail::signal_kind::ready; }
  /// Pushes the notice to `owner` unless it is on its way already. True if it is on its way now;
  /// false if `owner` is dead.
  bool post(pid owner) noexcept;
  /// The same, to the process of this node with these bits, by who keeps others from posting it and
  /// the owner from looking meanwhile, by a lock under which the owner looks, too.
  bool post_alone(process_system& system, std::uint64_t owner) noexcept;
  /// As an answer it may be a moment old.
  bool in_flight() const noexcept { return in_flight_.load(std::memory_order_acquire); }

  /// The owner has reached the notice. In the owner, in the runtime, must not suspend. May post()
  /// itself again. Messages appended to `sink` take the notice's place.
  virtual void expand(process& owner, message_sink& sink) noexcept = 0;
  /// The owner died before it reached the notice.
  virtual void refused() noexcept = 0;
  /// For the runtime: its owner is dead.
  void refuse() noexcept;
  /// True: a reactive owner gets an event of kind ready instead of expand(), and a receive skips
  /// the notice. The body then asks the port itself.
  bool direct = false;

 protected:
  ~notice() = default;

  // Of the port that it is part of, under its lock but where said: here they fill a gap.
  seen_flag hint_;     ///< a read may find something; end_read() looks at it without the lock
  bool lent_ = false;  ///< the owner's: it looks at input in a scratch buffer

 private:
  friend class process;
  std::atomic<bool> in_flight_{false};
};

/// Something that a process owns. Owner's thread only, except the constructor.
class resource {
 public:
  /// The owner is dead to the world, its name still taken, links and monitors not told. On the
  /// worker that ends it, in the runtime; must not suspend or throw.
  virtual void owner_died() noexcept = 0;

 protected:
  ~resource() = default;

 private:
  friend class process;
  resource* previous_ = nullptr;
  resource* next_ = nullptr;
};

}  // namespace otter::rts
