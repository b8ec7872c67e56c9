// node/simulation.cpp - a node that is run from a seed.

#include <fmt/format.h>

#include <otter/simulation.hpp>

#include "node/node_core.hpp"

namespace otter {

struct simulation::state {
  std::uint64_t seed;
  simulation_options options;
};

simulation::simulation(std::uint64_t seed, simulation_options options)
    : state_(std::make_unique<state>(state{seed, options})) {
  node_options node = options.node;
  node.workers = options.workers;
  rts::node_core::simulated const how{seed, options.max_turns};
  core_ = std::make_unique<rts::node_core>(node, &how);
  if (!options.trace_file.empty()) core_->sched().keep_trace(options.trace_file);
}

simulation::~simulation() = default;

std::uint64_t simulation::seed() const noexcept { return state_->seed; }
node_statistics simulation::statistics() const { return core_->statistics(); }

namespace {

struct outcome {
  bool ended = false;
  exit_reason reason;
};

class watcher final : public reactive {
 public:
  watcher(reactive_ptr body, std::shared_ptr<outcome> out)
      : body_(std::move(body)), out_(std::move(out)) {}
  void start() override { detail::spawn_body({.monitor = alias_mode::none}, std::move(body_)); }
  void handle(event& what) override {
    if (down* d = what.get_if<down>()) {
      out_->ended = true;
      out_->reason = d->reason;
      stop(exit_reason::normal());
    }
  }

 private:
  reactive_ptr body_;
  std::shared_ptr<outcome> out_;
};

}  // namespace

simulation::result simulation::run_body(reactive_ptr body) {
  auto out = std::make_shared<outcome>();
  rts::scheduler& s = core_->sched();
  std::int64_t const began = s.now();
  core_->spawn({.label = "simulation"}, make_reactive<watcher>(std::move(body), out));
  core_->system().at_safe_point = state_->options.at_safe_point;  // not for the watcher
  rts::simulation_end const end = s.run_simulation([&] { return out->ended; });
  result r;
  r.finished = out->ended;
  r.main = out->reason;
  r.livelocked = end == rts::simulation_end::out_of_turns;
  r.deadlocked = !out->ended && !r.livelocked;
  r.virtual_time = duration(s.now() - began);
  core_->stop(std::chrono::seconds(5));
  r.digest = s.trace_digest();
  return r;
}

std::string simulation::result::to_string() const {
  std::string text = fmt::format("{} after {} us of virtual time, digest {:016x}",
                                 finished     ? "finished"
                                 : livelocked ? "livelocked"
                                              : "deadlocked",
                                 virtual_time.count() / 1000, digest);
  if (finished) text += ", reason " + otter::to_string(main);
  return text;
}

}  // namespace otter
