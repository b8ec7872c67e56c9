// Starting processes: what a child gets, and what it does not.

#include <memory>
#include <otter/alias.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "process_support.hpp"

using otter::info_item;
using namespace process_test;

namespace {

void wait_for_go() {
  otter::receive([](go) {});
}

}  // namespace

TEST_CASE("spawn returns the child's pid, which it knows itself by", "[spawn][SP-1]") {
  on_every_driver([](driver_report& report) {
    struct hello {
      otter::pid from;
    };
    bool same = true;
    for (int i = 0; i < 20; ++i) {
      otter::pid child =
          otter::spawn([me = otter::self()] { otter::send(me, hello{otter::self()}); });
      same = same && otter::receive([](hello h) { return h.from; }) == child;
    }
    report.check("the same", same);
    // It may have ended long ago: the pid is good to ask about all the same.
    otter::spawned gone = otter::spawn_monitor([] {});
    end_of(gone.ref);
    report.check("dead", !otter::is_alive(gone));
  });
}

TEST_CASE("a child inherits the group leader and nothing else", "[spawn][SP-2]") {
  on_every_driver([](driver_report& report) {
    otter::pid leader = otter::spawn(wait_for_go);
    otter::pid bystander = otter::spawn(wait_for_go);
    otter::spawned parent = otter::spawn(
        {.monitor = otter::alias_mode::none,
         .name = "parent",
         .label = "a label",
         .priority = otter::priority::high,
         .max_mailbox = {5, otter::overflow::kill},
         .group_leader = leader},
        [&report, leader, bystander] {
          otter::trap_exit(true);
          otter::link(bystander);
          otter::pid const child = otter::spawn(wait_for_go);
          report.check("group leader",
                       otter::process_info<otter::pid>(child, info_item::group_leader) == leader);
          report.check("parent",
                       otter::process_info<otter::pid>(child, info_item::parent) == otter::self());
          report.check("no link", otter::process_info<std::vector<otter::pid>>(
                                      child, info_item::links) == std::vector<otter::pid>{});
          report.check("no trap flag",
                       otter::process_info<bool>(child, info_item::trap_exit) == false);
          report.check("priority normal",
                       otter::process_info<otter::priority>(child, info_item::priority) ==
                           otter::priority::normal);
          report.check("no name",
                       otter::process_info<std::string>(child, info_item::registered_name) == "");
          report.check("no label", otter::process_info<std::string>(child, info_item::label) == "");
          otter::send(child, go{});
          otter::unlink(bystander);
        });
    report.equal("parent", end_of(parent.ref), to_string(exit_reason::normal()));
    otter::send(leader, go{});
    otter::send(bystander, go{});
  });
}

TEST_CASE("a monitor made by spawn misses nothing, and may be an alias", "[spawn][SP-3][AL-3]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i < 20; ++i) {
      otter::spawned p = otter::spawn_monitor([] { otter::exit(exit_reason::of("quick")); });
      report.equal("reason", end_of(p.ref), to_string(exit_reason::of("quick")));
    }
    otter::spawned child = otter::spawn({.monitor = otter::alias_mode::reply_demonitor}, [] {
      otter::alias_ref const back = otter::receive([](otter::alias_ref a) { return a; });
      otter::send(back, number{1});
      otter::send(back, number{2});
    });
    otter::send(child, otter::alias_ref(child.ref));
    report.equal("first", otter::receive([](number x) { return x.n; }), 1);
    end_of(otter::monitor(child));
    report.equal("then neither reply nor down",
                 otter::receive([](number) { return 1; }, [](otter::down const&) { return 2; },
                                otter::after(0s, [] { return 0; })),
                 0);
  });
}

TEST_CASE("a monitor made by spawn may have a tag", "[spawn][SP-3][MO-10]") {
  on_every_driver([](driver_report& report) {
    struct shard {
      int index;
    };
    otter::spawned p = otter::spawn_monitor_with_tag(shard{4}, {}, [] {});
    auto const got = otter::receive([](otter::tagged_down<shard> d) { return d; });
    report.equal("tag", got.tag.index, 4);
    report.check("ref", got.what.ref == p.ref);
    report.check("process", got.what.process == p.process);
  });
}

TEST_CASE("the options of a spawn are in effect before its first instruction", "[spawn][SP-4]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    struct seen {
      otter::priority level;
      std::string name, label;
      std::vector<otter::pid> links;
      otter::max_heap_size heap;
    };
    otter::max_heap_size const heap{.size = 1 << 20, .kill = false, .error_logger = false};
    otter::spawned p = otter::spawn(
        {.link = true,
         .monitor = otter::alias_mode::none,
         .name = "child",
         .label = "first",
         .priority = otter::priority::low,
         .stack_size = 512 * 1024,
         .max_heap_size = heap},
        [me = otter::self()] {
          char deep[300 * 1024];  // more than a default stack
          deep[0] = deep[sizeof deep - 1] = 1;
          otter::pid const self = otter::self();
          otter::send(
              me, seen{*otter::process_info<otter::priority>(self, info_item::priority),
                       *otter::process_info<std::string>(self, info_item::registered_name),
                       *otter::process_info<std::string>(self, info_item::label),
                       *otter::process_info<std::vector<otter::pid>>(self, info_item::links),
                       *otter::process_info<otter::max_heap_size>(self, info_item::max_heap_size)});
          otter::exit(exit_reason::of(deep[0] + deep[sizeof deep - 1] == 2 ? "done" : "?"));
        });
    seen const s = otter::receive([](seen x) { return x; });
    report.check("priority", s.level == otter::priority::low);
    report.equal("name", s.name, std::string("child"));
    report.equal("label", s.label, std::string("first"));
    report.check("link", s.links == std::vector<otter::pid>{otter::self()});
    report.check("heap", s.heap == heap);
    report.equal("monitor", end_of(p.ref), to_string(exit_reason::of("done")));
    report.check("linked", otter::receive([](otter::exited e) { return e.process; }) == p.process);
  });
}

