// Process groups.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/pg.hpp>
#include <otter/process_info.hpp>
#include <otter/shared.hpp>
#include <otter/supervisor.hpp>
#include <otter/sys.hpp>
#include <string>
#include <utility>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using otter_test::driver_report;
using otter_test::on_every_driver;
using process_test::errc_of;

namespace pg_test {

using rooms_scope = otter::pg::scope<std::string>;
using room_joined = otter::pg::joined<std::string>;
using room_left = otter::pg::left<std::string>;

struct leave {};
struct ready {};
struct said {
  std::string text;
};

/// A process that waits for `leave`.
inline otter::spawned guest() {
  return otter::spawn_monitor([] { otter::receive([](leave) {}); });
}

/// The next event of `ref`: "+room n" or "-room n", with how many processes.
inline std::string next_event(otter::monitor_ref ref) {
  auto const its = [ref](auto const& event) { return event.ref == ref; };
  return otter::receive(
      otter::when(its,
                  [](room_joined e) { return fmt::format("+{} {}", e.group, e.processes.size()); }),
      otter::when(its,
                  [](room_left e) { return fmt::format("-{} {}", e.group, e.processes.size()); }),
      otter::after(patience, [] { return std::string("nothing came"); }));
}

inline std::size_t monitors_of(otter::pid process) {
  return otter::process_info<std::vector<otter::monitored>>(process, otter::info_item::monitors)
      .value()
      .size();
}

using pids = std::vector<otter::pid>;

/// Who is in which group, as often as it is, by what a follower was told.
class told {
 public:
  explicit told(rooms_scope const& scope) {
    auto const now = scope.monitor_scope();
    ref = now.ref;
    for (auto const& row : now.groups) add(row.group, row.members, 1);
  }
  told(rooms_scope const& scope, std::string const& group) {
    auto const now = scope.monitor(group);
    ref = now.ref;
    add(group, now.members, 1);
  }
  /// Takes in one event. False: none came within `limit`.
  bool take_one(otter::duration limit) {
    auto const its = [this](auto const& event) { return event.ref == ref; };
    auto const take = [this](auto const& event, int times) {
      add(event.group, event.processes, times);
      return true;
    };
    return otter::receive(otter::when(its, [&](room_joined const& e) { return take(e, 1); }),
                          otter::when(its, [&](room_left const& e) { return take(e, -1); }),
                          otter::after(limit, [] { return false; }));
  }
  bool empty() const { return members_.empty(); }
  bool equals(std::string const& group, pids const& members) const {
    std::map<otter::pid, int> counted;
    for (otter::pid p : members) ++counted[p];
    auto const at = members_.find(group);
    return at == members_.end() ? counted.empty() : at->second == counted;
  }

  otter::monitor_ref ref;
  int below_zero = 0;  // somebody left who had not come

 private:
  void add(std::string const& group, pids const& who, int times) {
    for (otter::pid p : who) {
      int const n = members_[group][p] += times;
      if (n < 0) ++below_zero;
      if (n == 0) members_[group].erase(p);
    }
    if (members_[group].empty()) members_.erase(group);
  }

  std::map<std::string, std::map<otter::pid, int>> members_;
};

}  // namespace pg_test

using namespace pg_test;

TEST_CASE("each scope is a process under its name, with groups of its own", "[pg][PG-1]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    rooms_scope const standard;
    otter::pid const process = rooms.start_link().value();
    standard.start_link().value();
    report.check("its name", otter::whereis("rooms") == process);
    report.equal("the standard one's", standard.name(), "pg");
    rooms.join("lobby", otter::self());
    report.check("in this scope", rooms.get_members("lobby") == pids{otter::self()});
    report.check("not in the other", standard.get_members("lobby").empty());
    auto const second = rooms.start_link();
    report.check("a second of that name",
                 !second && second.error().what == otter::start_error::kind::already_started);
    otter::pg::scope<int> const numbers("rooms");
    report.equal("groups named otherwise", errc_of([&] { numbers.get_members(1).clear(); }),
                 "badarg");
    report.equal("nor can one join them", errc_of([&] { numbers.join(1, otter::self()); }),
                 "badarg");
    report.equal("a scope without a name", errc_of([&] { rooms_scope("").start_link().value(); }),
                 "badarg");
  });
}

