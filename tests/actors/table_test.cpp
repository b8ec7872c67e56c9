// Tables: objects by key that many processes read at once.

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/name.hpp>
#include <otter/table.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using otter::table_access;
using otter_test::driver_report;
using otter_test::on_every_driver;
using process_test::errc_of;

namespace table_test {

using ages = otter::table<std::string, int>;
using ordered_ages = otter::ordered_table<std::string, int>;
using ages_transfer = otter::table_transfer<ages>;

/// A value by which one can see whether it is still kept.
using kept = std::shared_ptr<int const>;
using kept_table = otter::table<int, kept>;

struct page {
  std::string title;
  long hits = 0;
  int errors = 0;
};
struct place {
  int house;
  std::string street;
  friend bool operator==(place const&, place const&) = default;
};
enum class colour : unsigned char { red, green };

struct go_on {};
template <class Table>
struct here_it_is {
  Table table;
};

/// A process that owns a new table and waits for `go_on`; with the table.
template <class Table>
std::pair<otter::spawned, Table> owner_of_new(otter::table_options options = {}) {
  otter::spawned const p = otter::spawn_monitor([options, me = otter::self()] {
    otter::send(me, here_it_is<Table>{Table::create(options)});
    otter::receive([](go_on) {});
  });
  return {p, otter::receive([](here_it_is<Table> h) { return h.table; })};
}

/// Runs `f()` in a process of its own and gives what it gives.
template <class F>
auto elsewhere(F f) {
  struct result {
    std::invoke_result_t<F&> value;
  };
  otter::spawn([f, me = otter::self()]() mutable { otter::send(me, result{f()}); });
  return otter::receive([](result r) { return r.value; });
}

template <class Table>
std::string keys_of(Table const& table) {
  return table.fold(std::string(), [](std::string all, auto const& key, auto const&) {
    return all.empty() ? fmt::format("{}", key) : fmt::format("{} {}", all, key);
  });
}

template <class Object>
std::string keys_in(std::vector<Object> const& objects) {
  std::vector<std::string> all;
  for (auto const& o : objects) all.push_back(fmt::format("{}", o.key));
  std::sort(all.begin(), all.end());
  return fmt::format("{}", fmt::join(all, " "));
}

constexpr auto anything = [](auto const&, auto const&) { return true; };

}  // namespace table_test

using namespace table_test;

TEST_CASE("an object is found by its key; insert replaces it, insert_new does not", "[table]") {
  on_every_driver([](driver_report& report) {
    ages const t = ages::create();
    report.check("nothing is there", !t.lookup("ann") && !t.member("ann") && t.size() == 0);
    t.insert("ann", 7);
    report.equal("ann", t.lookup("ann").value_or(0), 7);
    report.check("new ones only", !t.insert_new("ann", 8) && t.insert_new("bob", 9));
    report.equal("still", t.lookup("ann").value_or(0), 7);
    t.insert("ann", 10);
    report.equal("replaced", t.lookup("ann").value_or(0), 10);
    report.check("two", t.size() == 2 && t.member("bob"));
    report.equal("a function reads in place",
                 t.lookup("bob", [](int n) { return n + 1; }).value_or(0), 10);
    report.check("or is not called", !t.lookup("cid", [](int) {}));
  });
}

TEST_CASE("take gives what it erases, erase says if it did, clear leaves nothing", "[table]") {
  on_every_driver([](driver_report& report) {
    ages const t = ages::create();
    for (int i = 0; i != 100; ++i) t.insert(std::to_string(i), i);
    report.equal("taken", t.take("17").value_or(0), 17);
    report.check("once", !t.take("17") && !t.erase("17"));
    report.check("erased", t.erase("18") && !t.member("18"));
    report.equal("the others stay", t.size(), 98u);
    for (int i = 0; i != 90; ++i) t.erase(std::to_string(i));
    report.equal("the rest", keys_in(t.select(anything)), "90 91 92 93 94 95 96 97 98 99");
    t.clear();
    report.check("nothing", t.size() == 0 && !t.first());
    t.insert("17", 1);
    report.equal("and on", t.size(), 1u);
  });
}

