// Tasks: what needs no types.

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <otter/detail/task_core.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <string>

#include "child.hpp"
#include "task_go.hpp"

namespace otter::detail {
namespace {

constexpr duration no_time = duration::zero();

/// What is left until a deadline that may be none.
class time_limit {
 public:
  explicit time_limit(duration limit) : limited_(checked_limit(limit) != infinity) {
    if (limited_) until_ = node_clock::now() + limit;
  }
  [[nodiscard]] duration left() const {
    return limited_ ? std::max(until_ - node_clock::now(), no_time) : infinity;
  }

 private:
  bool limited_;
  node_clock::time_point until_{};
};

[[noreturn]] void exit_await(exit_reason why, std::string const& what) {
  throw process_exit(exit_reason::call_failed(std::move(why), what));
}

/// Waits for the one message of a task that `is_awaited(ref)` knows. Gives its ref.
template <class Awaited>
ref receive_end(ref marker, Awaited is_awaited, task_reply_type const& reply, duration limit,
                task_end& end) {
  const auto task_of = [&](any_message& m) {
    return same_type(*m.type(), *reply.type) ? reply.task_of(m.envelope()->payload())
                                             : monitor_ref{};
  };
  ref whose;
  receive_from(marker,
               when([&](any_message& m) { return is_awaited(task_of(m)); },
                    [&](any_message m) {
                      whose = task_of(m);
                      end = {task_end::kind::answered, std::move(m), {}};
                    }),
               when([&](down const& d) { return is_awaited(d.ref); },
                    [&](down d) {
                      whose = d.ref;
                      end = {task_end::kind::died, {}, std::move(d.reason)};
                    }),
               after(limit));
  return whose;
}

void take_exited(ref marker, pid process) {
  receive_from(marker, when([&](exited const& e) { return e.process == process; }, [](exited) {}),
               after(no_time));
}

/// Undoes the start of a task that could not be told to go.
struct stop_unless_gone {
  task_core& task;
  bool gone = false;
  ~stop_unless_gone() {
    if (!gone) task.kill();
  }
};

}  // namespace

// --- the task's side ---

reactive_ptr task_body::run() {
  alias_ref answer_to;
  if (owner_) {
    // A linked owner takes the task with it. Another may have ended before it could say go.
    monitor_ref watch;
    if (owner_ != parent()) watch = monitor(owner_);
    receive([&](task_go go) { answer_to = go.answer_to; },
            when([&](down const& d) { return watch && d.ref == watch; },
                 [](down d) {
                   throw process_exit(exit_reason::shutdown(
                       fmt::format("the owner of the task ended before it began: {}", d.reason)));
                 }));
    if (watch) demonitor(watch, demonitor_flush::yes);
  }
  work(answer_to);
  return nullptr;
}

task_core release_task(task_core task) {
  stop_unless_gone guard{task};
  otter::send(task.process(), task_go{alias_ref(task.ref())});
  guard.gone = true;
  return task;
}

task_core start_task(spawn_options how, reactive_ptr body, task_reply_type const& reply) {
  how.link = true;
  how.monitor = alias_mode::reply_demonitor;
  spawned const child = spawn_reactive(how, std::move(body));
  return release_task(task_core(child.process, child.ref, true, reply));
}

// --- the owner's side ---

void task_core::check_owner(std::string_view what) const {
  if (!ref_)
    throw error(errc::badarg,
                fmt::format("cannot {} a task that has given its result, or was ignored", what));
  if (ref_.owner() != self())
    throw error(errc::badarg, fmt::format("cannot {} task {}: it is owned by {}, not by {}", what,
                                          process_, ref_.owner(), self()));
}

task_end task_core::wait(duration limit) const {
  task_end end;
  receive_end(
      ref_, [this](otter::ref r) { return r == ref_; }, *reply_, limit, end);
  return end;
}

void task_core::dissolve(otter::ref marker) {
  if (!linked_) return;
  // A process sends its exit signals before its `down`s; and after this, none comes any more.
  unlink(process_);
  take_exited(marker, process_);
}

void task_core::settle() {
  otter::ref const marker = std::exchange(ref_, {});
  dissolve(marker);
}

void task_core::forget() noexcept {
  if (!ref_) return;
  defer_exit in_a_destructor;
  try {
    // While the monitor was there, neither answer nor `down` had come, and now none will.
    if (ref_.owner() == self() && !demonitor(ref_)) wait(no_time);
  } catch (std::exception const&) {
    // The owner is ending, and its mailbox with it; or nobody can reach it from here.
  }
  ref_ = {};
}

void task_core::kill() noexcept {
  if (!ref_) return;
  defer_exit in_a_destructor;
  otter::ref const marker = ref_;
  try {
    if (linked_) unlink(process_);
    otter::exit(process_, exit_reason::kill());
    forget();
    dissolve(marker);
  } catch (std::exception const&) {
    // As in forget().
  }
}

any_message task_core::await(duration limit) {
  check_owner("await");
  task_end end = wait(limit);
  if (end.what == task_end::kind::answered) {
    settle();
    return std::move(end.answer);
  }
  std::string const what = fmt::format("await of task {}", process_);
  if (end.what == task_end::kind::late) {
    forget();
    exit_await(exit_reason::timeout(), what);
  }
  settle();
  exit_await(std::move(end.reason), what);
}

task_end task_core::yield(duration limit) {
  check_owner("yield to");
  task_end end = wait(limit);
  if (end.what != task_end::kind::late) settle();
  return end;
}

task_end task_core::shutdown(shutdown_limit limit) {
  check_owner("shut down");
  if (!limit.is_brutal_kill() && !limit.is_valid())
    throw error(errc::timeout_value, "cannot shut down a task within less than no time");
  exit_reason ended = stop_child(process_, limit, child_type::worker);
  task_end end = wait(no_time);
  if (end.what == task_end::kind::late) {
    if (demonitor(ref_))  // its `down` would still have come
      end = {task_end::kind::died, {}, std::move(ended)};
    else
      end = wait(no_time);  // late: a mailbox limit has dropped the answer
  }
  ref_ = {};
  if (end.what == task_end::kind::died && expected_end(end.reason, restart_type::permanent, limit))
    return {};
  return end;
}

task_end task_core::ignore() {
  check_owner("ignore");
  otter::ref const marker = ref_;
  task_end end = wait(no_time);
  forget();
  dissolve(marker);
  return end;
}

std::vector<task_end> wait_for_tasks(std::vector<task_core*> const& tasks,
                                     task_reply_type const& reply, duration limit,
                                     bool all_must_answer) {
  time_limit const until(limit);
  std::vector<task_end> ends(tasks.size());
  std::unordered_map<ref, std::size_t> open;
  for (std::size_t i = 0; i != tasks.size(); ++i) {
    tasks[i]->check_owner(all_must_answer ? "await" : "yield to");
    open.emplace(tasks[i]->ref(), i);
  }
  while (!open.empty()) {
    task_end end;
    ref const whose = receive_end(
        ref{}, [&](ref r) { return open.contains(r); }, reply, until.left(), end);
    if (!whose) break;
    auto const found = open.find(whose);
    task_core& task = *tasks[found->second];
    task.settle();
    if (all_must_answer && end.what == task_end::kind::died)
      exit_await(std::move(end.reason), fmt::format("await of task {}", task.process()));
    ends[found->second] = std::move(end);
    open.erase(found);
  }
  if (all_must_answer && !open.empty())
    exit_await(exit_reason::timeout(),
               fmt::format("await of {} tasks, of which {} still run", tasks.size(), open.size()));
  return ends;
}

// --- streams ---

task_stream_core::task_stream_core(task_stream_options const& options, task_reply_type const& reply)
    : options_(options), reply_(reply), owner_(self()) {
  if (options_.max_concurrency == 0) options_.max_concurrency = schedulers();
  options_.timeout = checked_limit(options_.timeout);
}

task_stream_core::~task_stream_core() {
  for (auto& [name, which] : running_) which->task.kill();
}

std::optional<task_end> task_stream_core::next() {
  if (self() != owner_)
    throw error(errc::badarg, fmt::format("this stream of tasks is owned by {}", owner_));
  for (;;) {
    fill();
    std::list<slot>& ready = options_.ordered ? slots_ : finished_;
    if (!ready.empty() && ready.front().end.what != task_end::kind::late) {
      task_end end = std::move(ready.front().end);
      ready.pop_front();
      return end;
    }
    if (running_.empty()) return std::nullopt;
    wait_for_one();
  }
}

void task_stream_core::fill() {
  while (!exhausted_ && running_.size() < options_.max_concurrency) {
    slots_.emplace_back();
    try {
      if (!start_next(slots_.back().task)) {
        exhausted_ = true;
        slots_.pop_back();
        return;
      }
      running_.emplace(slots_.back().task.ref(), std::prev(slots_.end()));
    } catch (...) {  // the input, or a copy of the function; also the token, on its way
      slots_.back().task.kill();
      slots_.pop_back();
      throw;
    }
    if (options_.timeout != infinity) slots_.back().due = node_clock::now() + options_.timeout;
  }
}

/// The oldest task that runs is the first of slots_: of an ordered stream it is the one that is
/// waited for.
void task_stream_core::wait_for_one() {
  auto const oldest = slots_.begin();
  duration const left =
      options_.timeout == infinity ? infinity : std::max(oldest->due - node_clock::now(), no_time);
  task_end end;
  ref const whose = receive_end(
      oldest->task.ref(), [this](ref r) { return running_.contains(r); }, reply_, left, end);
  if (whose) {
    auto const which = running_.at(whose);
    which->task.settle();
    running_.erase(whose);
    finish(which, std::move(end));
    return;
  }
  if (options_.on_timeout == on_timeout::exit)
    exit_await(exit_reason::timeout(), fmt::format("task {} of a stream", oldest->task.process()));
  ref const late = oldest->task.ref();
  end = oldest->task.shutdown(brutal_kill);
  if (end.what != task_end::kind::answered)
    end = {task_end::kind::died, {}, exit_reason::timeout()};
  running_.erase(late);
  finish(oldest, std::move(end));
}

void task_stream_core::finish(std::list<slot>::iterator which, task_end end) {
  which->end = std::move(end);
  if (!options_.ordered) finished_.splice(finished_.end(), slots_, which);
}

}  // namespace otter::detail
