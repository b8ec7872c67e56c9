#pragma once

// report.hpp - what behaviours say when something went wrong: events of the node's log, of module
// "otter", each bounded in size.
//
// The process that it is about writes it, before anybody hears of its end (LOG-7).

#include <otter/exit_reason.hpp>
#include <otter/log_event.hpp>
#include <otter/node.hpp>
#include <otter/pid.hpp>
#include <otter/process_info.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter::detail {

/// The longest part of a report that a user's code wrote, in bytes.
inline constexpr std::size_t max_report_part = logger::max_text;

using facts = std::vector<logger::named_value>;

/// The name of the calling process, or nothing.
std::string registered_name();

/// `"name" <pid>` of the calling process, or only the pid.
std::string self_text();

/// `text` cut to `limit` bytes, with a note of what is missing.
std::string bounded(std::string text, std::size_t limit = max_report_part);

/// Facts of a text with a `name: value` in each line.
facts facts_in(std::string_view lines);

/// False if nobody would see a report of that level, so that it need not be made.
bool wants_report(logger::level at) noexcept;

/// A report of the calling process. Never throws.
void log_report(logger::level at, std::string text, facts more = {},
                node_event::kind kind = node_event::kind::report) noexcept;

/// Something went on in another way than it should have, and the process goes on: a warning.
inline void report_text(std::string text) noexcept {
  log_report(logger::level::warning, std::move(text));
}

std::string_view name_of_status(process_status status) noexcept;

/// Adds the name of `client`, who waits for an answer of the calling process, and where it is
/// (LOG-2).
///
/// This and add_neighbours(): Called from: a process that is about to end with a report. Blocks:
/// until those that are asked have answered, 100 ms at most. Exits: never.
void add_client(facts& to, pid client) noexcept;
/// Adds a line for each process that the end of the calling one can reach, over links to processes
/// that do not trap exits: 15 at most (LOG-4).
void add_neighbours(facts& to) noexcept;

/// Adds where the exception was thrown that `reason` is about, if that is known.
void add_backtrace(facts& to, exit_reason const& reason);

/// The crash report of the calling process, which is about to end with `reason` (LOG-4). Exits:
/// may.
void report_crash(exit_reason const& reason, std::string_view initial_call,
                  std::vector<std::string> const& ancestors);

}  // namespace otter::detail