TEST_CASE("keys are values: texts, numbers, and structs and pairs of such", "[table]") {
  on_every_driver([](driver_report& report) {
    auto const by_place = otter::table<place, int>::create();
    by_place.insert({7, "high street"}, 1);
    by_place.insert({7, "high stree"}, 2);
    report.equal("a struct", by_place.lookup({7, "high street"}).value_or(0), 1);
    report.check("another", !by_place.lookup({8, "high street"}));
    auto const by_pair = otter::table<std::pair<std::string, std::string>, int>::create();
    by_pair.insert({"a", "bc"}, 1);
    by_pair.insert({"ab", "c"}, 2);
    report.equal("parts do not run into each other", by_pair.lookup({"a", "bc"}).value_or(0), 1);
    auto const by_pid = otter::table<otter::pid, colour>::create();
    by_pid.insert(otter::self(), colour::green);
    report.check("a pid", by_pid.lookup(otter::self()) == colour::green);
    auto const by_bool = otter::ordered_table<bool, int>::create();
    by_bool.insert(true, 1);
    by_bool.insert(false, 0);
    report.check("false is first", by_bool.first() == false);
  });
}

TEST_CASE("an ordered table stands in the order of its keys, part by part", "[table]") {
  on_every_driver([](driver_report& report) {
    auto const numbers = otter::ordered_table<int, int>::create();
    for (int n : {3, -1, 256, 0, -2147483647 - 1, 2147483647, 255, -256}) numbers.insert(n, n);
    report.equal("numbers", keys_of(numbers), "-2147483648 -256 -1 0 3 255 256 2147483647");
    ordered_ages const names = ordered_ages::create();
    for (char const* n : {"bob", "", "ann", "anna", "a", "\xc3\xa4", "an"}) names.insert(n, 0);
    report.equal("texts", keys_of(names), "a an ann anna bob \xc3\xa4");
    using two = std::pair<std::string, unsigned>;
    auto const pairs = otter::ordered_table<two, int>::create();
    std::vector<two> const sorted{{"", 9},    {std::string("\0", 1), 0},  {"a", 1},
                                  {"a", 300}, {std::string("a\0", 2), 0}, {"a\1", 0},
                                  {"b", 0}};
    for (std::size_t i : {4u, 2u, 6u, 0u, 5u, 1u, 3u}) pairs.insert(sorted[i], 0);
    std::vector<two> found;
    for (auto const& o : pairs.select(anything)) found.push_back(o.key);
    report.check("pairs", found == sorted);
  });
}

TEST_CASE("first, next, last and prev lead through all, also from a key that is gone", "[table]") {
  on_every_driver([](driver_report& report) {
    auto const t = otter::ordered_table<int, int>::create();
    report.check("nothing", !t.first() && !t.last() && !t.next(0) && !t.prev(0));
    for (int n = 0; n < 1000; n += 10) t.insert(n, n);
    report.check("ends", t.first() == 0 && t.last() == 990);
    report.check("next", t.next(10) == 20 && t.next(11) == 20 && t.next(-5) == 0 && !t.next(990));
    report.check("prev", t.prev(20) == 10 && t.prev(19) == 10 && t.prev(5000) == 990 && !t.prev(0));
    t.erase(500);
    report.check("gone", t.next(500) == 510 && t.prev(500) == 490);

    ages const set = ages::create();
    for (int i = 0; i != 100; ++i) set.insert(std::to_string(i), i);
    std::set<std::string> up, down;
    for (auto k = set.first(); k; k = set.next(*k)) up.insert(*k);
    for (auto k = set.last(); k; k = set.prev(*k)) down.insert(*k);
    report.check("a set has an order too", up.size() == 100 && down == up);
  });
}

TEST_CASE("update changes a value that others change at the same time, and loses nothing",
          "[table]") {
  on_every_driver([](driver_report& report) {
    auto const t = otter::table<std::string, page>::create({.access = table_access::public_table});
    ages const n = ages::create({.access = table_access::public_table});
    t.insert("/", {"home", 0, 0});
    n.insert("/", 0);
    std::vector<otter::spawned> writers;
    for (int i = 0; i != 4; ++i)
      writers.push_back(otter::spawn_monitor([t, n] {
        for (int k = 0; k != 50; ++k) {
          t.update("/", [](page& p) { p.title += "."; });
          n.update("/", [](int now) {
            otter::checkpoint();  // whoever is faster is not lost
            return now + 1;
          });
        }
      }));
    for (auto const& w : writers) report.equal("a writer", end_of(w.ref), "normal");
    report.equal("all changes of a struct", t.lookup("/").value().title.size(), 204u);
    report.equal("all changes of a number", n.lookup("/").value_or(0), 200);
    report.check("what is not there is not changed", !n.update("/none", [](int& x) { ++x; }));
  });
}

