// A registry: keys, and the processes that stand under them.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/registry.hpp>
#include <otter/supervisor.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using otter_test::driver_report;
using otter_test::on_every_driver;
using process_test::errc_of;

namespace registry_test {

struct room {
  int house;
  std::string name;
};

using ages = otter::registry<std::string, int>;
using rooms = otter::registry<room>;

struct leave {};
struct registered {
  bool done;
  otter::pid holder;
};

/// A process that has registered itself, and waits for `leave`.
template <class Registry, class Key, class... Value>
otter::spawned resident(Registry const& book, Key key, Value... value) {
  otter::spawned const p = otter::spawn_monitor([=, me = otter::self()] {
    auto const done = book.register_key(key, value...);
    otter::send(me, registered{done.has_value(), done ? otter::pid{} : done.error().process});
    otter::receive([](leave) {});
  });
  otter::receive([](registered) {});
  return p;
}

/// The same, and what register_key() said.
template <class Registry, class Key, class... Value>
registered attempt(Registry const& book, Key key, Value... value) {
  otter::spawn([=, me = otter::self()] {
    auto const done = book.register_key(key, value...);
    otter::send(me, registered{done.has_value(), done ? otter::pid{} : done.error().process});
  });
  return otter::receive([](registered r) { return r; });
}

template <class Entries>
std::string values_in(Entries const& entries) {
  std::string all;
  for (auto const& e : entries) all += fmt::format("{}{}", all.empty() ? "" : " ", e.value);
  return all;
}

using ages_registered = otter::key_registered<std::string, int>;
using ages_unregistered = otter::key_unregistered<std::string>;

/// The next that a listener hears: "+key value" or "-key".
inline std::string next_heard() {
  return otter::receive([](ages_registered r) { return fmt::format("+{} {}", r.key, r.value); },
                        [](ages_unregistered r) { return fmt::format("-{}", r.key); },
                        otter::after(patience, [] { return std::string("nothing came"); }));
}

class counter : public otter::gen_server<counter> {
 public:
  struct add {
    int by;
  };
  struct read {
    using reply = int;
  };
  using accepts = otter::accepts<add, read>;
  explicit counter(int start) : value_(start) {}
  void handle_cast(add a) { value_ += a.by; }
  int handle_call(read) { return value_; }

 private:
  int value_;
};

}  // namespace registry_test

using namespace registry_test;

TEST_CASE("a unique key has one process, and whoever comes second is told which",
          "[registry][REG-1]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    otter::pid const owner = book.start_link().value();
    auto const mine = book.register_key("ann", 7);
    report.check("the caller has it", mine && *mine == owner);
    auto const other = attempt(book, "ann", 8);
    report.check("another is refused", !other.done && other.holder == otter::self());
    auto const again = book.register_key("ann", 9);
    report.check("so is the holder", !again && again.error().process == otter::self());
    report.check("another key is free", attempt(book, "bob", 8).done);
    report.equal("the value is the first", values_in(book.lookup("ann")), "7");
  });
}

TEST_CASE("a duplicate key has any number of processes, and one of them several times",
          "[registry][REG-1]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    book.start_link({.keys = otter::registry_keys::duplicate}).value();
    otter::spawned const other = resident(book, "ann", 1);
    report.check("the second", book.register_key("ann", 2).has_value());
    report.check("and once more", book.register_key("ann", 3).has_value());
    report.equal("in the order of registration", values_in(book.lookup("ann")), "1 2 3");
    report.check("who", book.lookup("ann").front().process == other.process);
    report.equal("keys of the caller", book.keys(otter::self()).size(), 2u);
  });
}

