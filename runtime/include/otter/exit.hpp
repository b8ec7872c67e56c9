#pragma once

// otter/exit.hpp - ending processes, and guarding code that must not be ended half-way.
//
//   otter::exit(reason)       ends the calling process (an exception: it can be caught)
//   otter::exit(pid, reason)  sends an exit signal (a signal: it cannot be caught)
//   otter::trap_exit()        turns exit signals into `exited` messages
//   otter::exited             that message
//   otter::defer_exit         while one lives, no call ends this process
//   otter::no_suspend         while one lives, this process may neither be ended nor wait
//   otter::checkpoint()       a safe point for long loops
//
// An exit signal ends its receiver at a *safe point*: when it waits, at checkpoint(), or when its
// turn's budget is used up. There a token is thrown that unwinds the stack, so destructors run.
// `catch (...)` cannot stop it: the token is thrown again at the next safe point. Each function of
// otter says whether it may throw the token ("Exits: may / never"). Functions that are noexcept
// never do, and no function does while an exception is already unwinding the stack or under one of
// the two guards.

#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>

namespace otter {

/// Arrives instead of an exit signal at a process that traps exits.
struct exited {
  pid process;  ///< who sent the signal, or whose end it was
  exit_reason reason;
};

/// Ends the calling process with `reason`: throws process_exit, which may be caught.
///
/// Called from: a process. Blocks: never. Throws: process_exit.
[[noreturn]] void exit(exit_reason reason);

/// The C library's exit() would end the whole node. Use std::exit if that is meant.
void exit(int) = delete;

/// Sends `to` an exit signal; what it does there is the table X-1 of OTP: `kill` ends it
/// untrappably with reason `killed`, `normal` from another process is ignored, any other reason
/// ends it unless it traps exits. To a process that has ended it does nothing.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never, except that a
/// signal to self() acts at the next safe point.
void exit(pid to, exit_reason reason);

/// Whether exit signals become `exited` messages; returns what it was. The flag counts when a
/// signal is received, not when it was sent.
///
/// Called from: a process. Blocks: never. Exits: never.
bool trap_exit(bool on) noexcept;

/// A safe point: takes in the signals that have arrived and yields if the turn's budget is used up,
/// or if the turn has lasted for some 50 us (on threads; in the simulation no time passes). So a
/// loop that calls it every few microseconds lets others run soon.
///
/// Called from: a process. Blocks: only to let others run. Exits: may.
void checkpoint();

/// While a guard lives, no call throws the unwinding token; it is kept for the first safe point
/// after the last guard is gone. For destructors that call what may exit. Others still have their
/// turns: a call that may yield does so.
class defer_exit {
 public:
  defer_exit() noexcept;
  ~defer_exit();
  defer_exit(defer_exit const&) = delete;
  defer_exit& operator=(defer_exit const&) = delete;
};

/// While a guard lives, the token is deferred, no call yields, and one that would have to wait
/// throws error(would_suspend). For callbacks that a C library calls: its frames must neither be
/// unwound nor left waiting.
class no_suspend {
 public:
  no_suspend() noexcept;
  ~no_suspend();
  no_suspend(no_suspend const&) = delete;
  no_suspend& operator=(no_suspend const&) = delete;
};

}  // namespace otter
