#pragma once

// upgrade_sweep.hpp - the same system messages to many processes, a window of them at a time.
//
//   otter::detail::sweep        what is asked, and of whom so far
//   otter::detail::swept        what one process has said
//   otter::detail::let_go()     lets a process go on, without an answer
//
// Messages of one sender arrive in the order of their sending, and system messages are served one
// behind the other between two callbacks. So a process that is sent suspend, change and resume at
// once is held for as long as the change takes, and no answer has to travel in between; and it goes
// on whatever becomes of the sender. Not chosen: three calls, one after the other: a pause would be
// two ways there and back.

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <otter/code.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <otter/timer.hpp>
#include <otter/upgrade.hpp>
#include <unordered_map>
#include <vector>

namespace otter::detail {

struct swept {
  enum class end_type : unsigned char {
    done,
    refused,     // what was asked failed: `why`
    unanswered,  // not within the limit; it will be done when it is served, and is never held then
    ended,       // it is no more
  };
  pid process;
  end_type end = end_type::done;
  exit_reason why{};
  node_clock::time_point held{};    // since when, if it was asked to suspend
  node_clock::time_point let_go{};  // if it was asked to resume
};

/// What is asked of each process, in this order.
struct sweep_request {
  bool suspend = false;
  /// Makes the job of the change; empty: none.
  std::function<std::unique_ptr<system_job>()> job{};
  bool resume = false;
};

/// Threads: a process that receives nothing else.
class sweep {
 public:
  sweep(sweep_request what, std::size_t window, duration limit)
      : what_(std::move(what)), window_(window), limit_(limit) {}

  /// Asks `processes`, in that order, and calls `heard` with each end, in the order of these; false
  /// means that no more are to be asked. Returns when all that were asked have been heard.
  void run(std::vector<pid> const& processes, std::function<bool(swept const&)> const& heard);

 private:
  struct asked {
    swept about;
    int answers = 0;  // that are still to come
    bool answered = false;
  };
  void ask(pid process);
  void hear(std::function<bool(swept const&)> const& heard);
  void take(system_answer& answer, std::function<bool(swept const&)> const& heard);
  void finish(monitor_ref watch, std::function<bool(swept const&)> const& heard);

  sweep_request const what_;
  std::size_t const window_;
  duration const limit_;
  std::unordered_map<ref, asked> open_;
  struct waiting {
    node_clock::time_point until;
    monitor_ref watch;
  };
  std::deque<waiting> deadlines_;  // in the order of asking; some are answered already
  bool go_on_ = true;
};

/// Jobs that bring a process to the current version of the step's module, or, in a trial, find out
/// whether it could be brought to that of `trial`. They refer to the step.
std::function<std::unique_ptr<system_job>()> change_jobs(upgrade::module_step const& step,
                                                         std::optional<code::prepared> trial = {});

void let_go(pid process);
/// Suspend, change and resume, of which nobody hears: for one that does not answer now.
void change_unasked(pid process, upgrade::module_step const& step);

}  // namespace otter::detail