TEST_CASE("of many that want a unique key at the same time one has it at a time",
          "[registry][REG-1][REG-3]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    book.start_link({.partitions = 1}).value();
    struct seen {
      std::atomic<int> inside{0};
      std::atomic<int> most{0};
      std::atomic<int> turns{0};
    };
    auto const all = std::make_shared<seen>();
    std::vector<otter::spawned> runners;
    for (int i = 0; i != 8; ++i)
      runners.push_back(otter::spawn_monitor([all, book, i] {
        for (int turn = 0; turn != 20; ++turn) {
          if (book.register_key("gate", i)) {
            int const now = all->inside.fetch_add(1) + 1;
            if (now > all->most.load()) all->most.store(now);
            otter::checkpoint();
            all->turns.fetch_add(1);
            all->inside.fetch_sub(1);
            book.unregister("gate");
          }
          if (book.lookup("gate").size() > 1) all->most.store(1000);
          otter::checkpoint();
        }
      }));
    for (auto const& r : runners) report.equal("a runner ends", end_of(r.ref), "normal");
    report.equal("at most so many inside", all->most.load(), 1);
    report.check("somebody was", all->turns.load() > 0);
    report.equal("nothing is left", book.count(), 0u);
  });
}

TEST_CASE("a process that ends leaves all its keys", "[registry][REG-2]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    otter::register_name("listener", otter::self());
    book.start_link({.keys = otter::registry_keys::duplicate, .listeners = {"listener"}}).value();
    book.register_key("a", 1).value();
    otter::spawned const p = otter::spawn_monitor([book] {
      for (char const* key : {"a", "b", "a"}) book.register_key(key, 2).value();
      otter::receive([](leave) {});
    });
    for (int i = 0; i != 4; ++i) next_heard();
    report.equal("it has three entries", book.keys(p).size(), 3u);
    otter::exit(p, otter::exit_reason::kill());
    std::vector<std::string> heard{next_heard(), next_heard(), next_heard()};
    std::sort(heard.begin(), heard.end());
    report.equal("its end is heard of", fmt::format("{} {} {}", heard[0], heard[1], heard[2]),
                 "-a -a -b");
    report.equal("its keys", book.keys(p).size(), 0u);
    report.equal("those of others stay", values_in(book.lookup("a")), "1");
    report.equal("count", book.count(), 1u);
  });
}

TEST_CASE("a unique key is free at once when its process has ended", "[registry][REG-2]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    otter::register_name("listener", otter::self());
    auto const owner = book.start_link({.max_entries = 2, .listeners = {"listener"}}).value();
    otter::spawned const p = resident(book, "ann", 1);
    otter::spawned const full = resident(book, "full", 1);
    otter::sys::suspend(owner);  // it cannot hear of the end
    otter::exit(p, otter::exit_reason::kill());
    end_of(p.ref);
    report.check("a lookup may still show it", book.lookup("ann").size() == 1);
    report.check("but the key is free", book.register_key("ann", 2).has_value());
    report.equal("of the new one", values_in(book.lookup("ann")), "2");
    report.equal("heard", next_heard(), "+ann 1");
    report.equal("heard", next_heard(), "+full 1");
    report.equal("heard", next_heard(), "-ann");
    report.equal("heard", next_heard(), "+ann 2");
    otter::sys::resume(owner);
    otter::send(full, leave{});
    report.equal("heard, behind the news of the first end", next_heard(), "-full");
    end_of(full.ref);
    report.equal("the old end takes nothing away", values_in(book.lookup("ann")), "2");
    report.check("nothing else is heard", mailbox_is_empty());
  });
}

TEST_CASE("a registry and those registered are linked, others are not", "[registry][REG-2]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    auto const owner = book.start().value();
    otter::spawned const stays = resident(book, "stays", 1);
    otter::spawned const left = otter::spawn_monitor([book, me = otter::self()] {
      book.register_key("left", 1).value();
      book.register_key("left too", 1).value();
      book.unregister("left");
      book.unregister("left too");
      otter::send(me, registered{true, {}});
      otter::receive([](leave) {});
    });
    otter::receive([](registered) {});
    otter::exit(owner, otter::exit_reason::kill());
    report.equal("who is registered ends", end_of(stays.ref), "killed");
    report.check("who was, lives", otter::is_alive(left));
    report.equal("there is no registry", errc_of([&] { return book.count(); }), "noproc");
    report.equal("for nobody", errc_of([&] { book.register_key("x", 1).value(); }), "noproc");
    otter::send(left, leave{});
    end_of(left.ref);
  });
}

