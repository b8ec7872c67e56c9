#pragma once

// stacks/overflow_handler.hpp - a stack overflow says who and where, instead of a bare SIGSEGV.
//
//   install_overflow_handler()   for the program, when it asks for crash reports
//   alternate_signal_stack       for each thread: a handler cannot run on the stack that is full
//   find_overflowed()            whose guard is this address in?
//
// Installed only on request: the program's signals are the program's.

#include <cstddef>

#include "stacks/stack.hpp"

namespace otter::rts {

/// Writes a name of what runs on `s`, such as "process <0.81.3> (chat_session)". Runs in a signal
/// handler: may only read, and use what is async-signal-safe. Always ends the text with a zero.
using stack_describer = void (*)(stack const& s, char* buffer, std::size_t size) noexcept;

struct overflow_options {
  stack_describer describe = nullptr;  ///< without one the stack is named by its addresses
  int descriptor = 2;                  ///< where the report is written
};

/// From now on, SIGSEGV and SIGBUS are looked at: a fault in a guard is reported in one line with a
/// backtrace. Then, and at once for every other fault, the handler that was found before gets it
/// (by default: the program dies of the signal). A second call only replaces the options.
/// Called from: any thread, before the handlers of others that should come first are installed.
void install_overflow_handler(overflow_options const& options);

/// Puts the handlers back that were found, unless somebody has installed another on top since.
void uninstall_overflow_handler() noexcept;

/// The stack in whose guard `address` lies, or just below; null if none. Takes no lock.
stack const* find_overflowed(void const* address) noexcept;

/// The stack that contains `address`, guard included; null if none. Takes no lock.
stack const* find_stack(void const* address) noexcept;

/// Gives the calling thread a stack for signal handlers, if it has none, for the object's life.
/// Destroy it on the same thread.
class alternate_signal_stack {
 public:
  alternate_signal_stack() noexcept;
  ~alternate_signal_stack();
  alternate_signal_stack(alternate_signal_stack const&) = delete;
  alternate_signal_stack& operator=(alternate_signal_stack const&) = delete;

 private:
  void* mapping_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace otter::rts
