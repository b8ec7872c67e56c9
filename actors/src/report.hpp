#pragma once

// report.hpp - what behaviours write when something went wrong. Each report is bounded in size.

#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter::detail {

/// The longest report, and the longest part of one that a user's code wrote, in bytes.
inline constexpr std::size_t max_report = 8192;
inline constexpr std::size_t max_report_part = 2048;

/// The name of the calling process, or nothing.
std::string registered_name();

/// `"name" <pid>` of the calling process, or only the pid.
std::string self_text();

/// `text` cut to `limit` bytes, with a note of what is missing.
std::string bounded(std::string text, std::size_t limit = max_report_part);

/// A report of the calling process (LOG-2, LOG-5). Never throws.
void report_text(std::string text) noexcept;

/// The crash report of the calling process, which is about to end with `reason` (LOG-4). Exits:
/// may.
void report_crash(exit_reason const& reason, std::string_view initial_call,
                  std::vector<std::string> const& ancestors);

}  // namespace otter::detail