TEST_CASE("a counter counts what many add at once, and each gets a number of its own", "[table]") {
  on_every_driver([](driver_report& report) {
    auto const n = otter::table<std::string, long>::create({.access = table_access::public_table});
    auto const t = otter::table<std::string, page>::create({.access = table_access::public_table});
    struct sums {
      long numbers;
      long hits;
    };
    for (int i = 0; i != 4; ++i)
      otter::spawn([n, t, me = otter::self()] {
        sums s{0, 0};
        for (int k = 0; k != 50; ++k) {
          s.numbers += n.update_counter("/", 1, 0);
          s.hits += t.update_counter("/", &page::hits, 1, page{"home", 0, 0});
          if (k % 8 == 0) otter::checkpoint();
        }
        otter::send(me, s);
      });
    sums all{0, 0};
    for (int i = 0; i != 4; ++i)
      otter::receive([&](sums s) { all = {all.numbers + s.numbers, all.hits + s.hits}; });
    report.equal("the number", n.lookup("/").value_or(0), 200L);
    report.equal("1 to 200, each once", all.numbers, 20'100L);
    report.equal("the field", t.lookup("/").value().hits, 200L);
    report.equal("likewise", all.hits, 20'100L);
    report.equal("the rest stays", t.lookup("/").value().title, "home");
  });
}

TEST_CASE("a counter has a threshold, may begin with a value, and does not overflow", "[table]") {
  on_every_driver([](driver_report& report) {
    auto const n = otter::table<int, unsigned char>::create();
    report.equal("what is not there", errc_of([&] { n.update_counter(1, 1); }), "badarg");
    report.equal("begins", int{n.update_counter(1, 1, 10)}, 11);
    report.equal("down", int{n.update_counter(1, -2)}, 9);
    report.equal("up to the threshold", int{n.update_counter(1, {1, 10, 3})}, 10);
    report.equal("and beyond", int{n.update_counter(1, {1, 10, 3})}, 3);
    report.equal("down to it", int{n.update_counter(1, {-1, 2, 200})}, 2);
    report.equal("and below", int{n.update_counter(1, {-1, 2, 200})}, 200);
    report.equal("too much", errc_of([&] { n.update_counter(1, 100); }), "badarg");
    report.equal("changes nothing", int{n.lookup(1).value_or(0)}, 200);
    report.equal("a threshold takes that too", int{n.update_counter(1, {100, 250, 0})}, 0);
    report.equal("below zero", errc_of([&] { n.update_counter(1, -1); }), "badarg");
  });
}

TEST_CASE(
    "everybody uses a public table, only the owner writes a protected one or sees a private one",
    "[table]") {
  on_every_driver([](driver_report& report) {
    auto const writes = [](ages t) { return errc_of([t] { t.insert("x", 1); }); };
    auto const reads = [](ages t) { return errc_of([t] { static_cast<void>(t.lookup("x")); }); };
    auto const walks = [](ages t) {
      return errc_of([t] { static_cast<void>(t.select(anything)); });
    };
    for (table_access const access :
         {table_access::public_table, table_access::protected_table, table_access::private_table}) {
      ages const t = ages::create({.access = access});
      report.equal("the owner writes", writes(t), "none");
      report.equal("and reads", reads(t), "none");
      bool const is_public = access == table_access::public_table;
      bool const is_private = access == table_access::private_table;
      report.equal("others write", elsewhere([=] { return writes(t); }),
                   is_public ? "none" : "badarg");
      report.equal("others read", elsewhere([=] { return reads(t); }),
                   is_private ? "badarg" : "none");
      report.equal("others walk", elsewhere([=] { return walks(t); }),
                   is_private ? "badarg" : "none");
      for (auto const& f : std::vector<std::function<void()>>{
               [t] { t.erase("x"); }, [t] { t.take("x"); }, [t] { t.clear(); },
               [t] { t.update("y", [](int& n) { ++n; }); }, [t] { t.update_counter("x", 1, 0); },
               [t] { t.select_delete(anything); }, [t] { t.insert_new("x", 1); }})
        report.equal("every write", elsewhere([=] { return errc_of(f); }),
                     is_public ? "none" : "badarg");
      report.equal("the heir is the owner's",
                   elsewhere([=] { return errc_of([t] { t.set_heir(otter::self()); }); }),
                   "badarg");
      report.equal("to delete is to write",
                   elsewhere([=] { return errc_of([t] { t.delete_table(); }); }),
                   is_public ? "none" : "badarg");
    }
  });
}

TEST_CASE("a table ends with its owner, before anybody hears of that end", "[table][P-18][C0-5]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    struct ends {
      char const* how;
      void (*end)(otter::pid);
    };
    for (ends const& e :
         {ends{"normal", [](otter::pid p) { otter::send(p, go_on{}); }},
          ends{"asked", [](otter::pid p) { otter::exit(p, otter::exit_reason::of("asked")); }},
          ends{"killed", [](otter::pid p) { otter::exit(p, otter::exit_reason::kill()); }}}) {
      auto const [p, t] =
          owner_of_new<kept_table>({.name = "kept", .access = table_access::public_table});
      otter::link(p);
      auto value = std::make_shared<int const>(1);
      std::weak_ptr<int const> const seen = value;
      for (int i = 0; i != 200; ++i) t.insert(i, value);
      t.insert(0, value);  // what was replaced goes too
      value.reset();
      report.check("it is kept", !seen.expired() && kept_table::whereis("kept") == t);
      e.end(p);
      auto const gone = [&] {
        return seen.expired() && !kept_table::whereis("kept") && !t.info() &&
               errc_of([&] { static_cast<void>(t.member(0)); }) == "badarg";
      };
      otter::receive([&](otter::down const&) { report.check(e.how, gone()); },
                     [&](otter::exited const&) { report.check(e.how, gone()); });
      otter::receive([&](otter::down const&) {}, [&](otter::exited const&) {});
      report.check("the name is free", static_cast<bool>(kept_table::create({.name = "kept"})));
      kept_table::whereis("kept").delete_table();
    }
  });
}

