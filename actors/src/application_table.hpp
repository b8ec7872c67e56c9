#pragma once

// application_table.hpp - what all who ask about the applications of a node share.
//
//   otter::detail::application_table   what is loaded and what runs, and the environments
//   otter::detail::env_change          what has become different in an environment
//
// Looking asks no process: get_env() is for every day, and a callback that stops an application
// while the controller waits for it finds its environment too.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <otter/application.hpp>
#include <otter/pid.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter::detail {

using spec_ptr = std::shared_ptr<application::specification const>;

/// The name of the controller's process.
inline constexpr std::string_view application_controller_name = "application_controller";

struct env_change {
  application::environment changed;
  application::environment added;
  std::vector<std::string> removed;
  [[nodiscard]] bool empty() const noexcept {
    return changed.empty() && added.empty() && removed.empty();
  }
  friend bool operator==(env_change const&, env_change const&) = default;
};

/// Ownership: shared by the controller and those who look.
/// Threads:   any. The lock is held for a look or a change, never while a process waits or code of
///            a user runs. What is loaded and what runs is changed by the controller alone.
/// Invariant: what runs is loaded.
class application_table {
 public:
  explicit application_table(application::configuration config) : config_(std::move(config)) {}

  // --- what is loaded ---
  [[nodiscard]] spec_ptr find(std::string_view name) const;
  [[nodiscard]] std::vector<spec_ptr> loaded() const;
  /// Which loaded application claims that registered name; empty: none.
  [[nodiscard]] std::string owner_of_name(std::string_view registered) const;
  void load(spec_ptr spec);
  void unload(std::string_view name);

  // --- what runs ---
  struct running {
    spec_ptr spec;
    pid master;  ///< none: a library
    pid top;
  };
  void began(running what);
  void ended(std::string_view name);
  [[nodiscard]] std::vector<running> all_running() const;
  /// Nothing: it does not run.
  [[nodiscard]] std::optional<running> find_running(std::string_view name) const;

  /// Masters of applications that start or run, for who asks where a process belongs.
  void add_master(pid master, std::string application);
  void drop_master(pid master);
  [[nodiscard]] std::optional<std::string> application_of(pid leader) const;

  // --- environments ---
  [[nodiscard]] std::optional<application::value> env(std::string_view application,
                                                      std::string_view key) const;
  [[nodiscard]] application::environment all_env(std::string_view application) const;
  /// No value: there is none from now on.
  void set_env(std::string_view application, std::string_view key,
               std::optional<application::value> what, application::persistence how);
  /// What is wrong with `config` for `spec`, or an empty text.
  static std::string wrong_with(application::configuration const& config,
                                application::specification const& spec);
  /// The same for the one that counts.
  [[nodiscard]] std::string wrong_with_config(application::specification const& spec) const;
  /// Replaces it; says what that means for each running application with a master.
  struct affected {
    pid master;
    std::string application;
    env_change change;
    friend bool operator==(affected const&, affected const&) = default;
  };
  std::vector<affected> replace_config(application::configuration config);

  // --- the end ---
  /// From now on nothing is to be started, since the controller stops everything.
  void begin_shutdown();
  [[nodiscard]] bool is_shutting_down() const;
  /// An application did not stop in time.
  void note_killed(std::string name);
  [[nodiscard]] std::vector<std::string> killed() const;

 private:
  struct set_value {
    std::optional<application::value> what;
    application::persistence how;
  };
  application::environment merged_env(std::string_view application) const;  // under mutex_

  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, spec_ptr, std::less<>> loaded_;
  std::vector<running> running_;  // in the order of their starts
  std::map<pid, std::string> masters_;
  application::configuration config_;
  std::map<std::string, std::map<std::string, set_value, std::less<>>, std::less<>> set_;
  bool shutting_down_ = false;
  std::vector<std::string> killed_;
};

/// Of the calling thread's node; null: no controller runs there.
std::shared_ptr<application_table> find_application_table();

}  // namespace otter::detail