TEST_CASE("who started a registry stays linked to it when it leaves its keys",
          "[registry][REG-2]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const starter = otter::spawn_monitor([me = otter::self()] {
      ages const book("ages");
      book.start_link().value();
      book.register_key("x", 1).value();
      book.unregister("x");
      otter::send(me, registered{true, otter::whereis("ages")});
      otter::receive([](leave) {});
    });
    otter::pid const owner = otter::receive([](registered r) { return r.holder; });
    auto const watch = otter::monitor(owner);
    otter::exit(starter, otter::exit_reason::shutdown());
    report.equal("the registry ends with its parent", end_of(watch), "shutdown");
    end_of(starter.ref);
  });
}

TEST_CASE("an exit signal from a registered process that lives takes nothing away",
          "[registry][REG-2]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    otter::register_name("listener", otter::self());
    auto const owner = book.start({.listeners = {"listener"}}).value();
    book.register_key("ann", 1).value();
    otter::exit(owner.process(), otter::exit_reason::shutdown());
    otter::spawned const other = resident(book, "other", 2);
    otter::send(other, leave{});
    for (char const* event : {"+ann 1", "+other 2", "-other"})
      report.equal("heard", next_heard(), event);
    report.equal("still there", values_in(book.lookup("ann")), "1");
    otter::stop(owner);
  });
}

TEST_CASE("a registry is read by key, by process, by value and as a whole", "[registry][REG-3]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    auto const owner = book.start_link({.keys = otter::registry_keys::duplicate}).value();
    otter::spawned const other = resident(book, "ann", 1);
    book.register_key("ann", 20).value();
    book.register_key("bob", 30).value();
    book.register_key("ann", 4).value();
    otter::sys::suspend(owner);  // nobody asks it

    report.equal("lookup", values_in(book.lookup("ann")), "1 20 4");
    report.check("unknown key", book.lookup("eve").empty());
    report.equal("keys", fmt::format("{}", fmt::join(book.keys(otter::self()), " ")),
                 "ann bob ann");
    report.check("keys of a stranger", book.keys(owner).empty());
    report.equal("values", fmt::format("{}", fmt::join(book.values("ann", otter::self()), " ")),
                 "20 4");
    auto const young = [](int age) { return age < 10; };
    report.equal("match", values_in(book.match("ann", young)), "1 4");
    report.equal("count_match", book.count_match("ann", young), 2u);
    auto const of_other = [&](std::string const&, otter::pid p, int) { return p == other.process; };
    auto const rows = book.select(of_other);
    report.check("select", rows.size() == 1 && rows[0].key == "ann" && rows[0].value == 1);
    report.equal("select all", book.select([](auto&&...) { return true; }).size(), 4u);
    report.equal("count_select", book.count_select(of_other), 1u);
    report.equal("count", book.count(), 4u);
    otter::sys::resume(owner);
  });
}

TEST_CASE("a key may be a struct, and is equal if all its parts are", "[registry][REG-3]") {
  on_every_driver([](driver_report& report) {
    rooms const book("rooms");
    book.start_link({.partitions = 3}).value();
    report.check("first", book.register_key({1, "hall"}).has_value());
    report.check("same", !book.register_key({1, "hall"}).has_value());
    report.check("another house", book.register_key({2, "hall"}).has_value());
    report.check("another name", book.register_key({1, "kitchen"}).has_value());
    report.equal("found", book.lookup({2, "hall"}).size(), 1u);
    report.equal("keys", book.keys(otter::self()).at(2).name, "kitchen");
    using pairs = otter::registry<std::pair<std::string, std::string>, int>;
    pairs const texts("texts");
    texts.start_link().value();
    report.check("a pair", texts.register_key({"ab", "c"}, 1).has_value());
    report.check("divided elsewhere", texts.register_key({"a", "bc"}, 2).has_value());
    otter::registry<int, int> const numbers("numbers");
    numbers.start_link().value();
    report.check("an integer", numbers.register_key(-1, 1).has_value());
    report.equal("its value", values_in(numbers.lookup(-1)), "1");
  });
}