TEST_CASE("whatever is done with a handle on no table, or on one that has ended, is badarg",
          "[table]") {
  on_every_driver([](driver_report& report) {
    auto const [p, t] = owner_of_new<ordered_ages>();
    otter::send(p, go_on{});
    end_of(p.ref);
    report.check("a handle on no table is false", !ordered_ages() && t);
    for (ordered_ages const& h : {ordered_ages(), t}) {
      report.check("it has no facts", !h.info());
      for (auto const& f : std::vector<std::function<void()>>{
               [&] { static_cast<void>(h.size()); }, [&] { static_cast<void>(h.lookup("a")); },
               [&] { h.lookup("a", [](int) {}); }, [&] { static_cast<void>(h.first()); },
               [&] { static_cast<void>(h.prev("a")); },
               [&] { static_cast<void>(h.select(anything)); }, [&] { h.insert("a", 1); },
               [&] { h.erase("a"); }, [&] { h.take("a"); }, [&] { h.update("a", [](int&) {}); },
               [&] { h.update_counter("a", 1, 0); }, [&] { h.clear(); },
               [&] { h.give_away(otter::self()); }, [&] { h.set_heir({}); },
               [&] { h.delete_table(); }})
        report.equal("an operation", errc_of(f), "badarg");
    }
  });
}

TEST_CASE("an heir owns the table as it was, and hears of that before it hears of the end",
          "[table][P-18]") {
  on_every_driver([](driver_report& report) {
    auto const [p, t] =
        owner_of_new<ages>({.name = "ages", .heir = otter::self(), .heir_data = "yours"});
    otter::send(p, 1);  // so that a mailbox has something that nobody takes
    report.equal("not yet", errc_of([&] { t.insert("ann", 7); }), "badarg");
    otter::exit(p, otter::exit_reason::kill());
    otter::receive(
        [&](ages_transfer const& m) {
          report.check("the table", m.table == t && m.from == p);
          report.equal("what was left for the heir", m.data, "yours");
        },
        [&](otter::down const&) { report.check("the end comes second", false); });
    report.equal("then the end", end_of(p.ref), "killed");
    t.insert("ann", 7);
    report.equal("it is mine", t.lookup("ann").value_or(0), 7);
    auto const facts = t.info().value();
    report.check("says it too", facts.owner == otter::self() && ages::whereis("ages") == t);
  });
}

