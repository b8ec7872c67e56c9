#pragma once

// otter/detail/task_core.hpp - what a task does without knowing the type of its result.
//
//   otter::detail::task_body          the body of its process
//   otter::detail::task_core          the handle that its owner has
//   otter::detail::task_end           how it went
//   otter::detail::task_stream_core   many, over the elements of a range
//   otter::detail::wait_for_tasks()   many, with one deadline

#include <cstddef>
#include <list>
#include <optional>
#include <otter/child_spec.hpp>
#include <otter/detail/kin.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/proc_lib.hpp>
#include <otter/reactive.hpp>
#include <otter/ref.hpp>
#include <otter/server_ref.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace otter {

/// What happens when a task of an async_stream() takes longer than its time.
enum class on_timeout : unsigned char {
  exit,       ///< the caller exits, with reason timeout
  kill_task,  ///< the task is killed, and its result is the reason timeout
};

struct task_stream_options {
  std::size_t max_concurrency = 0;  ///< so many run at once, at most; 0: schedulers()
  bool ordered = true;              ///< results in the order of the input, else as they come
  duration timeout = std::chrono::seconds(5);  ///< for each task, from its start; or infinity
  otter::on_timeout on_timeout = otter::on_timeout::exit;
};

namespace detail {

/// The body of a task: waits until its owner has said where the result goes, then works.
///
/// Ownership: of the function and its arguments, until the result is there. Threads: made where the
/// task is started; then its own process.
class task_body : public proc_lib_body {
 public:
  /// `owner`: who waits for the result; none: nobody does, and it begins at once.
  task_body(origin from, pid owner, std::string_view initial_call)
      : proc_lib_body(std::move(from), initial_call), owner_(owner) {}

  using proc_lib_body::come_from;

 private:
  reactive_ptr run() final;
  /// Runs the function; sends the result through `answer_to`, if that is an alias.
  virtual void work(alias_ref answer_to) = 0;

  pid owner_;
};

/// How to know the message that carries the result of a task. A constant, one for each type.
struct task_reply_type {
  type_descriptor const* type;
  monitor_ref (*task_of)(void const* reply);
};

/// How a task went, or that it still runs.
struct task_end {
  enum class kind : unsigned char { late, answered, died };
  kind what = kind::late;
  any_message answer;  ///< answered: a task_reply<T>
  exit_reason reason;  ///< died
};

/// The owner's side of one task.
///
/// Ownership: of the result, while it is on its way; not of the process. Threads: the owner, which
/// `ref` names. A false one has given its result already, or never named a task.
/// Invariant: while ref_ is set, exactly one message of the task is in the mailbox or will come:
/// its answer, which ends the monitor, or the `down` (AL-3).
class task_core {
 public:
  task_core() noexcept = default;
  task_core(pid process, monitor_ref ref, bool linked, task_reply_type const& reply) noexcept
      : process_(process), ref_(ref), linked_(linked), reply_(&reply) {}
  task_core(task_core&& other) noexcept
      : process_(other.process_),
        ref_(std::exchange(other.ref_, {})),
        linked_(other.linked_),
        reply_(other.reply_) {}
  task_core& operator=(task_core&& other) noexcept {
    forget();
    process_ = other.process_;
    ref_ = std::exchange(other.ref_, {});
    linked_ = other.linked_;
    reply_ = other.reply_;
    return *this;
  }
  ~task_core() { forget(); }

  [[nodiscard]] pid process() const noexcept { return process_; }
  [[nodiscard]] monitor_ref ref() const noexcept { return ref_; }

  any_message await(duration limit);
  task_end yield(duration limit);
  task_end shutdown(shutdown_limit limit);
  task_end ignore();

  /// Throws error(badarg) unless the caller is the owner of a task that has given no result.
  void check_owner(std::string_view what) const;
  /// The result is there: nothing of the task stays, neither the link nor an `exited`. Exits: may.
  void settle();
  /// Kills it and gives the result up. For destructors.
  void kill() noexcept;

 private:
  void forget() noexcept;
  void dissolve(otter::ref marker);
  task_end wait(duration limit) const;

  pid process_;
  monitor_ref ref_;
  bool linked_ = false;
  task_reply_type const* reply_ = nullptr;  // set with ref_
};

/// Starts `body`, a task_body whose owner is the caller, linked to it.
task_core start_task(spawn_options how, reactive_ptr body, task_reply_type const& reply);

/// Waits for all of `tasks` until `limit` is over; those that are done by then are settled. With
/// `all_must_answer` the caller exits unless all have answered.
std::vector<task_end> wait_for_tasks(std::vector<task_core*> const& tasks,
                                     task_reply_type const& reply, duration limit,
                                     bool all_must_answer);

/// The tasks of one stream.
///
/// Ownership: of its tasks; destroyed, it kills those that run. Threads: the process that made it.
/// Invariant: slots_ has the tasks in the order of their start; running_ knows those of them that
/// run. Unless the stream is ordered, slots_ has no others.
class task_stream_core {
 public:
  task_stream_core(task_stream_core const&) = delete;
  task_stream_core& operator=(task_stream_core const&) = delete;

 protected:
  task_stream_core(task_stream_options const& options, task_reply_type const& reply);
  virtual ~task_stream_core();

  /// How the next task went, starting others as there is room; nothing at the end.
  std::optional<task_end> next();

 private:
  struct slot {
    task_core task;
    node_clock::time_point due;
    task_end end;  // late while it runs
  };

  /// Starts the task of the next element; false if there is none.
  virtual bool start_next(task_core& task) = 0;

  void fill();
  void wait_for_one();
  void finish(std::list<slot>::iterator which, task_end end);

  task_stream_options options_;  // constant after construction, as the next two
  task_reply_type const& reply_;
  pid owner_;
  bool exhausted_ = false;
  std::list<slot> slots_;
  std::list<slot> finished_;  // in the order of their ends, unless the stream is ordered
  std::unordered_map<ref, std::list<slot>::iterator> running_;
};

}  // namespace detail
}  // namespace otter
