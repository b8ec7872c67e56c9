// Looking at a process.

#include <algorithm>
#include <atomic>
#include <otter/attached_thread.hpp>
#include <otter/blocking.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "on_every_driver.hpp"

using namespace std::chrono_literals;
using otter::info_item;
using otter::process_info;
using otter::process_status;
using otter_test::driver_report;
using otter_test::on_every_driver;

namespace {

struct go {};
struct secret {
  int code;
};

void wait_for_go() {
  otter::receive([](go) {});
}

/// Waits until `p` waits in the call `in`.
void until_it_waits(otter::pid p, std::string const& in) {
  while (process_info<std::string>(p, info_item::waiting_in) != in) otter::sleep_for(100us);
}

}  // namespace

TEST_CASE("info gives the items in the order asked, and nothing of the dead", "[info][PI-1]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor(wait_for_go);
    auto const got =
        otter::process_info(p, {info_item::trap_exit, info_item::label, info_item::trap_exit});
    report.check("three", got && got->size() == 3);
    report.check("in order", (*got)[0].item == info_item::trap_exit &&
                                 (*got)[1].item == info_item::label &&
                                 (*got)[2].item == info_item::trap_exit);
    report.check("none", otter::process_info(p, {})->empty());
    otter::send(p, go{});
    otter::receive([](otter::down const&) {});
    report.check("dead", !otter::process_info(p, {info_item::label}));
    report.check("dead, one item", !process_info<std::string>(p, info_item::label));
  });
}

TEST_CASE("asking for an item as another type is badarg", "[info][PI-1]") {
  on_every_driver([](driver_report& report) {
    std::string code = "none";
    try {
      process_info<bool>(otter::self(), info_item::label);
    } catch (otter::error const& e) {
      code = to_string(e.code());
    }
    report.equal("a label is no bool", code, std::string("badarg"));
  });
}

TEST_CASE("every item has its value", "[info][PI-2]") {
  on_every_driver([](driver_report& report) {
    otter::pid const me = otter::self();
    otter::pid p =
        otter::spawn({.name = "p", .label = "the label", .priority = otter::priority::high}, [me] {
          otter::set_initial_call("info_test");
          otter::trap_exit(true);
          otter::link(me);
          otter::monitor(me);
          otter::receive([](go) {});
        });
    otter::monitor_ref watch = otter::monitor(p);
    otter::send(p, secret{42});
    until_it_waits(p, "receive");
    using pids = std::vector<otter::pid>;
    report.check("name", process_info<std::string>(p, info_item::registered_name) == "p");
    report.check("label", process_info<std::string>(p, info_item::label) == "the label");
    report.check("status",
                 process_info<process_status>(p, info_item::status) == process_status::waiting);
    report.check("length", process_info<std::uint64_t>(p, info_item::message_queue_len) == 1u);
    auto const messages = *process_info<std::vector<std::string>>(p, info_item::messages);
    report.check("messages", messages.size() == 1 && messages[0].find("42") != std::string::npos);
    report.check("links", process_info<pids>(p, info_item::links) == pids{me});
    report.check("monitors", process_info<std::vector<otter::monitored>>(p, info_item::monitors) ==
                                 std::vector<otter::monitored>{{me, ""}});
    report.check("monitored by", process_info<pids>(p, info_item::monitored_by) == pids{me});
    report.check("traps", process_info<bool>(p, info_item::trap_exit) == true);
    report.check("leader",
                 process_info<otter::pid>(p, info_item::group_leader) == otter::group_leader());
    report.check("parent", process_info<otter::pid>(p, info_item::parent) == me);
    report.check("priority",
                 process_info<otter::priority>(p, info_item::priority) == otter::priority::high);
    report.check("memory", process_info<std::uint64_t>(p, info_item::memory) > 0u);
    report.check("a stack", process_info<std::uint64_t>(p, info_item::stack_size) > 0u);
    report.check("reductions", process_info<std::uint64_t>(p, info_item::reductions) > 0u);
    report.check("initial call",
                 process_info<std::string>(p, info_item::initial_call) == "info_test");
    report.check("limit", process_info<otter::max_heap_size>(p, info_item::max_heap_size) ==
                              otter::max_heap_size{});
    report.check("running",
                 process_info<process_status>(me, info_item::status) == process_status::running);
    otter::unlink(p);
    otter::send(p, go{});
    otter::receive(
        otter::when([watch](otter::down const& d) { return d.ref == watch; }, [](otter::down) {}));
  });
}

TEST_CASE("a stack trace shows where a function is", "[info][PI-2]") {
  on_every_driver([](driver_report& report) {
    using lines = std::vector<std::string>;
    otter::pid const p = otter::spawn(wait_for_go);
    until_it_waits(p, "receive");
    auto const others = *process_info<lines>(p, info_item::current_stacktrace);
    report.check("another's", others.size() > 2 && others.size() <= 24);
    auto const mine = *process_info<lines>(otter::self(), info_item::current_stacktrace);
    report.check("one's own", mine.size() > 2 && mine != others);
    report.check("each line bounded", std::all_of(mine.begin(), mine.end(), [](auto const& line) {
                   return !line.empty() && line.size() <= 160;
                 }));
    otter::send(p, go{});
  });
}