TEST_CASE("what an heir inherits is inherited again, and ends when no heir lives", "[table]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const last = otter::spawn_monitor([me = otter::self()] {
      otter::receive([&](ages_transfer m) { otter::send(me, here_it_is<ages>{m.table}); });
      otter::receive([](go_on) {});
    });
    otter::spawned const middle = otter::spawn_monitor([heir = last.process] {
      otter::receive([&](ages_transfer const& m) { m.table.set_heir(heir, "next"); });
    });
    auto const [p, t] = owner_of_new<ages>({.heir = middle.process});
    otter::send(p, go_on{});
    report.check("the last one has it",
                 otter::receive([](here_it_is<ages> h) { return h.table; }) == t);
    report.check("and owns it", t.info().value().owner == last.process);
    otter::send(last, go_on{});
    end_of(last.ref);
    report.check("its heir was itself", !t.info());
    auto const [q, u] = owner_of_new<ages>({.heir = last.process});
    otter::send(q, go_on{});
    end_of(q.ref);
    report.check("an heir that has ended is none", !u.info());
  });
}

TEST_CASE("give_away makes another process the owner at once", "[table]") {
  on_every_driver([](driver_report& report) {
    ages const t = ages::create();
    t.insert("ann", 7);
    otter::spawned const next = otter::spawn_monitor([me = otter::self()] {
      otter::receive([&](ages_transfer const& m) {
        m.table.insert("bob", 8);
        otter::send(me, saw{m.data + (m.from == me ? " from the owner" : "")});
      });
      otter::receive([](go_on) {});
    });
    report.equal("not by another",
                 elsewhere([t, to = next.process] { return errc_of([&] { t.give_away(to); }); }),
                 "badarg");
    t.give_away(next, "here");
    report.equal("the message", trace::next(), "here from the owner");
    report.equal("it writes", t.lookup("bob").value_or(0), 8);
    report.equal("nobody else does", errc_of([&] { t.insert("cid", 9); }), "badarg");
    report.equal("nor gives it away", errc_of([&] { t.give_away(otter::self()); }), "badarg");
    otter::exit(next, otter::exit_reason::kill());
    end_of(next.ref);
    report.check("it ends with the new owner", !t.info());

    ages const mine = ages::create();
    report.equal("not to the dead", errc_of([&] { mine.give_away(next); }), "badarg");
    report.equal("not to oneself", errc_of([&] { mine.give_away(otter::self()); }), "badarg");
    report.equal("not to nobody", errc_of([&] { mine.give_away({}); }), "badarg");
    mine.insert("still", 1);
    report.check("it is still mine", mine.info().value().owner == otter::self());
  });
}

TEST_CASE("a table that is given to one who is being killed ends", "[table]") {
  on_every_driver([](driver_report& report) {
    for (int i = 0; i != 20; ++i) {
      otter::spawned const p = otter::spawn_monitor([] {
        ages const own = ages::create();
        otter::receive([](go_on) {});
      });
      ages const t = ages::create({.name = "hot"});
      otter::exit(p, otter::exit_reason::kill());
      std::string const result = errc_of([&] { t.give_away(p); });
      end_of(p.ref);
      report.check("it is with nobody or still here",
                   result == "badarg" ? static_cast<bool>(t.info()) : !t.info());
      if (t.info()) t.delete_table();
      report.check("the name is free in any case", !ages::whereis("hot"));
    }
  });
}

TEST_CASE("a name finds the table, is unique among tables, and is free at the end", "[table]") {
  on_every_driver([](driver_report& report) {
    report.check("nobody has it", !ages::whereis("ages"));
    ages const t = ages::create({.name = "ages"});
    report.check("found", ages::whereis("ages") == t &&
                              elsewhere([t] { return ages::whereis("ages") == t; }));
    report.equal("taken", errc_of([] { static_cast<void>(ages::create({.name = "ages"})); }),
                 "badarg");
    report.equal("too long",
                 errc_of([] { static_cast<void>(ages::create({.name = std::string(256, 'x')})); }),
                 "badarg");
    report.equal("another type", errc_of([] {
                   static_cast<void>(otter::table<std::string, long>::whereis("ages"));
                 }),
                 "badarg");
    report.equal("another order", errc_of([] { static_cast<void>(ordered_ages::whereis("ages")); }),
                 "badarg");
    report.check("no name of a process", !otter::whereis("ages"));
    for (int i = 0; i != 50; ++i)
      static_cast<void>(ages::create({.name = fmt::format("ages {}", i)}));
    report.check("many", static_cast<bool>(ages::whereis("ages 49")));
    t.delete_table();
    report.check("free", !ages::whereis("ages"));
    report.check("again", static_cast<bool>(ages::create({.name = "ages"})));
  });
}