TEST_CASE("a function that throws at once is no spawn error", "[spawn][SP-5]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::pid p = otter::spawn_link([] { throw std::runtime_error("undef"); });
    auto const e = otter::receive([](otter::exited x) { return x; });
    report.check("the link tells", e.process == p && e.reason == otter::exit_kind::error);
  });
}

TEST_CASE("options that cannot be obeyed throw, and nothing is started", "[spawn][SP-4]") {
  on_every_driver([](driver_report& report) {
    struct witness {
      std::shared_ptr<int> held;
      void operator()() const {}
    };
    auto alive = std::make_shared<int>(0);
    auto const before = otter::processes().size();
    otter::register_name("taken", otter::self());
    for (otter::spawn_options const& bad :
         {otter::spawn_options{.name = "taken"},
          otter::spawn_options{.name = std::string(300, 'x')},
          otter::spawn_options{.stack_size = std::size_t{1} << 40},
          otter::spawn_options{.max_mailbox = {0xffffffff, otter::overflow::kill}}}) {
      bool refused = false;
      try {
        otter::spawn_options all = bad;
        all.link = true;
        all.monitor = otter::alias_mode::none;
        otter::spawn(all, witness{alive});
      } catch (otter::error const& e) {
        refused = e.code() == otter::errc::badarg;
      }
      report.check("badarg", refused);
    }
    report.equal("the functions are destroyed", alive.use_count(), 1L);
    report.equal("no process more", otter::processes().size(), before);
    report.check(
        "no link",
        otter::process_info<std::vector<otter::pid>>(otter::self(), info_item::links)->empty());
    report.check("no monitor", otter::process_info<std::vector<otter::monitored>>(
                                   otter::self(), info_item::monitors)
                                   ->empty());
  });
}

TEST_CASE("a process may ask for a stack of any size", "[spawn][stacks]") {
  on_every_driver([](driver_report& report) {
    for (std::size_t const kib : {200u, 3u * 1024, 20u * 1024}) {
      std::size_t const bytes = kib * 1024;
      otter::spawn(
          otter::spawn_options{.monitor = otter::alias_mode::none, .stack_size = bytes}, [bytes] {
            // Most of it is used, also while the process waits.
            std::size_t const part = bytes / 4 * 3;
            auto* const room = static_cast<char volatile*>(__builtin_alloca(part));
            room[0] = 1;
            room[part - 1] = 1;
            otter::receive([](double) {}, otter::after(std::chrono::microseconds(1), [] {}));
            auto const has =
                *otter::process_info<std::uint64_t>(otter::self(), info_item::stack_size);
            bool const good = room[0] + room[part - 1] == 2 && has >= part;
            otter::exit(exit_reason::of(good ? "done" : "?"));
          });
      report.equal("the end", otter::receive([](otter::down d) { return to_string(d.reason); }),
                   to_string(exit_reason::of("done")));
    }
  });
}

TEST_CASE("a monitor for the time of a start ends on both sides without a signal",
          "[spawn][monitor]") {
  on_every_driver([](driver_report& report) {
    struct answer {
      bool first, second;
    };
    using pids = std::vector<otter::pid>;
    otter::pid const me = otter::self();
    auto const ask_twice = [me] {
      bool const first = otter::detail::end_start_monitor();
      otter::send(me, answer{first, otter::detail::end_start_monitor()});
      wait_for_go();
    };
    for (int i = 0; i < 20; ++i) {
      otter::spawned const child = otter::detail::spawn_for_start(
          {.monitor = otter::alias_mode::none}, otter::detail::make_function_body(ask_twice));
      otter::monitor_ref const another = otter::monitor(child);
      answer const a = otter::receive([](answer got) { return got; });
      report.check("ended, once", a.first && !a.second);
      otter::detail::forget_monitor(child.ref);
      report.check("the other one is still there",
                   otter::process_info<pids>(child, info_item::monitored_by) == pids{me});
      otter::send(child, go{});
      end_of(another);
      report.equal(
          "no down for the start",
          otter::receive([](otter::down) { return 1; }, otter::after(0s, [] { return 0; })), 0);
    }
    // One that was spawned otherwise keeps its monitor.
    otter::spawned const usual = otter::spawn_monitor(ask_twice);
    answer const a = otter::receive([](answer got) { return got; });
    report.check("not of a start", !a.first && !a.second);
    otter::send(usual, go{});
    end_of(usual.ref);
  });
}
