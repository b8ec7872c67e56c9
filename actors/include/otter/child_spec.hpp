#pragma once

// otter/child_spec.hpp - what a supervisor knows of a child.
//
//   otter::child_spec      how to start it, when to start it again, how long it may take to stop
//   otter::restart_type    permanent, transient, temporary
//   otter::shutdown_limit  a length of time, brutal_kill, or infinity
//   otter::child_error     why an operation on a child was refused
//   otter::child_info      a child as which_children() shows it
//
//     otter::child_spec{.id = "counter", .start = [] { return counter::start_link(0); }}

#include <chrono>
#include <cstddef>
#include <functional>
#include <otter/detail/text_formatter.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>
#include <string>
#include <tl/expected.hpp>

namespace otter {

/// Starts a child and returns when it is ready. Runs in the supervisor, and must link the child to
/// it: a start_link() does. An exception is a failed start. A start that reports `ignored` is no
/// failure: the child is kept without a process.
using child_start = std::function<tl::expected<pid, start_error>()>;

/// When a child that has ended is started again.
enum class restart_type : unsigned char {
  permanent,  ///< always
  transient,  ///< if it ended abnormally
  temporary,  ///< never; it is forgotten
};

enum class child_type : unsigned char { worker, supervisor };

/// How long a child that is told to shut down may take before it is killed.
class shutdown_limit {
 public:
  /// Five seconds for a worker, no limit for a supervisor.
  constexpr shutdown_limit() noexcept = default;
  /// otter::infinity waits for ever: for children that are supervisors.
  template <class Rep, class Period>
  constexpr shutdown_limit(std::chrono::duration<Rep, Period> limit) : limit_{limit} {}
  /// Not told, killed at once.
  static constexpr shutdown_limit brutal_kill() noexcept {
    shutdown_limit kill;
    kill.limit_ = killed;
    return kill;
  }

  [[nodiscard]] constexpr bool is_brutal_kill() const noexcept { return limit_ == killed; }
  [[nodiscard]] constexpr bool is_valid() const noexcept { return limit_ >= unset; }
  /// The limit for a child of this type.
  [[nodiscard]] constexpr duration limit_for(child_type type) const noexcept {
    if (limit_ >= duration::zero()) return limit_;
    return type == child_type::supervisor ? infinity : std::chrono::seconds(5);
  }
  friend constexpr bool operator==(shutdown_limit, shutdown_limit) noexcept = default;

 private:
  static constexpr duration unset{-1};
  static constexpr duration killed = duration::min();
  duration limit_ = unset;
};

inline constexpr shutdown_limit brutal_kill = shutdown_limit::brutal_kill();

struct child_spec {
  std::string id{};  ///< unique in its supervisor; not used by a dynamic_supervisor
  child_start start{};
  restart_type restart = restart_type::permanent;
  /// Its end may end the supervisor: see auto_shutdown_type. Not for permanent children, nor below
  /// a dynamic_supervisor.
  bool significant = false;
  shutdown_limit shutdown{};
  child_type type = child_type::worker;
};

struct child_error {
  enum class kind : unsigned char {
    already_started,  ///< a child with this id runs, as `process`
    already_present,  ///< a child with this id is known, and does not run
    running,          ///< it runs
    restarting,       ///< its restart failed and is tried again, or waits for its back-off
    not_found,        ///< no such child
    start_failed,     ///< see `reason`
    invalid,          ///< the specification or the flags: `reason` says what is wrong
    max_children,     ///< there are as many as allowed
  };
  kind what = kind::not_found;
  pid process{};
  exit_reason reason{};
  friend bool operator==(child_error const&, child_error const&) noexcept = default;
};

[[nodiscard]] std::string to_string(child_error const& error);

/// A result of an operation on a child.
template <class T>
using child_result = tl::expected<T, child_error>;

struct child_info {
  std::string id{};         ///< empty in a dynamic_supervisor
  pid process{};            ///< none: it does not run
  bool restarting = false;  ///< its restart failed and is tried again, or waits for its back-off
  child_type type = child_type::worker;
  restart_type restart = restart_type::permanent;
};

struct child_count {
  std::size_t specs = 0;
  std::size_t active = 0;       ///< those that run
  std::size_t supervisors = 0;  ///< those that run or not
  std::size_t workers = 0;
  friend bool operator==(child_count const&, child_count const&) noexcept = default;
};

/// The reason, within `shutdown`, of a supervisor that could not start a child.
struct failed_to_start_child {
  std::string id;
  exit_reason reason;
  friend bool operator==(failed_to_start_child const&, failed_to_start_child const&) = default;
};
std::string to_string(failed_to_start_child const& failed);

/// The reason of a supervisor that was started with flags or specifications that it cannot obey.
struct bad_child_spec {
  std::string what;
  friend bool operator==(bad_child_spec const&, bad_child_spec const&) = default;
};
std::string to_string(bad_child_spec const& bad);

}  // namespace otter

template <>
struct fmt::formatter<otter::child_error> : otter::detail::text_formatter<otter::child_error> {};

template <>
struct fmt::formatter<otter::failed_to_start_child>
    : otter::detail::text_formatter<otter::failed_to_start_child> {};

template <>
struct fmt::formatter<otter::bad_child_spec>
    : otter::detail::text_formatter<otter::bad_child_spec> {};
