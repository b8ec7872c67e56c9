#pragma once

// otter/name.hpp - names for processes, unique on their node.
//
//   otter::register_name()     gives a process a name
//   otter::unregister_name()   takes it away
//   otter::whereis()           who has the name?
//   otter::name_of()           which name does a process have?
//   otter::registered()        all names
//
// A process has one name at most. Its death frees the name before anybody hears of the death
// (RN-3), so whoever reacts to a `down` may register the name again.

#include <otter/pid.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter {

/// Names `process`. Of two concurrent registrations of a name one succeeds (RN-6).
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never.
/// Throws: error(badarg) if the name is empty, longer than 255 bytes or taken, the process has a
/// name already, or has ended (RN-1).
void register_name(std::string_view name, pid process);

/// Throws: error(badarg) if nobody has that name (RN-4).
void unregister_name(std::string_view name);

/// Who has the name, or no process. Lock-free; the answer may be old when it arrives.
pid whereis(std::string_view name) noexcept;

/// The name of a process of this node, or an empty text: it has none, or has ended. The process
/// itself is not asked, so that one which is stuck has its name too.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never.
/// Throws: std::bad_alloc.
std::string name_of(pid process);

/// All names of the node, sorted.
std::vector<std::string> registered();

}  // namespace otter
