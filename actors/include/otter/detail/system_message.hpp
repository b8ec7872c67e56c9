#pragma once

// otter/detail/system_message.hpp - what stop() and otter/sys.hpp send to a process, what comes
// back, and what a process must offer to be looked at. System messages go ahead of all others, and
// are served while the process is suspended.

#include <cstdint>
#include <memory>
#include <optional>
#include <otter/code.hpp>
#include <otter/detail/code_change.hpp>
#include <otter/detail/envelope.hpp>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <otter/timer.hpp>
#include <string>

namespace otter {
struct debug_options;
}

namespace otter::detail {

class debug_state;

struct system_answer {
  ref request;
  std::string text{};    // status
  envelope_ptr value{};  // of a job; null if it has none
  exit_reason failed{};  // why it did not work, if it did not
  bool done = true;
  /// When it was served: of suspend and resume only.
  node_clock::time_point at{};
};

/// Where a process is to go on.
struct code_change_request {
  std::string module;
  any_message extra{};  // for the hook
  bool check = false;   // find out whether it would go, and change nothing
  /// The version: of these, which are not current yet, if it is only a check; else the current one.
  std::optional<code::prepared> of{};
};

/// The address of one class's mark tells the class of a process's object.
template <class Object>
[[gnu::visibility("hidden")]] inline char object_mark = 0;

/// A process as a system message sees it.
///
/// Threads: the process's own.
class system_host {
 public:
  /// What jobs may look at: null unless the process has an object of the class with that mark.
  virtual void* system_object(void const* mark) noexcept = 0;
  /// For people: class, state and what else there is to say.
  virtual std::string system_status() const = 0;
  /// Runs terminate() and ends the process; of a function it does not return.
  virtual void system_terminate(exit_reason reason) = 0;
  virtual void system_suspend(bool suspended) = 0;
  /// Goes on in another version, or only finds out whether it could. `before` gets what has been
  /// replaced. Throws: process_exit, error(undef), std::bad_alloc; then nothing has changed.
  virtual void system_change_code(code_change_request& wanted, retired_body& before) = 0;

  /// Null while nothing is debugged.
  [[nodiscard]] virtual debug_state* debug() const noexcept = 0;
  /// Throws: std::bad_alloc.
  virtual debug_state& start_debugging() = 0;
  virtual void stop_debugging() noexcept = 0;

 protected:
  ~system_host() = default;
};

/// Something to be done in the process: made where it is asked for.
class system_job {
 public:
  virtual ~system_job() = default;
  virtual void run(system_host& host, system_answer& answer) = 0;
};

struct system_message {
  enum class kind : std::uint8_t { terminate, suspend, resume, status, job };
  kind what = kind::terminate;
  exit_reason reason{};   // terminate
  alias_ref answer_to{};  // the others; both a monitor of the asker and the address for the answer
  std::unique_ptr<system_job> job{};
  from
      asker{};  // instead of answer_to: who has sent it as a request, and hears of its success only
};

/// The job of a change or a check.
std::unique_ptr<system_job> job_of_code_change(code_change_request wanted);

/// Does what `message` asks for, and answers. Called from: the process.
void serve_system_message(system_host& host, system_message& message);

}  // namespace otter::detail
