#pragma once

// debug_state.hpp - what one process under debugging keeps: see otter/sys.hpp.

#include <deque>
#include <fstream>
#include <memory>
#include <optional>
#include <otter/sys.hpp>
#include <string>
#include <vector>

namespace otter::detail {

/// Threads: the process's own.
class debug_state {
 public:
  /// Shows `event` to everything that is on. Never throws anything of an installed function.
  void note(sys::debug_event const& event) noexcept;

  /// What begin() is to switch on, in the process that is debugged.
  void want(debug_options const& from_start) {
    wanted_ = std::make_unique<debug_options>(from_start);
  }
  void begin();

  void trace(bool on) noexcept { trace_ = on; }
  void log(std::size_t events);
  [[nodiscard]] std::vector<std::string> log_lines() const { return {log_.begin(), log_.end()}; }
  /// False if the file cannot be opened.
  bool log_to_file(std::string const& path);
  void statistics(bool on);
  [[nodiscard]] std::optional<sys::statistics_report> statistics() const;
  void install(std::string id, sys::debug_function f);
  void remove(std::string const& id) noexcept;
  /// Nothing is on.
  [[nodiscard]] bool idle() const noexcept;

 private:
  struct installed {
    std::string id;
    sys::debug_function f;
    bool gone = false;
  };

  std::unique_ptr<debug_options> wanted_;  // until begin()
  std::vector<installed> functions_;
  std::deque<std::string> log_;
  std::size_t log_limit_ = 0;
  std::ofstream file_;
  std::optional<sys::statistics_report> counted_;
  bool trace_ = false;
};

}  // namespace otter::detail
