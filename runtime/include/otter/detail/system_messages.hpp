#pragma once

// otter/detail/system_messages.hpp - what behaviours need of the runtime to be held still, to be
// looked at, and to know their family.

#include <cstdint>
#include <otter/pid.hpp>
#include <otter/reactive.hpp>
#include <otter/ref.hpp>

namespace otter::detail {

/// As reactive::pause_messages(true); but the `exited` of `parent` is still delivered, ahead of all
/// messages that wait (SY-9).
///
/// Called from: the process. Blocks: never. Throws: std::bad_alloc.
void pause_messages_but_exit_of(pid parent);

/// From now on system messages are plain messages of the calling process, in order with the others:
/// for a process that runs a function, and receives them itself (SY-15). Those that wait are first.
///
/// Called from: a process, or an attached thread. Blocks: never. Throws: not_in_process.
void receive_system_messages();

/// The body of the calling process; null outside of one, and for an attached thread.
/// Called from: anywhere. Blocks: never.
reactive* current_body() noexcept;

/// Who spawned the calling process; none outside of one.
/// Called from: anywhere. Blocks: never.
pid spawner() noexcept;

/// A process of the calling process's node in 64 bits, for tables of a million; 0 stands for none,
/// and for one of another node. And back. Called from: a process. Blocks: never.
std::uint64_t number_of(pid process) noexcept;
pid process_of(std::uint64_t number) noexcept;

/// An alias of whoever spawns a process, in a third of the room: its number, and back to the alias
/// in the process that was spawned. 0 stands for none.
std::uint64_t number_of(alias_ref const& name) noexcept;
alias_ref alias_of_spawner(std::uint64_t number) noexcept;

}  // namespace otter::detail
