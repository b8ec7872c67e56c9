#include "upgrade_sweep.hpp"

#include <algorithm>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/sys.hpp>
#include <utility>

namespace otter::detail {

namespace {

/// An answer that nobody wants goes nowhere.
void post(pid process, system_message::kind what, std::unique_ptr<system_job> job = nullptr,
          alias_ref answer_to = {}) {
  system_message m;
  m.what = what;
  m.answer_to = answer_to;
  m.job = std::move(job);
  detail::cast(process, pack<system_message>(signal_kind::system, std::move(m)));
}

}  // namespace

std::function<std::unique_ptr<system_job>()> change_jobs(upgrade::module_step const& step,
                                                         std::optional<code::prepared> trial) {
  return [&step, trial] {
    any_message extra = step.extra.empty() ? any_message() : any_message::of(step.extra);
    return job_of_code_change({step.name, std::move(extra), trial.has_value(), trial});
  };
}

void change_unasked(pid process, upgrade::module_step const& step) {
  post(process, system_message::kind::suspend);
  post(process, system_message::kind::job, change_jobs(step)());
  let_go(process);
}

void let_go(pid process) { post(process, system_message::kind::resume); }

void sweep::run(std::vector<pid> const& processes, std::function<bool(swept const&)> const& heard) {
  go_on_ = true;
  for (pid const p : processes) {
    while (go_on_ && open_.size() >= window_) hear(heard);
    if (!go_on_) break;
    ask(p);
  }
  while (!open_.empty()) hear(heard);
  deadlines_.clear();
}

void sweep::ask(pid process) {
  // One ref for all its answers, which is no address any more once it is demonitored.
  monitor_ref const watch = monitor(process, alias_mode::demonitor);
  int answers = 0;
  auto const ask_for = [&](system_message::kind what, std::unique_ptr<system_job> job = nullptr) {
    post(process, what, std::move(job), alias_ref(watch));
    ++answers;
  };
  if (what_.suspend) ask_for(system_message::kind::suspend);
  if (what_.job) ask_for(system_message::kind::job, what_.job());
  if (what_.resume) ask_for(system_message::kind::resume);
  asked& a = open_[watch];
  a.about.process = process;
  a.answers = answers;
  if (limit_ != infinity) deadlines_.push_back({node_clock::now() + limit_, watch});
}

void sweep::hear(std::function<bool(swept const&)> const& heard) {
  while (!deadlines_.empty() && open_.find(deadlines_.front().watch) == open_.end())
    deadlines_.pop_front();
  duration const left =
      deadlines_.empty() ? infinity
                         : std::max(deadlines_.front().until - node_clock::now(), duration::zero());
  receive([&](system_answer a) { take(a, heard); },
          [&](down d) {
            auto const at = open_.find(d.ref);
            if (at == open_.end()) return;  // it ended when all was said
            at->second.about.end = swept::end_type::ended;
            finish(d.ref, heard);
          },
          after(left, [&] {
            monitor_ref const late = deadlines_.front().watch;
            asked& a = open_.find(late)->second;
            // What is missing is behind what it is doing now, and so is this.
            if (what_.suspend && !what_.resume) let_go(a.about.process);
            a.about.end = swept::end_type::unanswered;
            finish(late, heard);
          }));
}

void sweep::take(system_answer& answer, std::function<bool(swept const&)> const& heard) {
  auto const at = open_.find(answer.request);
  if (at == open_.end()) return;
  asked& a = at->second;
  // They come in the order of the questions; only a job can fail.
  if (!answer.done) {
    a.about.end = swept::end_type::refused;
    a.about.why = std::move(answer.failed);
  }
  if (what_.suspend && !std::exchange(a.answered, true)) a.about.held = answer.at;
  if (--a.answers > 0) return;
  if (what_.resume) a.about.let_go = answer.at;
  finish(monitor_ref(answer.request), heard);
}

void sweep::finish(monitor_ref watch, std::function<bool(swept const&)> const& heard) {
  demonitor(watch);
  auto const node = open_.extract(watch);
  if (!heard(node.mapped().about)) go_on_ = false;
}

}  // namespace otter::detail
