#pragma once

// process/process_parts.hpp - what a process has at times, so that one which only waits for its
// next message has no room for it.
//
//   process_extra    what few processes have; made when it is needed, and theirs to the end
//   awaited_call     a call that a process waits for; on its stack
//   attached_waker   how the thread of an attached process is woken
//   wait_place       the call that a process waits in, for reports

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <otter/memory.hpp>
#include <otter/spawn.hpp>
#include <span>
#include <string>

#include "process/signal_queue.hpp"
#include "process/signals.hpp"

namespace otter::rts {

class slab;
struct local_state;

/// How the thread of an attached process is woken; see node/attached_thread.cpp.
class attached_waker {
 public:
  virtual void wake() noexcept = 0;
  /// Blocks the attached thread until wake() or until `due_ns`; false when the time is over.
  virtual bool sleep(std::int64_t due_ns) noexcept = 0;
  virtual slab& memory() noexcept = 0;
  virtual local_state& local() noexcept = 0;
  /// From another thread: keeps the attached one in sleep(), for which it waits until `until_ns`,
  /// up to let_go(). Its stack is [stack.data(), its end) then. Null: it did not come there.
  virtual std::span<std::byte const> hold(std::int64_t until_ns) noexcept = 0;
  virtual void let_go() noexcept = 0;
  /// Whether a descriptor has to be kept readable while signals wait.
  virtual bool has_descriptor() const noexcept = 0;
  /// What holds while the thread runs, for the sake of the descriptor.
  enum class mark : std::uint8_t {
    none,
    idle,    ///< the inbox is marked idle, so that the next push calls wake()
    called,  ///< a push came before that: the process has called wake() itself
  };
  mark marked = mark::none;

 protected:
  ~attached_waker() = default;
};

/// What few processes have.
struct process_extra {
  std::string label;
  std::string initial_call;
  otter::max_heap_size max_heap;
  std::uint64_t held = 0;              ///< bytes that it said it holds: account_memory()
  detail::envelope* values = nullptr;  ///< the dictionary's, newest first (dictionary.cpp)
  std::size_t stack_depth = 0;         ///< deepest use of a stack in an earlier turn, bytes
  std::uint64_t paused_parent = 0;     ///< whose exit is heard all the same while it is paused
  peer_signal* room = nullptr;         ///< room_given: the places that it keeps (room.cpp)
  signal_queue room_wanted;            ///< those who wait for room in its mailbox, with flag_line
  attached_waker* waker = nullptr;     ///< of an attached thread
};

/// A call that a process waits for. On the stack of who waits (calls.cpp), so that a process which
/// waits for none has no room for it.
struct awaited_call {
  std::uint64_t id;
  std::uint64_t server;  ///< bits; 0: there is nobody to tell that the wait is over
  envelope* answer;
  awaited_call* outer;  ///< one that was being waited for when this one began
};

/// One byte instead of a name. Written by the process; others read it when it does not run: once
/// the workers have stopped, and when it is given up.
enum class wait_place : std::uint8_t {
  none,
  send,
  call,
  receive,
  receive_response,
  sleep_for,
  blocking,
  tcp_accept,
  tcp_connect,
  tcp_send,
  tcp_recv,
  tls_handshake,
};

/// As a user would write it; of none it is empty.
constexpr char const* name_of(wait_place place) noexcept {
  constexpr char const* names[] = {"",
                                   "send",
                                   "call",
                                   "receive",
                                   "receive_response",
                                   "sleep_for",
                                   "blocking",
                                   "tcp_accept",
                                   "tcp_connect",
                                   "tcp_socket::send",
                                   "tcp_socket::recv",
                                   "tls_handshake"};
  static_assert(std::size(names) == static_cast<std::size_t>(wait_place::tls_handshake) + 1);
  return names[static_cast<std::size_t>(place)];
}

}  // namespace otter::rts
