// node/node.cpp - the node as users see it, and run().

#include <fmt/format.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <otter/node.hpp>

#include "node/node_core.hpp"

namespace otter {

node::node(node_options options) : core_(std::make_unique<rts::node_core>(options)) {}
node::~node() = default;

pid node::spawn_body(spawn_options const& options, reactive_ptr body) {
  return core_->spawn(options, std::move(body));
}

namespace {

/// Where the thread in node::run() learns of the end of its process.
struct ending_place {
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  exit_reason reason;
};

/// Starts the user's process and watches it: its end is the end of run().
class runner final : public reactive {
 public:
  runner(reactive_ptr body, std::shared_ptr<ending_place> place)
      : body_(std::move(body)), place_(std::move(place)) {}

  void start() override {
    trap_exit(true);
    child_ = detail::spawn_body({.monitor = alias_mode::none}, std::move(body_)).process;
  }
  void handle(event& what) override {
    if (down* d = what.get_if<down>()) {
      tell(d->reason);
      stop(exit_reason::normal());
    } else if (exited* e = what.get_if<exited>()) {
      otter::exit(child_, e->reason);  // the node stops
    }
  }
  ~runner() override { tell(exit_reason::killed()); }

 private:
  void tell(exit_reason const& why) noexcept {
    std::lock_guard lock(place_->mutex);
    if (place_->ended) return;
    place_->ended = true;
    place_->reason = why;
    place_->changed.notify_all();
  }

  reactive_ptr body_;
  std::shared_ptr<ending_place> place_;
  pid child_;
};

}  // namespace

exit_reason node::run_body(reactive_ptr body) {
  auto place = std::make_shared<ending_place>();
  core_->spawn({.label = "run"}, make_reactive<runner>(std::move(body), place));
  std::unique_lock lock(place->mutex);
  place->changed.wait(lock, [&] { return place->ended; });
  return place->reason;
}

std::vector<std::string> node::stop(duration limit) { return core_->stop(limit); }
bool node::has_given_up() const noexcept { return core_->has_given_up(); }
node_statistics node::statistics() const { return core_->statistics(); }
unsigned node::workers() const noexcept { return core_->sched().workers(); }

poller_kind node::poller() const noexcept { return core_->sched().poller(); }

int run_main(node_options options, reactive_ptr body) {
  node n(std::move(options));
  exit_reason const why = n.run_body(std::move(body));
  for (std::string const& line : n.stop()) fmt::print(stderr, "otter: {}\n", line);
  if (n.has_given_up()) return exit_given_up;
  if (why.is_normal_exit()) return 0;
  fmt::print(stderr, "otter: the main process ended: {}\n", to_string(why));
  return 1;
}

}  // namespace otter