TEST_CASE("groups are named by values, and equal if all their parts are", "[pg][PG-1]") {
  on_every_driver([](driver_report& report) {
    otter::pg::scope<std::pair<int, std::string>> const rooms("rooms");
    rooms.start_link().value();
    rooms.join({1, "hall"}, otter::self());
    rooms.join({2, "hall"}, otter::self());
    rooms.join({1, "hall"}, otter::self());
    report.equal("the same", rooms.get_members({1, "hall"}).size(), 2u);
    report.equal("another", rooms.get_members({2, "hall"}).size(), 1u);
    report.equal("nobody", rooms.get_members({1, "kitchen"}).size(), 0u);
    auto const all = rooms.which_groups();
    report.check("their names",
                 all == std::vector<std::pair<int, std::string>>{{1, "hall"}, {2, "hall"}});
  });
}

TEST_CASE("a process is in a group as often as it joined, and leaves once at a time",
          "[pg][PG-2][PG-3]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    rooms.start_link().value();
    otter::pid const me = otter::self();
    otter::spawned const a = guest();
    rooms.join("lobby", me);
    rooms.join("lobby", {a, me, a});
    report.check("in the order of joining", rooms.get_members("lobby") == pids{me, a, me, a});
    report.check("all of them are local",
                 rooms.get_local_members("lobby") == rooms.get_members("lobby"));
    report.check("once", rooms.leave("lobby", me));
    report.check("the last place", rooms.get_members("lobby") == pids{me, a, a});
    report.check("twice", rooms.leave("lobby", me));
    report.check("no more", !rooms.leave("lobby", me));
    report.check("the others stay", rooms.get_members("lobby") == pids{a, a});
    report.check("of several, some", rooms.leave("lobby", {me, a, me}));
    report.check("who was there", rooms.get_members("lobby") == pids{a});
    report.check("of several, none", !rooms.leave("lobby", {me, me}));
    report.check("of no group", !rooms.leave("nowhere", a));
    report.check("nobody", !rooms.leave("lobby", pids{}));
    otter::send(a, leave{});
    end_of(a.ref);
  });
}

TEST_CASE("only processes of the node can join or leave", "[pg][PG-2]") {
  otter::node other({.workers = 1});
  otter::pid stranger;
  REQUIRE(to_string(other.run([&] { stranger = otter::self(); })) == "normal");
  otter::node node({.workers = 1});
  std::string joins, leaves, nobody;
  bool local = true;
  std::size_t members = 1;
  REQUIRE(to_string(node.run([&] {
            rooms_scope const rooms("rooms");
            rooms.start_link().value();
            local = otter::is_local(stranger) || otter::is_local({});
            joins = errc_of([&] { rooms.join("lobby", {otter::self(), stranger}); });
            leaves = errc_of([&] { rooms.leave("lobby", stranger); });
            nobody = errc_of([&] { rooms.join("lobby", otter::pid{}); });
            members = rooms.get_members("lobby").size();
          })) == "normal");
  CHECK_FALSE(local);
  CHECK(joins == "nolocal");
  CHECK(leaves == "nolocal");
  CHECK(nobody == "badarg");
  CHECK(members == 0);  // nor did those join that could have
}

