#pragma once

// otter/process_info.hpp - looking at a process.
//
//   otter::is_alive()        does it live, all earlier signals of mine counted?
//   otter::is_local()        is it one of my node?
//   otter::process_info()    chosen facts about it
//   otter::info_item, info   what can be asked, and the answers
//   otter::stacktrace_of()   where the exception was thrown that a reason is about
//   otter::set_priority(), set_sensitive(), set_label()   what a process says of itself
//   otter::group_leader(), group_members()   which family it belongs to, and who else does
//   otter::processes(), schedulers()   who lives on the node, and how many run at once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace otter {

/// True while the process lives. An answer given by the process itself, behind all signals that
/// the caller sent to it before: after exit(p, kill), is_alive(p) is false (P-12).
///
/// Called from: a process or an attached thread. Blocks: until the answer. Exits: may.
bool is_alive(pid process);

/// True if `process` is, or was, one of the caller's node. No process is no node's.
///
/// Called from: a process or an attached thread. Blocks: never. Exits: never.
bool is_local(pid process);

enum class info_item : unsigned char {
  registered_name,     // std::string
  label,               // std::string
  status,              // process_status
  message_queue_len,   // std::uint64_t
  messages,            // std::vector<std::string>: the first 32, each cut to 256 bytes
  links,               // std::vector<pid>
  monitors,            // std::vector<monitored>: whom it watches, duplicates included
  monitored_by,        // std::vector<pid>
  trap_exit,           // bool
  group_leader,        // pid
  parent,              // pid
  priority,            // otter::priority
  memory,              // std::uint64_t: bytes of its blocks and queued messages
  stack_size,          // std::uint64_t: bytes it holds now, 0 between two events
  stack_depth,         // std::uint64_t: the most bytes of stack that it ever used; 0 unless it was
                       // started with measure_stack
  reductions,          // std::uint64_t
  initial_call,        // std::string
  max_heap_size,       // otter::max_heap_size
  waiting_in,          // std::string: the call that it waits in, or empty
  dictionary,          // std::vector<std::string>: otter/dictionary.hpp, each cut to 256 bytes
  current_stacktrace,  // std::vector<std::string>: where its function is, the innermost first: 24
                       // lines at most, each cut to 160 bytes; none between two events
};

/// Whom a process watches: a process, or who had a name when it was looked up (PI-3).
struct monitored {
  pid process;
  std::string name;  ///< empty: watched by pid
  friend bool operator==(monitored const&, monitored const&) = default;
};

enum class process_status : unsigned char { running, runnable, waiting, exiting, suspended };

using info_value =
    std::variant<bool, std::uint64_t, std::string, pid, std::vector<pid>, std::vector<std::string>,
                 otter::priority, process_status, std::vector<monitored>, otter::max_heap_size>;

struct info {
  info_item item;
  info_value value;
};

/// The items asked for, in that order; nothing if the process does not live (PI-1). Counts what
/// the caller sent to it before (PI-4).
///
/// Called from: a process or an attached thread. Blocks: until the answer. Exits: may.
std::optional<std::vector<info>> process_info(pid process, std::vector<info_item> items);
/// The same, for who cannot wait for a process that is stuck: it answers at its safe points only.
/// Throws also: process_exit(timeout) if it has not answered within `limit`.
std::optional<std::vector<info>> process_info(pid process, std::vector<info_item> items,
                                              duration limit);

namespace detail {
template <class T, class Variant>
inline constexpr bool is_alternative = false;
template <class T, class... All>
inline constexpr bool is_alternative<T, std::variant<All...>> = (std::is_same_v<T, All> || ...);
[[noreturn]] void throw_wrong_info_type(info_item item);
}  // namespace detail

/// One item: `process_info<std::uint64_t>(p, info_item::message_queue_len)`.
/// Throws also: error(badarg) if the item has another type.
template <class T>
std::optional<T> process_info(pid process, info_item item) {
  static_assert(detail::is_alternative<T, info_value>,
                "otter: no item has a value of this type; see info_item for the types");
  auto all = process_info(process, std::vector<info_item>{item});
  if (!all) return std::nullopt;
  if (T* const value = std::get_if<T>(&all->front().value)) return std::move(*value);
  detail::throw_wrong_info_type(item);
}

/// Where the exception was thrown that `reason` is about, the innermost function first: 16 lines at
/// most, each cut to 120 bytes. A function is named if the program exports its symbols (-rdynamic;
/// ENABLE_EXPORTS of CMake), else it is `program+0x1234`, which addr2line takes. Empty if it is not
/// known: the reason is no exception's, or node_options::throw_backtraces is off.
///
/// Called from: any thread. Blocks: never. Throws: std::bad_alloc.
std::vector<std::string> stacktrace_of(exit_reason const& reason);

/// The group leader of the caller; of another process `set_group_leader` (PI-8).
pid group_leader();
void set_group_leader(pid leader, pid process);

/// Flags of the calling process; each returns the old value. Exits: never.
otter::priority set_priority(otter::priority level) noexcept;
bool set_sensitive(bool hidden) noexcept;  ///< hides messages and dictionary from info (PI-5)
void set_label(std::string_view text);
/// How it was started, for reports. Unless it is set: the class of a behaviour, the type of a
/// function that proc_lib has started, and empty for others.
void set_initial_call(std::string_view text);
/// Who spawned the calling process (no process: a node or thread did).
pid parent();

/// All processes of the node that live, in the order of their slots. Any thread of the node.
std::vector<pid> processes();

/// Those of them that have `leader`, of this node, as their group leader: itself too, if it leads
/// itself. A look at the table that asks nobody, so that one that is stuck is among them; one that
/// is spawned, or gets another leader, just now may be missed, or shown once more. A leader that
/// has ended still leads (PI-8).
///
/// Called from: a process or an attached thread. Blocks: never. Exits: never. Throws:
/// std::bad_alloc.
std::vector<pid> group_members(pid leader);

/// How many workers the caller's node has: so many processes run at once, at most.
/// Called from: a process or an attached thread. Blocks: never. Exits: never.
unsigned schedulers();

}  // namespace otter