TEST_CASE("a table with max_size objects takes no other key, and still changes those it has",
          "[table]") {
  on_every_driver([](driver_report& report) {
    ages const t = ages::create({.max_size = 2});
    t.insert("a", 1);
    t.insert("b", 2);
    report.equal("full", errc_of([&] { t.insert("c", 3); }), "system_limit");
    report.equal("for counters too", errc_of([&] { t.update_counter("c", 1, 0); }), "system_limit");
    t.insert("a", 4);
    report.equal("replaced", t.lookup("a").value_or(0), 4);
    t.erase("b");
    report.check("there is room again", t.insert_new("c", 3) && t.size() == 2);
  });
}

TEST_CASE("select finds what a predicate accepts, in pages if there is a limit", "[table]") {
  on_every_driver([](driver_report& report) {
    auto const t = otter::ordered_table<int, int>::create();
    for (int n = 0; n != 200; ++n) t.insert(n, n % 3);
    auto const third = [](int, int rest) { return rest == 0; };
    report.equal("all", t.select(third).size(), 67u);
    report.equal("counted", t.select_count(third), 67u);
    std::vector<int> found;
    std::size_t pages = 0;
    otter::table_continuation more;
    do {
      auto const page = t.select(third, 10, more);
      report.check("no more than asked for", page.objects.size() <= 10);
      for (auto const& o : page.objects) found.push_back(o.key);
      more = page.next;
      ++pages;
    } while (more);
    report.equal("pages", pages, 7u);
    report.check("each once, in order",
                 found.size() == 67 && std::is_sorted(found.begin(), found.end()) &&
                     std::adjacent_find(found.begin(), found.end()) == found.end());
    report.equal("a limit", errc_of([&] { static_cast<void>(t.select(third, 0)); }), "badarg");
    report.equal("erased", t.select_delete(third), 67u);
    report.check("only those", t.size() == 133 && t.select_count(third) == 0);
  });
}

TEST_CASE("a walk meets what stays exactly once, whatever comes and goes meanwhile", "[table]") {
  on_every_driver([](driver_report& report) {
    auto const check = [&](auto const& t, char const* what) {
      for (int n = 0; n != 300; ++n) t.insert(n, 0);
      std::multiset<int> seen;
      otter::table_continuation more;
      int turn = 0;
      do {  // multiples of 3 stay
        auto const page = t.select(anything, 20, more);
        for (auto const& o : page.objects) seen.insert(o.key);
        if (!page.objects.empty() && page.objects.back().key % 3 != 0)
          t.erase(page.objects.back().key);
        for (int n = turn; n < 300; n += 17)
          if (n % 3 == 1) t.erase(n);
        for (int n = 0; n != 15; ++n) t.insert(1000 + 15 * turn + n, 1);
        for (int n = turn; n < 300; n += 9)
          if (n % 3 == 0) t.insert(n, 2);  // replaced is not gone
        more = page.next;
      } while (more && ++turn < 200);
      bool once = true;
      for (int n = 0; n != 300; n += 3) once = once && seen.count(n) == 1;
      for (int n : seen) once = once && seen.count(n) == 1;
      report.check(what, once);
    };
    check(otter::table<int, int>::create(), "a set");
    check(otter::ordered_table<int, int>::create(), "an ordered table, before the new keys");
  });
}

TEST_CASE("functions that look at objects may write the table, wait, and throw", "[table]") {
  on_every_driver([](driver_report& report) {
    auto const t = otter::table<int, kept>::create();
    auto value = std::make_shared<int const>(1);
    std::weak_ptr<int const> const seen = value;
    for (int n = 0; n != 100; ++n) t.insert(n, value);
    value.reset();
    int const sum = t.fold(0, [&](int all, int key, kept const& v) {
      t.erase(key);
      otter::send(otter::self(), go_on{});
      otter::receive([](go_on) {});
      return all + *v;  // what was erased is kept as long as it is looked at
    });
    report.check("all", sum == 100 && t.size() == 0);
    t.insert(1, std::make_shared<int const>(5));
    t.lookup(1, [&](kept const& v) {
      t.delete_table();
      report.equal("even if the table goes", *v, 5);
    });
    report.check("then it goes", seen.expired());
    ages const u = ages::create();
    u.insert("a", 1);
    std::string caught;
    try {
      static_cast<void>(u.select([](auto const&, int) -> bool { throw std::runtime_error("no"); }));
    } catch (std::runtime_error const& e) {
      caught = e.what();
    }
    report.equal("thrown", caught, "no");
  });
}