TEST_CASE("a process that ends is in no group any more", "[pg][PG-4]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    auto const scope = rooms.start_link().value();
    auto const watch = rooms.monitor_scope();
    otter::spawned const a = guest();
    otter::spawned const b = guest();
    rooms.join("lobby", {a, b, a});
    rooms.join("cellar", a);
    rooms.join("lobby", a);
    for (char const* event : {"+lobby 3", "+cellar 1", "+lobby 1"})
      report.equal("came", next_event(watch.ref), event);
    otter::exit(a, otter::exit_reason::kill());
    report.equal("all places of a group at once", next_event(watch.ref), "-lobby 3");
    report.equal("and of the other", next_event(watch.ref), "-cellar 1");
    report.check("the other stays", rooms.get_members("lobby") == pids{b});
    report.check("nobody is there", rooms.get_members("cellar").empty());
    report.check("leaving comes too late, and is harmless", !rooms.leave("lobby", a));

    end_of(a.ref);
    rooms.join("lobby", a);
    report.equal("who has ended joins", next_event(watch.ref), "+lobby 1");
    report.equal("and is gone", next_event(watch.ref), "-lobby 1");
    report.equal("of the members it watches who is left, and me", monitors_of(scope), 2u);
    rooms.leave("lobby", b);
    report.equal("who has left everything is not watched", monitors_of(scope), 1u);
    otter::send(b, leave{});
    end_of(b.ref);
  });
}

TEST_CASE("a group is there while it has members, and an unknown one is empty", "[pg][PG-5]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    report.check("no scope, no groups", rooms.which_groups().empty());
    report.check("and no members", rooms.get_members("lobby").empty());
    rooms.start_link().value();
    report.check("unknown", rooms.get_members("lobby").empty());
    rooms.join("lobby", pids{});
    report.check("nobody makes no group", rooms.which_groups().empty());
    for (int i = 0; i != 100; ++i) rooms.join(fmt::format("room {}", i), otter::self());
    auto const groups = rooms.which_groups();
    report.check("the oldest first",
                 groups.size() == 100 && groups.front() == "room 0" && groups.back() == "room 99");
    report.check("all are local", rooms.which_local_groups() == groups);
    for (int i = 0; i != 100; ++i)
      if (i != 50) rooms.leave(fmt::format("room {}", i), otter::self());
    report.equal("who has members", fmt::format("{}", fmt::join(rooms.which_groups(), " ")),
                 "room 50");
    rooms.leave("room 50", otter::self());
    report.check("none", rooms.which_groups().empty());
  });
}

TEST_CASE("reading asks no process", "[pg][PG-5]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    auto const scope = rooms.start_link().value();
    otter::spawned const a = guest();
    rooms.join("lobby", {otter::self(), a});
    otter::sys::suspend(scope);
    otter::exit(a, otter::exit_reason::kill());
    end_of(a.ref);
    report.check("who has ended may still be seen",
                 rooms.get_members("lobby") == pids{otter::self(), a});
    report.equal("groups", rooms.which_groups().size(), 1u);
    report.equal("sending reaches who is there", rooms.broadcast("lobby", said{"hello"}), 2u);
    report.equal("it came", otter::receive([](said const& s) { return s.text; }), "hello");
    otter::sys::resume(scope);
  });
}

TEST_CASE("a group of thousands keeps its order, whoever leaves", "[pg][PG-5]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    rooms.start_link().value();
    pids all;
    for (int i = 0; i != 2'000; ++i)
      all.push_back(otter::spawn([] { otter::receive([](leave) {}); }));
    rooms.join("hall", all);
    report.check("all", rooms.get_members("hall") == all);
    pids out;
    pids stay;
    for (std::size_t i = 0; i != all.size(); ++i) (i % 7 == 3 ? stay : out).push_back(all[i]);
    rooms.leave("hall", out);
    report.check("those who stay", rooms.get_members("hall") == stay);
    rooms.join("hall", out);
    stay.insert(stay.end(), out.begin(), out.end());
    report.check("those who come back are last", rooms.get_members("hall") == stay);
    for (otter::pid p : all) otter::exit(p, otter::exit_reason::kill());
  });
}

TEST_CASE("one shared message is sent to all members of a group", "[pg]") {
  on_every_driver([](driver_report& report) {
    struct heard {
      void const* where;
    };
    rooms_scope const rooms("rooms");
    rooms.start_link().value();
    pids members;
    for (int i = 0; i != 5; ++i)
      members.push_back(otter::spawn([me = otter::self()] {
        otter::receive([&](said const& s) { otter::send(me, heard{&s}); });
      }));
    rooms.join("lobby", members);
    auto const text = otter::share(said{"hello, otters"});
    report.equal("to how many", rooms.broadcast("lobby", text), 5u);
    int same = 0;
    for (int i = 0; i != 5; ++i)
      same += otter::receive([&](heard h) { return h.where == &text.get() ? 1 : 0; });
    report.equal("all read one text", same, 5);
    report.equal("to nobody", rooms.broadcast("nowhere", text), 0u);
  });
}

