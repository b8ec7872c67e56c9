// Looking at a supervision tree.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/supervision_tree.hpp>
#include <otter/supervisor.hpp>
#include <otter/sys.hpp>
#include <string>
#include <vector>

#include "children.hpp"
#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using namespace children;
using otter::child_state;
using otter::child_type;
using otter::dynamic_supervisor;
using otter::supervised;
using otter::supervision_tree;
using otter::supervisor;
using trace::text;

namespace {

child_spec below(std::string id, std::vector<child_spec> children,
                 otter::supervisor_flags flags = {}, std::string name = {}) {
  return {.id = std::move(id),
          .start =
              [flags, children = std::move(children), name = std::move(name)] {
                return supervisor::start_link(flags, children, {.name = name});
              },
          .type = child_type::supervisor};
}
child_spec crowd(std::string id) {
  return {.id = std::move(id),
          .start = [] { return dynamic_supervisor::start_link(); },
          .type = child_type::supervisor};
}
child_spec named(otter::pid test, std::string id, std::string name) {
  return {.id = std::move(id), .start = [test, name = std::move(name)] {
            return child::start_link({.name = name}, test, name, manner::silent);
          }};
}
child_spec quiet(otter::pid test, std::string id, restart_type restart = restart_type::permanent) {
  return spec(test, std::move(id), restart, manner::silent);
}

/// Does nothing but run, until it is told to stop.
struct busy {
  std::atomic<bool> stop{false};
  void run() {
    while (!stop.load(std::memory_order_acquire)) otter::checkpoint();
  }
};

}  // namespace

TEST_CASE("a tree is shown with names, processes, ids, types, restarts and states",
          "[supervision_tree]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto top = supervisor::start_link(
                   {.strategy = otter::strategy_type::rest_for_one},
                   {named(me, "store", "the store"),
                    below("rooms", {quiet(me, "lobby"), quiet(me, "den", restart_type::transient)},
                          {}, "rooms"),
                    crowd("sessions"), quiet(me, "away")},
                   {.name = "top"})
                   .value();
    must_succeed(supervisor::terminate_child(top, "away"));
    const otter::pid rooms = process_of(top, "rooms");
    const otter::pid sessions = process_of(top, "sessions");
    const otter::pid one =
        dynamic_supervisor::start_child(sessions, quiet(me, "x", restart_type::temporary)).value();
    const std::string expected = fmt::format(
        "\"top\" {}, rest_for_one supervisor\n"
        "├── store: \"the store\" {}, permanent worker\n"
        "├── rooms: \"rooms\" {}, one_for_one supervisor, permanent\n"
        "│   ├── lobby: {}, permanent worker\n"
        "│   └── den: {}, transient worker\n"
        "├── sessions: {}, dynamic supervisor, permanent\n"
        "│   └── {}, temporary worker\n"
        "└── away: permanent worker, does not run",
        top, process_of(top, "store"), rooms, process_of(rooms, "lobby"), process_of(rooms, "den"),
        sessions, one);
    report.equal("by reference", to_string(supervision_tree(top)), expected);
    report.equal("by name", to_string(supervision_tree("top")), expected);
    report.equal("a part of it", to_string(supervision_tree(sessions)),
                 fmt::format("{}, dynamic supervisor\n└── {}, temporary worker", sessions, one));
  });
}

TEST_CASE("a tree is a value that programs read", "[supervision_tree]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto top = supervisor::start_link(
                   {.intensity = 9, .backoff = {.first = 1h, .most = 1h}},
                   {quiet(me, "a"), below("inner", {quiet(me, "b", restart_type::temporary)})})
                   .value();
    crash(process_of(top, "a"));
    const supervised tree = supervision_tree(top);
    report.check("root", tree.process == top.process() && tree.id.empty() && !tree.restart &&
                             tree.type == child_type::supervisor && !tree.unknown);
    report.equal("children, in start order", tree.children.size(), 2u);
    report.check("a waits", tree.children[0].id == "a" && !tree.children[0].process &&
                                tree.children[0].state == child_state::restarting);
    supervised const& inner = tree.children[1];
    report.check("inner", inner.state == child_state::running && inner.children.size() == 1);
    report.check(
        "b", inner.children[0].id == "b" && inner.children[0].restart == restart_type::temporary);
  });
}

TEST_CASE("more children than wanted are counted", "[supervision_tree]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto top = supervisor::start_link({}, {quiet(me, "a"), quiet(me, "b"), quiet(me, "c")}).value();
    auto crowd = dynamic_supervisor::start_link().value();
    for (int i = 0; i != 200; ++i)
      must_succeed(dynamic_supervisor::start_child(crowd, quiet(me, "x")));
    report.equal("the first two", to_string(supervision_tree(top, {.most_children = 2})),
                 fmt::format("{}, one_for_one supervisor\n"
                             "├── a: {}, permanent worker\n"
                             "├── b: {}, permanent worker\n"
                             "└── and 1 more",
                             top, process_of(top, "a"), process_of(top, "b")));
    const supervised many = supervision_tree(crowd);
    report.equal("shown", many.children.size(), 100u);
    report.equal("left out", many.left_out, 100u);
    const supervised none = supervision_tree(crowd, {.most_children = 0});
    report.check("none at all", none.children.empty() && none.left_out == 200);
  });
}

