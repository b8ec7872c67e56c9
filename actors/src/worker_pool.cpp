// A pool of workers: a supervisor of the keeper, who hands out the requests, and of the workers.
//
//   supervisor, one_for_all: without the keeper nobody knows who has what
//     keeper             has the pool's name
//     supervisor, one_for_one
//       worker 0 ... n-1
//
// A request waits at the keeper, which keeps its caller waiting, and travels on as a request of the
// keeper; the answer comes back by the same way. That costs two messages more than a call, and in
// return the keeper knows who is free, whatever becomes of worker and caller.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <otter/error.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/supervisor.hpp>
#include <otter/worker_pool.hpp>
#include <unordered_map>
#include <vector>

#include "numbered_children.hpp"

namespace otter::detail {

/// To the keeper: the worker of this number runs, for the first time or again.
struct worker_started {
  unsigned number;
  pid process;
};
struct ask_pool_status {
  using reply = pool_status;
};

/// Hands out the requests.
///
/// Invariant: a worker that runs and has no request has none that waits for it either.
class pool_keeper : public gen_server<pool_keeper> {
 public:
  using accepts = otter::accepts<pool_job, ask_pool_status, worker_started>;

  pool_keeper(std::string name, unsigned workers, std::size_t max_queue)
      : name_(std::move(name)), max_queue_(max_queue), workers_(workers) {}

  call_outcome<void> handle_call(pool_job job, from caller);
  pool_status handle_call(ask_pool_status);
  void handle_info(worker_started);
  void handle_info(down);
  void handle_info(any_response&);

 private:
  struct waiting {
    pool_job job;
    from caller;
    std::uint64_t turn;  // who came first
  };
  using queue = std::deque<waiting>;
  struct worker {
    pid process{};  // none: it is being started again
    monitor_ref watch{};
    bool has_request = false;
    from caller{};        // of that request
    bool listed = false;  // stands in free_
    queue own{};          // what has a key of it
  };

  [[nodiscard]] static bool is_free(worker const& w) noexcept {
    return w.process && !w.has_request;
  }
  worker* somebody_free();
  void give(worker& w, waiting request);
  void wait(queue& where, pool_job job, from caller);
  /// Of what waits for this worker the oldest whose caller has not left.
  std::optional<waiting> next_for(worker& w);
  void became_free(worker& w);
  void forget_process(worker& w) noexcept;
  void leave_out_departed();
  bool make_room();