TEST_CASE("followers are told of changes in the order in which they happen", "[pg][PG-6][PG-8]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    rooms.start_link().value();
    otter::spawned const a = guest();
    rooms.join("lobby", a);
    auto const lobby = rooms.monitor("lobby");
    auto const cellar = rooms.monitor("cellar");
    auto const all = rooms.monitor_scope();
    report.check("who was there", lobby.members == pids{a});
    report.check("nobody was there", cellar.members.empty());
    report.check("all that was there", all.groups.size() == 1 && all.groups[0].group == "lobby" &&
                                           all.groups[0].members == pids{a});
    rooms.join("cellar", {a, otter::self()});
    rooms.leave("lobby", {a, otter::self()});
    rooms.join("lobby", otter::self());
    rooms.leave("cellar", {otter::self(), a, a});
    rooms.leave("cellar", a);
    for (char const* event : {"+cellar 2", "-lobby 1", "+lobby 1", "-cellar 2"})
      report.equal("of the scope", next_event(all.ref), event);
    for (char const* event : {"-lobby 1", "+lobby 1"})
      report.equal("of the lobby", next_event(lobby.ref), event);
    for (char const* event : {"+cellar 2", "-cellar 2"})
      report.equal("of the cellar", next_event(cellar.ref), event);
    report.check("nothing else", mailbox_is_empty());
    rooms.join("attic", otter::self());
    auto const event = otter::receive([](room_joined e) { return e; });
    report.check("all of it", event.ref == all.ref && event.group == "attic" &&
                                  event.processes == pids{otter::self()});
    otter::send(a, leave{});
    end_of(a.ref);
  });
}

TEST_CASE("between what a follower gets first and the events there is no gap, and nothing twice",
          "[pg][PG-8]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    rooms.start_link().value();
    std::vector<otter::spawned> movers;
    for (int i = 0; i != 4; ++i)
      movers.push_back(otter::spawn_monitor([rooms, i, me = otter::self()] {
        for (int turn = 0; turn != 30; ++turn) {
          std::string const room = fmt::format("room {}", (turn + i) % 3);
          rooms.join(room, otter::self());
          if (turn % 3 != 0) rooms.leave(room, otter::self());
        }
        otter::send(me, ready{});
        otter::receive([](leave) {});
      }));
    std::vector<otter::spawned> followers;
    for (int k = 0; k != 8; ++k) {
      followers.push_back(otter::spawn_monitor([&report, rooms] {
        told all(rooms);
        told one(rooms, "room 1");
        otter::receive([](leave) {});
        rooms.leave("nowhere", otter::self());  // behind its answer all events are here
        while (all.take_one(0s)) continue;
        while (one.take_one(0s)) continue;
        bool same = one.equals("room 1", rooms.get_members("room 1"));
        for (char const* room : {"room 0", "room 1", "room 2"})
          same = same && all.equals(room, rooms.get_members(room));
        report.check("all that it was told is all that happened", same);
        report.equal("nobody left who had not come", all.below_zero + one.below_zero, 0);
        report.check("somebody is there", !all.empty());
      }));
      rooms.leave("nowhere", otter::self());  // each begins at another moment of the movers' work
    }
    for (std::size_t i = 0; i != movers.size(); ++i) otter::receive([](ready) {});
    for (auto const& f : followers) {
      otter::send(f, leave{});
      report.equal("a follower ends", end_of(f.ref), "normal");
    }
    for (auto const& m : movers) {
      otter::send(m, leave{});
      report.equal("a mover ends", end_of(m.ref), "normal");
    }
  });
}