TEST_CASE("a supervisor that does not answer hides what is below it, and nothing else",
          "[supervision_tree]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto top = supervisor::start_link(
                   {}, {below("stuck", {quiet(me, "hidden")}),
                        below("well", {below("deeper", {quiet(me, "seen")})}), quiet(me, "worker")})
                   .value();
    const otter::pid stuck = process_of(top, "stuck");
    otter::sys::suspend(stuck);
    // The worker is stuck too, in another way: nobody asks it anything.
    otter::sys::suspend(process_of(top, "worker"));
    const supervised tree = supervision_tree(top, {.limit = 20ms});
    report.check("the stuck one", tree.children[0].children.empty() &&
                                      tree.children[0].unknown == exit_reason::timeout());
    report.check("below the other", tree.children[1].children.size() == 1 &&
                                        tree.children[1].children[0].children.size() == 1 &&
                                        tree.children[1].children[0].children[0].id == "seen");
    report.check("the worker", tree.children[2].id == "worker" && !tree.children[2].unknown);
    report.equal("as text",
                 to_string(tree).find(fmt::format(
                     "stuck: {}, permanent supervisor, has not said what is below it: {}", stuck,
                     text(exit_reason::timeout()))) != std::string::npos,
                 true);
    otter::sys::resume(stuck);
    report.check("a late answer is nobody's",
                 supervision_tree(top).children[0].children.size() == 1);
    report.check("the mailbox is clean", trace::mailbox_is_empty());
  });
}

TEST_CASE("a tree is asked for although a child runs without a pause", "[supervision_tree]") {
  on_every_driver([](driver_report& report) {
    auto work = std::make_shared<busy>();
    auto start = [work]() -> tl::expected<otter::pid, otter::start_error> {
      const otter::pid p = otter::spawn_link([work] { work->run(); });
      return p;
    };
    auto top = supervisor::start_link({}, {{.id = "busy", .start = start}}).value();
    report.equal("tree", to_string(supervision_tree(top)),
                 fmt::format("{}, one_for_one supervisor\n└── busy: {}, permanent worker", top,
                             process_of(top, "busy")));
    work->stop = true;
  });
}

TEST_CASE("the limit is one for all levels together", "[supervision_tree]") {
  in_simulation([](driver_report& report) {
    std::vector<child_spec> stuck;
    for (char c = 'a'; c != 'k'; ++c) stuck.push_back(below({c}, {}));
    auto top = supervisor::start_link({}, stuck).value();
    for (auto const& c : supervisor::which_children(top)) otter::sys::suspend(c.process);
    const auto before = otter::node_clock::now();
    const supervised tree = supervision_tree(top, {.limit = 1s});
    const auto took = otter::node_clock::now() - before;
    report.check("a second", took >= 1s && took < 1100ms);
    std::size_t unknown = 0;
    for (auto const& c : tree.children) unknown += c.unknown ? 1 : 0;
    report.equal("ten of them", unknown, 10u);
  });
}

TEST_CASE("what is no supervisor, has ended or is the caller says so", "[supervision_tree]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    report.equal(
        "nobody has the name", to_string(supervision_tree("nobody")),
        fmt::format("\"nobody\" supervisor, does not run, has not said what is below it: {}",
                    text(exit_reason::noproc())));
    const auto ended = otter::spawn_monitor([] {});
    trace::end_of(ended.ref);
    report.check("it has ended", supervision_tree(ended.process).unknown == exit_reason::noproc());
    report.check("the caller", supervision_tree(me).unknown == exit_reason::calling_self());
    // A server that says that it is a supervisor, and is none of otter's.
    child_spec other = quiet(me, "other");
    other.type = child_type::supervisor;
    auto top = supervisor::start_link({}, {other}).value();
    const supervised tree = supervision_tree(top);
    report.check(
        "another kind of supervisor",
        tree.children[0].unknown &&
            to_string(*tree.children[0].unknown).find("unknown_request") != std::string::npos);
  });
}

TEST_CASE("a tree that bites its tail is shown once", "[supervision_tree]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto top = supervisor::start_link({}, {}).value();
    const otter::pid root = top;
    // Not what a start should do: it gives a process that is there already.
    must_succeed(supervisor::start_child(
        top, {.id = "tail",
              .start = [root]() -> tl::expected<otter::pid, otter::start_error> { return root; },
              .type = child_type::supervisor}));
    const supervised tree = supervision_tree(top);
    report.check("once", tree.children.size() == 1 && tree.children[0].children.empty());
    report.check("it says why", tree.children[0].unknown == exit_reason::of("shown elsewhere"));
    otter::exit(top, exit_reason::kill());
  });
}

TEST_CASE("an id cannot break the lines of a tree", "[supervision_tree]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto top =
        supervisor::start_link({}, {quiet(me, "a\nb"), quiet(me, std::string(500, 'x'))}).value();
    const std::string tree = to_string(supervision_tree(top));
    report.check("one line each", std::count(tree.begin(), tree.end(), '\n') == 2);
    report.check("shown", tree.find("a?b: ") != std::string::npos);
    report.check("bounded", tree.size() < 300);
  });
}