TEST_CASE("a process changes and removes its own entries and no other's", "[registry][REG-3]") {
  on_every_driver([](driver_report& report) {
    ages const one("unique");
    one.start_link().value();
    one.register_key("mine", 5).value();
    resident(one, "other", 50);
    auto const older = [](int age) { return age + 1; };
    auto const done = one.update_value("mine", older);
    report.check("update", done && done->now == 6 && done->before == 5);
    report.check("of another", !one.update_value("other", older));
    report.check("of nobody", !one.update_value("nobody", older));
    report.equal("unregister", one.unregister("mine"), 1u);
    report.equal("of another", one.unregister("other"), 0u);
    report.equal("still there", values_in(one.lookup("other")), "50");

    ages const many("duplicate");
    many.start_link({.keys = otter::registry_keys::duplicate}).value();
    resident(many, "a", 1);
    for (int age : {1, 2, 3, 1}) many.register_key("a", age).value();
    report.equal("update needs unique keys",
                 errc_of([&] { many.update_value("a", older).has_value(); }), "badarg");
    report.equal("unregister_match", many.unregister_match("a", [](int age) { return age == 1; }),
                 2u);
    report.equal("the others stay", values_in(many.lookup("a")), "1 2 3");
    report.equal("unregister takes all of the caller", many.unregister("a"), 2u);
    report.equal("not the guest's", values_in(many.lookup("a")), "1");
  });
}

TEST_CASE("a registry that is full, or has other types, refuses", "[registry][REG-1]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    book.start_link({.max_entries = 2}).value();
    book.register_key("a", 1).value();
    book.register_key("b", 1).value();
    report.equal("full", errc_of([&] { book.register_key("c", 1).value(); }), "system_limit");
    report.check("a key that is taken is refused as such", !book.register_key("a", 1).has_value());
    book.unregister("a");
    report.check("room again", book.register_key("c", 1).has_value());
    rooms const wrong("ages");
    report.equal("other types", errc_of([&] { return wrong.count(); }), "badarg");
    ages const none("none");
    report.equal("not running", errc_of([&] { return none.lookup("a"); }), "noproc");
    report.equal("no partitions", errc_of([&] { none.start_link({.partitions = 0}).value(); }),
                 "badarg");
    auto const second = book.start_link();
    report.check("a second of that name",
                 !second && second.error().what == otter::start_error::kind::already_started);
  });
}

TEST_CASE("dispatch gives all entries of a key to a function in the caller", "[registry][REG-4]") {
  on_every_driver([](driver_report& report) {
    struct news {
      int n;
    };
    ages const book("ages");
    book.start_link({.keys = otter::registry_keys::duplicate}).value();
    std::vector<otter::spawned> readers;
    for (int i = 0; i != 3; ++i)
      readers.push_back(otter::spawn_monitor([book, i, me = otter::self()] {
        book.register_key("news", i).value();
        otter::send(me, registered{true, {}});
        int const n = otter::receive([](news x) { return x.n; });
        otter::exit(otter::exit_reason::shutdown(std::to_string(n)));
      }));
    for (int i = 0; i != 3; ++i) otter::receive([](registered) {});
    otter::pid ran_in;
    book.dispatch("news", [&](std::span<ages::entry const> entries) {
      ran_in = otter::self();
      for (auto const& e : entries) otter::send(e.process, news{7});
    });
    report.check("in the caller", ran_in == otter::self());
    for (auto const& r : readers)
      report.equal("each got it", end_of(r.ref), text(otter::exit_reason::shutdown("7")));

    int calls = 0;
    book.dispatch("nobody", [&](auto) { ++calls; });
    report.equal("no entries, no call", calls, 0);
    book.register_key("mine", 1).value();
    std::string thrown;
    try {
      book.dispatch("mine", [](auto) { throw std::runtime_error("too much"); });
    } catch (std::runtime_error const& e) {
      thrown = e.what();
    }
    report.equal("what it throws comes out", thrown, "too much");
    report.equal("and leaves the table as it was", values_in(book.lookup("mine")), "1");
  });
}