TEST_CASE("demonitor leaves no event in the mailbox, and does not know what it never gave",
          "[pg][PG-8]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    auto const scope = rooms.start_link().value();
    auto const first = rooms.monitor("lobby");
    auto const second = rooms.monitor("lobby");
    auto const all = rooms.monitor_scope();
    rooms.join("lobby", otter::self());
    report.check("known", rooms.demonitor(first.ref));
    rooms.leave("lobby", otter::self());
    report.check("the scope's", rooms.demonitor(all.ref));
    report.equal("the other goes on", next_event(second.ref), "+lobby 1");
    report.equal("and on", next_event(second.ref), "-lobby 1");
    report.check("nothing is left of those", mailbox_is_empty());
    report.check("unknown by now", !rooms.demonitor(first.ref));
    report.check("never known", !rooms.demonitor(otter::monitor_ref{}));
    report.check("the last", rooms.demonitor(second.ref));
    report.equal("nobody is watched any more", monitors_of(scope), 0u);
    rooms.join("lobby", otter::self());
    report.check("nothing more comes", mailbox_is_empty());

    auto const again = rooms.monitor("lobby");
    rooms.leave("lobby", otter::self());
    otter::stop(scope);
    report.check("of a scope that has ended nothing is known", !rooms.demonitor(again.ref));
    report.check("and nothing left", mailbox_is_empty());
  });
}

TEST_CASE("a follower that ends is forgotten", "[pg][PG-8]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    auto const scope = rooms.start_link().value();
    otter::spawned const follower = otter::spawn_monitor([rooms, me = otter::self()] {
      (void)rooms.monitor("lobby");
      (void)rooms.monitor_scope();
      otter::send(me, ready{});
      otter::receive([](leave) {});
    });
    otter::receive([](ready) {});
    rooms.join("cellar", otter::self());
    report.equal("it is watched twice, and I once", monitors_of(scope), 3u);
    otter::exit(follower, otter::exit_reason::kill());
    end_of(follower.ref);
    while (monitors_of(scope) != 1) otter::sleep_for(100us);  // the news of its end comes
    rooms.join("lobby", otter::self());
    report.check("the scope goes on", rooms.get_members("lobby") == pids{otter::self()});
  });
}

TEST_CASE("a follower whose mailbox is full and blocks gets every event, and nobody waits for it",
          "[pg][PG-8]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    rooms.start_link().value();
    otter::spawned const follower = otter::spawn(
        {.monitor = otter::alias_mode::none, .max_mailbox = {1, otter::overflow::block}},
        [rooms, me = otter::self()] {
          otter::trap_exit(true);
          auto const lobby = rooms.monitor("lobby");
          otter::send(me, ready{});
          otter::receive([](otter::exited const&) {});  // until then it takes no event
          std::string heard;
          for (int i = 0; i != 4; ++i) heard += next_event(lobby.ref);
          tell(me, heard);
        });
    otter::receive([](ready) {});
    for (int i = 0; i != 2; ++i) {
      rooms.join("lobby", otter::self());
      rooms.leave("lobby", otter::self());
    }
    otter::exit(follower, otter::exit_reason::shutdown());
    report.equal("all of them", next(), "+lobby 1-lobby 1+lobby 1-lobby 1");
    end_of(follower.ref);
  });
}

TEST_CASE("a scope that is started again has no members, until they join again", "[pg][PG-7]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    auto const sup = otter::supervisor::start_link(
                         {}, {{.id = "rooms", .start = [rooms] { return rooms.start_link(); }}})
                         .value();
    rooms.join("lobby", otter::self());
    auto const watch = rooms.monitor("lobby");
    otter::pid const first = otter::whereis("rooms");
    otter::exit(first, otter::exit_reason::kill());
    end_of(first);
    otter::supervisor::which_children(sup);  // behind the restart
    report.check("another", otter::whereis("rooms") && otter::whereis("rooms") != first);
    report.check("nobody is there", rooms.get_members("lobby").empty());
    report.check("no groups", rooms.which_groups().empty());
    report.check("the members live", otter::is_alive(otter::self()));
    rooms.join("lobby", otter::self());
    report.check("again", rooms.get_members("lobby") == pids{otter::self()});
    report.check("who followed the first one does not follow this", mailbox_is_empty());
    report.check("and is not known", !rooms.demonitor(watch.ref));
    otter::stop(sup);
  });
}