TEST_CASE("info within a time limit is the same, and of the dead nothing", "[info][PI-1]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = otter::spawn(
        otter::spawn_options{.monitor = otter::alias_mode::none, .label = "it"}, wait_for_go);
    auto const got = otter::process_info(p, {info_item::label}, 10s);
    report.check("in time", got && std::get<std::string>(got->at(0).value) == "it");
    otter::send(p, go{});
    otter::receive([](otter::down const&) {});
    report.check("dead", !otter::process_info(p, {info_item::label}, 10s));
  });
}

TEST_CASE("who is stuck does not answer, and a time limit ends the wait for it", "[info][PI-1]") {
  std::atomic<bool> let_go{false};
  otter::node node({.workers = 2, .on_event = [](auto const&) {}});
  otter::attached_thread me(node);
  auto const p = otter::spawn_monitor([&let_go, test = otter::self()] {
    otter::send(test, go{});
    while (!let_go.load(std::memory_order_acquire)) {
    }
  });
  otter::receive([](go) {});
  std::string why = "none";
  try {
    otter::process_info(p, {info_item::label}, 1ms);
  } catch (otter::process_exit const& e) {
    why = to_string(e.reason());
  }
  CHECK(why == "timeout");
  let_go.store(true, std::memory_order_release);
  otter::receive([](otter::down const&) {});
}

TEST_CASE("what is started with measure_stack knows how much stack it used", "[info][stacks]") {
  on_every_driver([](driver_report& report) {
    constexpr std::size_t much = 20'000;
    auto const digs = [] {
      {
        auto* const room = static_cast<char volatile*>(__builtin_alloca(much));
        room[0] = 1;
      }
      wait_for_go();
    };
    auto const depth_of = [](otter::pid p) {
      return *process_info<std::uint64_t>(p, info_item::stack_depth);
    };
    for (std::size_t const size : {0u, 100u * 1024, 3u * 1024 * 1024}) {
      otter::pid const deep =
          otter::spawn(otter::spawn_options{.stack_size = size, .measure_stack = true}, digs);
      otter::pid const flat = otter::spawn(
          otter::spawn_options{.stack_size = size, .measure_stack = true}, wait_for_go);
      until_it_waits(deep, "receive");
      until_it_waits(flat, "receive");
      std::uint64_t const used = depth_of(deep);
      report.check("deep", used >= much && used < 3 * much);
      report.check("flat", depth_of(flat) > 0 && depth_of(flat) < much);
      otter::send(deep, go{});
      otter::send(flat, go{});
    }
    otter::pid const other = otter::spawn(digs);
    report.equal("not measured", depth_of(other), std::uint64_t{0});
    otter::send(other, go{});
  });
}

TEST_CASE("links lists active ones, monitors each one with its name", "[info][PI-3]") {
  on_every_driver([](driver_report& report) {
    otter::pid p = otter::spawn(wait_for_go);
    otter::register_name("watched", p);
    otter::link(p);
    otter::monitor(p);
    otter::monitor(p);
    otter::monitor_ref named = otter::monitor("watched");
    using pids = std::vector<otter::pid>;
    using watched = std::vector<otter::monitored>;
    report.check("linked", process_info<pids>(otter::self(), info_item::links) == pids{p});
    otter::unlink(p);
    report.check("unlinked", process_info<pids>(otter::self(), info_item::links) == pids{});
    watched all = *process_info<watched>(otter::self(), info_item::monitors);
    report.equal("monitors", all.size(), std::size_t{3});
    report.equal("by pid", std::count(all.begin(), all.end(), otter::monitored{p, ""}), 2L);
    report.equal("by name", std::count(all.begin(), all.end(), otter::monitored{p, "watched"}), 1L);
    report.equal("seen from there", process_info<pids>(p, info_item::monitored_by)->size(),
                 std::size_t{3});
    otter::demonitor(named);
    report.equal("one less", process_info<watched>(otter::self(), info_item::monitors)->size(),
                 std::size_t{2});
    otter::send(p, go{});
  });
}

TEST_CASE("the length of another's queue counts what the caller sent before", "[info][PI-4]") {
  on_every_driver([](driver_report& report) {
    otter::pid p = otter::spawn(wait_for_go);
    bool exact = true;
    for (std::uint64_t i = 1; i <= 100; ++i) {
      otter::send(p, secret{1});
      exact = exact && process_info<std::uint64_t>(p, info_item::message_queue_len) == i;
    }
    report.check("exact each time", exact);
    otter::send(p, go{});
  });
}