TEST_CASE("a table says who owns it, who inherits it, and how large it is", "[table]") {
  on_every_driver([](driver_report& report) {
    otter::pid const heir = otter::spawn([] { otter::receive([](go_on) {}); });
    ordered_ages const t = ordered_ages::create({.name = "ages", .max_size = 1000});
    std::size_t const empty = t.info().value().memory;
    for (int i = 0; i != 500; ++i) t.insert(std::to_string(i), i);
    t.set_heir(heir);
    auto const facts = t.info().value();
    report.check("names",
                 facts.name == "ages" && facts.owner == otter::self() && facts.heir == heir);
    report.check("kind", facts.ordered && facts.access == table_access::protected_table);
    report.check("size", facts.size == 500 && facts.max_size == 1000);
    report.check("memory", facts.memory > empty + 500 * sizeof(int));
    t.clear();
    report.equal("an empty one takes what a new one takes", t.info().value().memory, empty);
    otter::send(heir, go_on{});
  });
}

TEST_CASE("a reader sees a whole value, an old one or a new one, while it is replaced", "[table]") {
  on_every_driver([](driver_report& report) {
    struct twice {
      std::string a;
      std::string b;
    };
    auto const t = otter::table<int, twice>::create();
    auto const n = otter::ordered_table<int, std::pair<long, long>>::create();
    auto const write = [&](int i) {
      std::string const text(static_cast<std::size_t>(i % 50), static_cast<char>('a' + i % 26));
      t.insert(i % 5, {text, text});
      n.insert(i % 5, {i, i});
    };
    for (int i = 0; i != 5; ++i) write(i);
    std::vector<otter::spawned> readers;
    for (int r = 0; r != 3; ++r)
      readers.push_back(otter::spawn_monitor([t, n] {
        long last[5] = {};
        for (int i = 0; i != 200; ++i) {
          auto const v = t.lookup(i % 5).value();
          auto const p = n.lookup(i % 5).value();
          if (v.a != v.b || p.first != p.second) otter::exit(otter::exit_reason::of("torn"));
          if (p.first < last[i % 5]) otter::exit(otter::exit_reason::of("backwards"));
          last[i % 5] = p.first;
          if (i % 10 == 0) otter::checkpoint();
        }
      }));
    for (int i = 0; i != 400; ++i) {
      write(i);
      if (i % 10 == 0) otter::checkpoint();
    }
    for (auto const& r : readers) report.equal("a reader", end_of(r.ref), "normal");
  });
}

TEST_CASE("any thread reads a table, and none but processes make and find them", "[table]") {
  on_every_driver([](driver_report& report) {
    ages const t = ages::create({.access = table_access::public_table});
    t.insert("ann", 7);
    int found = 0;
    std::size_t walked = 0;
    std::string made, written;
    std::thread([&] {
      found = t.lookup("ann").value_or(0);
      walked = t.select(anything).size();
      made = errc_of([] { static_cast<void>(ages::create()); });
      written = errc_of([] { static_cast<void>(ages::whereis("ages")); });
    }).join();
    report.check("read", found == 7 && walked == 1);
    report.equal("made", made, "not_in_process");
    report.equal("found by name", written, "not_in_process");
  });
}

TEST_CASE("tables of many owners that end at once leave no name behind", "[table]") {
  on_every_driver([](driver_report& report) {
    std::vector<otter::spawned> owners;
    for (int i = 0; i != 40; ++i)
      owners.push_back(otter::spawn_monitor([i] {
        ages const t = ages::create({.name = fmt::format("of {}", i)});
        for (int k = 0; k != 20; ++k) t.insert(std::to_string(k), k);
        otter::receive([](go_on) {});
      }));
    for (auto const& o : owners) otter::exit(o, otter::exit_reason::kill());
    for (auto const& o : owners) end_of(o.ref);
    int found = 0;
    for (int i = 0; i != 40; ++i) found += ages::whereis(fmt::format("of {}", i)) ? 1 : 0;
    report.equal("names", found, 0);
  });
}
