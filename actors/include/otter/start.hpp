#pragma once

// otter/start.hpp - starting a server: the starter waits until it is ready, or has failed.
//
//   otter::start_options      name, time limit, and how to spawn
//   otter::start_result<T>    a server_ref<T>, or a start_error
//   otter::start_error        why there is none: already_started, ignored, failed, timeout
//   otter::monitored_start<T> the same with a monitor, of start_monitor()
//
// When a start returns an error, nothing of it is left: the process has ended, its name is free,
// and its `exited` message, if the starter traps exits and was linked, has been consumed. A starter
// that does not trap exits and started with a link ends with a child that fails abnormally, as with
// any link; only a time-out dissolves the link first (PL-3, PL-4).

#include <cstdint>
#include <otter/alias.hpp>
#include <otter/debug_options.hpp>
#include <otter/detail/kin.hpp>
#include <otter/detail/text_formatter.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <otter/reactive.hpp>
#include <otter/server_ref.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace otter {

struct start_options {
  std::string name{};  ///< registered before the server is constructed; empty: none
  /// Registered there instead, by the server itself before it is constructed.
  otter::via via{};
  duration timeout = infinity;  ///< how long it may take until it is ready
  /// A behaviour that has had nothing to do for so long hibernates.
  duration hibernate_after = infinity;
  /// What is watched of a behaviour from its first event on: otter/debug_options.hpp.
  debug_options debug{};
  /// Priority, mailbox limit and so on; link, monitor and name are set by the start function.
  spawn_options spawn{};
};

/// Why a server did not start.
struct start_error {
  enum class kind : unsigned char {
    already_started,  ///< `process` has the name
    ignored,          ///< the server decided not to run
    failed,           ///< it ended with `reason`, or said so
    timeout,          ///< it was not ready in time, and was killed
  };
  kind what = kind::failed;
  pid process{};
  exit_reason reason{};

  /// As an exit reason, for those who end because of it.
  [[nodiscard]] exit_reason to_reason() const;
  friend bool operator==(start_error const&, start_error const&) noexcept = default;
};

[[nodiscard]] std::string to_string(start_error const& error);

/// The reason for which to_reason() stands, if a name was taken.
struct already_started {
  pid process;
  friend bool operator==(already_started const&, already_started const&) noexcept = default;
};

template <class Server>
using start_result = tl::expected<server_ref<Server>, start_error>;

/// What start_monitor() returns. After a failed start a `down` for `ref` arrives, unless nothing
/// was spawned: then `ref` is false (PL-5).
template <class Server>
struct monitored_start {
  start_result<Server> result;
  monitor_ref ref;
};

namespace detail {

enum class start_mode : unsigned char { alone, link, monitor };

/// What a child tells its starter. A child that fails says nothing and ends: its reason says all.
struct start_ack {
  enum class kind : unsigned char { ready, ignored, refused, taken };
  ref start;
  kind what = kind::ready;
  exit_reason reason{};
  pid holder{};            ///< taken: who has the name
  bool unwatched = false;  ///< the starter's monitor is gone on the child's side
};

/// Tells the starter that the calling process is ready.
void acknowledge_start(alias_ref const& starter);

/// One start, seen from the starter: an address for the answer, then the wait for it.
///
/// Ownership: of the alias until its end. Threads: the process that starts.
class starter {
 public:
  starter(start_options const& options, start_mode mode);
  ~starter();
  starter(starter const&) = delete;
  starter& operator=(starter const&) = delete;

  /// True if the name is free, as far as one can tell before spawning.
  [[nodiscard]] bool name_is_free();
  /// What the child's body is to know of its start.
  [[nodiscard]] origin begin() const;
  /// Spawns `body` and waits for its answer.
  tl::expected<pid, start_error> run(reactive_ptr body);
  /// The monitor of start_mode::monitor; valid after run().
  [[nodiscard]] monitor_ref monitor() const noexcept { return monitor_; }
  [[nodiscard]] start_error taken() const {
    return {start_error::kind::already_started, holder_, {}};
  }

 private:
  tl::expected<pid, start_error> failed(pid child, monitor_ref watch, start_error why);

  start_options const& options_;
  start_mode mode_;
  alias_ref answer_;
  monitor_ref monitor_;
  pid holder_;
};

}  // namespace detail
}  // namespace otter

template <>
struct fmt::formatter<otter::start_error> : otter::detail::text_formatter<otter::start_error> {};

template <>
struct fmt::formatter<otter::already_started> : fmt::formatter<otter::pid> {
  template <class Context>
  auto format(otter::already_started const& who, Context& context) const {
    return fmt::formatter<otter::pid>::format(who.process, context);
  }
};