TEST_CASE("a server may have its name in a registry", "[registry][REG-5]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    book.start_link().value();
    otter::via const here = book.via("counter");
    auto const server = counter::start_link({.via = here}, 5).value();
    otter::cast(here, counter::add{2});
    report.equal("call", otter::call(here, counter::read{}), 7);
    auto const second = counter::start_link({.via = here}, 1);
    report.check("taken", !second && second.error().process == server.process());
    otter::stop(server);
    report.equal("gone", failure_of([&] { otter::call(here, counter::read{}); }),
                 text(otter::exit_reason::noproc()));

    ages const many("many");
    many.start_link({.keys = otter::registry_keys::duplicate}).value();
    report.equal("unique keys only", errc_of([&] { otter::call(many.via("x"), counter::read{}); }),
                 "badarg");
  });
}

TEST_CASE("a supervisor restarts a killed child under its name in a registry",
          "[registry][REG-2][REG-5]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    auto const owner = book.start_link().value();
    auto const sup =
        otter::supervisor::start_link(
            {},
            {{.id = "counter",
              .start = [book] { return counter::start_link({.via = book.via("counter")}, 1); }}})
            .value();
    otter::via const here = book.via("counter");
    otter::sys::suspend(owner);  // it cannot clear the name away
    otter::pid const first = book.lookup("counter").at(0).process;
    otter::exit(first, otter::exit_reason::kill());
    end_of(first);
    otter::supervisor::which_children(sup);  // behind the restart
    report.equal("the new one answers", otter::call(here, counter::read{}), 1);
    report.check("it is another", book.lookup("counter").at(0).process != first);
    otter::sys::resume(owner);
    otter::stop(sup);
  });
}

TEST_CASE("listeners hear of each registration and its end, in order", "[registry][REG-5]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    otter::register_name("listener", otter::self());
    book.start_link({.listeners = {"nobody", "listener"}}).value();
    book.register_key("ann", 1).value();
    book.unregister("ann");
    otter::spawned const p = resident(book, "bob", 2);
    auto const heard = otter::receive([](ages_registered r) { return r; });
    report.check("all of it", heard.registry == "ages" && heard.key == "ann" && heard.value == 1 &&
                                  heard.process == otter::self());
    report.equal("second", next_heard(), "-ann");
    report.equal("third", next_heard(), "+bob 2");
    otter::send(p, leave{});
    auto const gone = otter::receive([](ages_unregistered r) { return r; });
    report.check("the end", gone.registry == "ages" && gone.key == "bob" && gone.process == p);
    end_of(p.ref);
    report.check("nothing else", mailbox_is_empty());
  });
}

TEST_CASE("a registry keeps metadata by name while it runs", "[registry][REG-5]") {
  on_every_driver([](driver_report& report) {
    ages const book("ages");
    auto const owner = book.start_link().value();
    book.put_meta("topic", std::string("otters"));
    book.put_meta("limit", 3);
    report.equal("a text", book.meta<std::string>("topic").value_or("none"), "otters");
    report.equal("a number", book.meta<int>("limit").value_or(0), 3);
    report.check("of another type", !book.meta<int>("topic"));
    book.put_meta("limit", 4);
    report.equal("replaced", book.meta<int>("limit").value_or(0), 4);
    report.check("erased", book.erase_meta("limit"));
    report.check("once", !book.erase_meta("limit"));
    otter::stop(owner);
    book.start_link().value();
    report.check("a new registry has none", !book.meta<std::string>("topic"));
  });
}
