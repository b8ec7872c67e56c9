// Reports of upgrades as text.

#include <fmt/format.h>

#include <array>
#include <otter/upgrade.hpp>

#include "text_table.hpp"

namespace otter::upgrade {

namespace {

/// `12.3 us`: three digits, as people read them.
std::string time_text(duration d) {
  double const us = std::chrono::duration<double, std::micro>(d).count();
  if (us < 1000) return fmt::format("{:.1f} us", us);
  if (us < 1e6) return fmt::format("{:.1f} ms", us / 1000);
  return fmt::format("{:.2f} s", us / 1e6);
}

using row = std::array<std::string, 9>;

row row_of(module_report const& m) {
  std::string const versions =
      fmt::format("{} -> {}", m.from.empty() ? "none" : m.from, m.to.empty() ? "?" : m.to);
  bool const held = m.state != module_report::state_type::untouched &&
                    m.state != module_report::state_type::checked && m.pause.max > duration::zero();
  return {m.name,
          versions,
          std::string(to_string(m.state)),
          std::to_string(m.processes),
          std::to_string(m.unanswered),
          held ? time_text(m.pause.p50) : "-",
          held ? time_text(m.pause.p99) : "-",
          held ? time_text(m.pause.max) : "-",
          m.took > duration::zero() ? time_text(m.took) : "-"};
}

}  // namespace

std::string_view to_string(module_report::state_type state) noexcept {
  switch (state) {
    case module_report::state_type::untouched:
      return "untouched";
    case module_report::state_type::checked:
      return "checked";
    case module_report::state_type::changed:
      return "changed";
    case module_report::state_type::restored:
      return "restored";
    case module_report::state_type::refused:
      return "refused";
  }
  return "?";
}

std::string to_string(report const& what) {
  std::vector<row> rows;
  rows.push_back(
      {"module", "version", "state", "processes", "left out", "pause p50", "p99", "max", "took"});
  for (module_report const& m : what.modules) rows.push_back(row_of(m));
  std::string text = detail::text_table(rows, 3);
  for (std::string const& r : what.refusals) text += "refused: " + r + '\n';
  for (std::string const& n : what.notes) text += "note: " + n + '\n';
  text.pop_back();
  return text;
}

}  // namespace otter::upgrade