TEST_CASE("flags return their old value, and sensitive hides messages", "[info][PI-5]") {
  on_every_driver([](driver_report& report) {
    report.check("trap: off", !otter::trap_exit(true));
    report.check("trap: on", otter::trap_exit(false));
    report.check("priority", otter::set_priority(otter::priority::low) == otter::priority::normal);
    report.check("priority again",
                 otter::set_priority(otter::priority::normal) == otter::priority::low);
    report.check("not sensitive", !otter::set_sensitive(true));
    otter::send(otter::self(), secret{42});
    otter::receive([](go) {}, otter::after(0s));
    report.check(
        "hidden",
        process_info<std::vector<std::string>>(otter::self(), info_item::messages)->empty());
    report.check("counted all the same",
                 process_info<std::uint64_t>(otter::self(), info_item::message_queue_len) == 1u);
    report.check("was sensitive", otter::set_sensitive(false));
    report.equal("shown",
                 process_info<std::vector<std::string>>(otter::self(), info_item::messages)->size(),
                 std::size_t{1});
  });
}

TEST_CASE("the group leader is inherited, and set by an ordered signal", "[info][PI-8]") {
  on_every_driver([](driver_report& report) {
    otter::pid leader = otter::spawn(wait_for_go);
    struct seen {
      otter::pid own, childs;
    };
    otter::pid p = otter::spawn([me = otter::self()] {
      otter::receive([](go) {});
      otter::pid const own = otter::group_leader();
      otter::spawn([me, own] { otter::send(me, seen{own, otter::group_leader()}); });
    });
    report.check("at first the spawner's",
                 process_info<otter::pid>(p, info_item::group_leader) == otter::group_leader());
    otter::set_group_leader(leader, p);
    report.check("ordered: asked behind it",
                 process_info<otter::pid>(p, info_item::group_leader) == leader);
    otter::send(p, go{});
    seen const s = otter::receive([](seen x) { return x; });
    report.check("its own", s.own == leader);
    report.check("its child's", s.childs == leader);
    otter::send(leader, go{});
  });
}

TEST_CASE("the members of a group are found without asking them, whoever is stuck or has ended",
          "[info][PI-8]") {
  on_every_driver([](driver_report& report) {
    using pids = std::vector<otter::pid>;
    auto const in_group_of = [](otter::pid leader, otter::pid who) {
      auto const all = otter::group_members(leader);
      return std::count(all.begin(), all.end(), who) == 1;
    };
    otter::spawned const leader = otter::spawn_monitor(wait_for_go);
    otter::pid const member =
        otter::spawn(otter::spawn_options{.group_leader = leader.process}, wait_for_go);
    report.check("one", otter::group_members(leader) == pids{member});
    report.check("the leader is in the group of its own leader",
                 in_group_of(otter::group_leader(), leader));
    otter::set_group_leader(leader, leader);
    otter::is_alive(leader);  // behind the signal
    report.equal("itself too", otter::group_members(leader).size(), std::size_t{2});
    otter::send(leader.process, go{});
    otter::receive([](otter::down) {});
    report.check("a leader that has ended", otter::group_members(leader) == pids{member});
    static_cast<void>(otter::monitor(member));
    otter::send(member, go{});
    otter::receive([](otter::down) {});
    report.check("nobody is left", otter::group_members(leader).empty());
    report.check("no process leads nobody", otter::group_members({}).empty());
  });
}

TEST_CASE("a process says which call it waits in", "[info][PI-2]") {
  on_every_driver([](driver_report& report) {
    otter::pid receiving = otter::spawn(wait_for_go);
    until_it_waits(receiving, "receive");
    otter::spawned sleeping = otter::spawn_monitor([] { otter::sleep_for(1h); });
    until_it_waits(sleeping, "sleep_for");
    report.check("a waiting one answers", otter::is_alive(sleeping));
    otter::exit(sleeping, otter::exit_reason::kill());
    otter::receive([](otter::down const&) {});
    otter::send(receiving, go{});
  });
}

TEST_CASE("processes lists who lives", "[info]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = otter::spawn_monitor(wait_for_go);
    auto const lives = [](otter::pid who) {
      auto const all = otter::processes();
      return std::find(all.begin(), all.end(), who) != all.end();
    };
    report.check("itself", lives(otter::self()));
    report.check("a child", lives(p));
    otter::send(p, go{});
    otter::receive([](otter::down const&) {});
    // Its block goes shortly after its down.
    while (lives(p)) otter::sleep_for(100us);
    report.check("no longer", !otter::is_alive(p));
  });
}

TEST_CASE("is_local knows the processes of its node, and no process is none", "[info]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = otter::spawn_monitor(wait_for_go);
    report.check("itself", otter::is_local(otter::self()));
    report.check("a child", otter::is_local(p));
    otter::send(p, go{});
    otter::receive([](otter::down const&) {});
    report.check("one that has ended", otter::is_local(p));
    report.check("no process", !otter::is_local({}));
  });
}