TEST_CASE("joining and leaving a scope that does not run is noproc", "[pg][PG-9]") {
  on_every_driver([](driver_report& report) {
    rooms_scope const rooms("rooms");
    std::string const noproc = text(otter::exit_reason::noproc());
    report.equal("join", failure_of([&] { rooms.join("lobby", otter::self()); }), noproc);
    report.equal("leave", failure_of([&] { rooms.leave("lobby", otter::self()); }), noproc);
    report.equal("follow", failure_of([&] { (void)rooms.monitor("lobby"); }), noproc);
    report.equal("follow all", failure_of([&] { (void)rooms.monitor_scope(); }), noproc);
    otter::register_name("rooms", otter::self());
    report.equal("another process has the name",
                 failure_of([&] { rooms.join("lobby", otter::self()); }), noproc);
    report.check("which is asked nothing", mailbox_is_empty());
  });
}

// Members join, leave and end at the same time, by themselves and by others, while everybody
// reads. A reader may see who has just ended, never anybody else; at the end everybody is gone.
TEST_CASE("of thousands that join, leave and end at once nothing is left", "[pg][PG-4][PG-5]") {
  on_every_driver([](driver_report& report) {
    constexpr int keepers = 4;
    constexpr int batches = 25;
    constexpr int guests = 25;  // of a batch
    rooms_scope const rooms("rooms");
    auto const scope = rooms.start_link().value();
    std::size_t const processes = report.statistics().processes;
    told model(rooms);
    std::vector<otter::spawned> all;
    for (int k = 0; k != keepers; ++k)
      all.push_back(otter::spawn_monitor([rooms, k, &report] {
        int strangers = 0;
        for (int batch = 0; batch != batches; ++batch) {
          std::vector<otter::spawned> mine;
          pids together;
          for (int i = 0; i != guests; ++i) {
            mine.push_back(otter::spawn_monitor([rooms, i, batch] {
              std::string const room = fmt::format("room {}", (i * 7 + batch) % 11);
              if (i % 3 == 0) rooms.join(room, otter::self());
              if (i % 6 == 0) rooms.leave(room, otter::self());
              if (i % 4 != 0) otter::receive([](leave) {});
            }));
            together.push_back(mine.back());
          }
          std::string const hall = fmt::format("hall {}", k % 2);
          rooms.join(hall, together);
          for (int i = 0; i != guests; ++i) {
            otter::pid const p = together[static_cast<std::size_t>(i)];
            if (i % 2 == 0) otter::exit(p, otter::exit_reason::kill());
            if (i % 5 == 0) rooms.leave(hall, p);
            if (i % 2 != 0) otter::send(p, leave{});
            if (i % 8 == 0)
              for (otter::pid member : rooms.get_members(hall)) strangers += member ? 0 : 1;
          }
          for (auto const& p : mine)
            otter::receive(otter::when([&](otter::down const& d) { return d.ref == p.ref; },
                                       [](otter::down const&) {}));
        }
        report.equal("nobody that was never there is read", strangers, 0);
      }));
    for (auto const& k : all) report.equal("a keeper ends", end_of(k.ref), "normal");
    while (monitors_of(scope) != 1) otter::sleep_for(100us);  // the news of the last ends comes
    rooms.leave("nowhere", otter::self());                    // behind it the scope has acted on it
    report.check("no group is left", rooms.which_groups().empty());
    while (model.take_one(0s)) continue;
    report.check("a follower was told of each end", model.empty());
    report.equal("and of each coming before", model.below_zero, 0);
    rooms.demonitor(model.ref);
    report.equal("nobody is watched any more", monitors_of(scope), 0u);
    while (report.statistics().processes != processes) otter::sleep_for(100us);
    report.check("nothing is left in the mailbox", mailbox_is_empty());
  });
}