  std::string name_;
  std::size_t max_queue_;
  std::vector<worker> workers_;
  std::deque<unsigned> free_;  // numbers, the longest free first; some may have a request by now
  queue shared_;               // requests without a key
  std::unordered_map<ref, unsigned> asked_;  // which worker has the request of that id
  std::size_t waiting_ = 0;                  // in all queues
  std::size_t no_look_for_ = 0;
  std::uint64_t turns_ = 0;
  pool_status counts_;  // of which the totals count
};

// --- requests come ---

call_outcome<void> pool_keeper::handle_call(pool_job job, from caller) {
  if (job.key) {
    worker& w = workers_[*job.key % workers_.size()];
    if (is_free(w))
      give(w, {std::move(job), caller, 0});
    else
      wait(w.own, std::move(job), caller);
  } else if (worker* w = somebody_free()) {
    give(*w, {std::move(job), caller, 0});
  } else {
    wait(shared_, std::move(job), caller);
  }
  return noreply();
}

pool_keeper::worker* pool_keeper::somebody_free() {
  while (!free_.empty()) {
    worker& w = workers_[free_.front()];
    free_.pop_front();
    w.listed = false;
    if (is_free(w)) return &w;
  }
  return nullptr;
}

void pool_keeper::give(worker& w, waiting request) {
  w.caller = request.caller;
  w.has_request = true;
  asked_[detail::send_request(w.process, std::move(request.job.request))] =
      static_cast<unsigned>(&w - workers_.data());
}

void pool_keeper::wait(queue& where, pool_job job, from caller) {
  if (waiting_ >= max_queue_ && !make_room()) {
    ++counts_.refused;
    reply_failed(caller, exit_reason::busy(fmt::format(
                             "pool \"{}\": {} requests wait (max_queue), {} workers; try again "
                             "later",
                             name_, waiting_, workers_.size())));
    return;
  }
  where.push_back({std::move(job), caller, ++turns_});
  ++waiting_;
}

/// Whether those that have left make room in a full queue. Looking through a long queue takes
/// longer than refusing, so after a look that found nobody some are refused without one.
bool pool_keeper::make_room() {
  if (no_look_for_ != 0) {
    --no_look_for_;
    return false;
  }
  leave_out_departed();
  if (waiting_ < max_queue_) return true;
  no_look_for_ = waiting_ / 64;
  return false;
}

void pool_keeper::leave_out_departed() {
  auto const tidy = [this](queue& q) {
    std::size_t const gone =
        std::erase_if(q, [](waiting const& r) { return !is_awaited(r.caller); });
    counts_.left += gone;
    waiting_ -= gone;
  };
  tidy(shared_);
  for (worker& w : workers_) tidy(w.own);
}

// --- workers come and go ---

void pool_keeper::handle_info(worker_started started) {
  worker& w = workers_[started.number];
  forget_process(w);  // whose `down` may still be under way
  w.process = started.process;
  w.watch = monitor(started.process);
  became_free(w);
}

void pool_keeper::handle_info(down d) {
  auto const w = std::find_if(workers_.begin(), workers_.end(),
                              [&](worker const& one) { return one.watch == d.ref; });
  if (w != workers_.end()) forget_process(*w);
}

void pool_keeper::forget_process(worker& w) noexcept {
  demonitor(w.watch, demonitor_flush::yes);
  w.watch = {};
  w.process = {};
}

void pool_keeper::handle_info(any_response& arrived) {
  request_id const id = arrived.id();
  auto const found = asked_.find(id);
  if (found == asked_.end()) return;
  worker& w = workers_[found->second];
  asked_.erase(found);
  response got;
  if (!take_response(*arrived.envelope(), id, got)) return;
  w.has_request = false;
  if (got.reply) {
    ++counts_.served;
    detail::reply(w.caller, std::move(got.reply));
  } else {
    ++counts_.failed;
    reply_failed(w.caller, std::move(got.why));
    // It has ended, and its `down` comes right behind, or it did not want this request.
    if (w.process && !is_alive(w.process)) forget_process(w);
  }
  became_free(w);
}

void pool_keeper::became_free(worker& w) {
  if (!is_free(w)) return;
  if (std::optional<waiting> next = next_for(w)) {
    give(w, std::move(*next));
  } else if (!w.listed) {
    w.listed = true;
    free_.push_back(static_cast<unsigned>(&w - workers_.data()));
  }
}

std::optional<pool_keeper::waiting> pool_keeper::next_for(worker& w) {
  for (;;) {
    if (w.own.empty() && shared_.empty()) return std::nullopt;
    bool const take_own =
        !w.own.empty() && (shared_.empty() || w.own.front().turn < shared_.front().turn);
    queue& from_here = take_own ? w.own : shared_;
    waiting next = std::move(from_here.front());
    from_here.pop_front();
    --waiting_;
    if (is_awaited(next.caller)) return next;
    ++counts_.left;
  }
}

pool_status pool_keeper::handle_call(ask_pool_status) {
  leave_out_departed();
  pool_status now = counts_;
  now.workers = static_cast<unsigned>(workers_.size());
  now.waiting = waiting_;
  for (worker const& w : workers_) {
    if (w.has_request) ++now.working;
    if (!w.process) ++now.missing;
  }
  return now;
}

// --- the tree ---

namespace {

/// The start of one worker; it runs in the workers' supervisor.
child_start start_of(std::string const& pool, std::shared_ptr<partition_start const> const& start,
                     unsigned number) {
  return [pool, start, number] {
    auto started = (*start)(number);
    if (started) otter::send(std::string_view(pool), worker_started{number, *started});
    return started;
  };
}

}  // namespace

tl::expected<pid, start_error> start_pool(std::string const& name, pool_spec spec,
                                          pool_flags const& flags, start_options const& options) {
  unsigned const count = number_of_children("worker_pool", name, "workers", flags.workers);
  if (pid const holder = whereis(name))
    return tl::unexpected<start_error>({start_error::kind::already_started, holder, {}});

  child_spec keeper{.id = "keeper", .start = [name, count, max_queue = flags.max_queue] {
                      start_options named;
                      named.name = name;
                      return pool_keeper::start_link(named, name, count, max_queue);
                    }};
  supervisor_flags const worker_flags{.intensity = flags.intensity, .period = flags.period};
  auto specs = numbered_children(
      count, {.shutdown = spec.shutdown}, std::move(spec.start),
      [&](auto const& start, unsigned number) { return start_of(name, start, number); });
  child_spec workers{
      .id = "workers",
      .start = [worker_flags,
                specs = std::move(specs)] { return supervisor::start_link(worker_flags, specs); },
      .type = child_type::supervisor};
  start_options how = options;
  how.name.clear();
  how.via = {};
  // What the two cannot mend by themselves ends the pool: whoever started it decides.
  auto started = supervisor::start_link({.strategy = strategy_type::one_for_all, .intensity = 0},
                                        {std::move(keeper), std::move(workers)}, how);
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return started->process();
}

pool_status status_of_pool(std::string_view name) { return otter::call(name, ask_pool_status{}); }

}  // namespace otter::detail
