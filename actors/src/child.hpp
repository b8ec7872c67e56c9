#pragma once

// child.hpp - what both kinds of supervisor do with one child: start it, stop it, report on it.

#include <otter/child_spec.hpp>
#include <string>
#include <string_view>

namespace otter::detail {

class restart_window;

/// Runs a child's start; an exception is a failed start, and so is a start that returns no process.
tl::expected<pid, start_error> run_start(child_start const& start);

/// Stops a child: tells it, waits for its limit, kills it, waits for its end. Returns its reason.
/// Afterwards no `exited` of it is in the mailbox or can come. A child that unlinked itself does
/// not hang its supervisor, and one that does not obey the kill is given up by the runtime (SUP-26,
/// SUP-27). Blocks: as said. Exits: may.
exit_reason stop_child(pid child, shutdown_limit limit, child_type type);

/// Was the child expected to end so, having been told to? (SUP-28)
bool expected_end(exit_reason const& reason, restart_type restart, shutdown_limit limit) noexcept;

/// What is wrong with a specification, or an empty text (SUP-3).
std::string wrong_with(child_spec const& spec, bool needs_id);

/// `child "id" <pid>`, as far as there is an id or a process.
std::string child_text(std::string_view id, pid process);

/// What happened to a child, or several of one kind, in OTP's words (LOG-5).
enum class error_context : unsigned char {
  start_error,
  child_terminated,
  shutdown_error,
  shutdown,  // the supervisor gives up
};
struct child_fault {
  error_context context;
  exit_reason const& reason;
  std::string_view id{};
  pid process{};
  child_spec const* spec = nullptr;  // if the supervisor has it
  std::size_t children = 1;
};

/// `supervisor "name" <pid>: ` and `text` (LOG-5).
void report_child(std::string text, child_fault const& fault) noexcept;
/// Progress: a child has been started (LOG-6, SUP-10). Costs nothing if nobody wants to know.
void report_started(child_spec const& spec, pid process) noexcept;
/// The supervisor gives up: one restart too many (SUP-21).
void report_giving_up(std::string const& child, restart_window const& window,
                      exit_reason const& last) noexcept;

}  // namespace otter::detail
