// One server several times, and a key that says which of them serves.

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <otter/dynamic_supervisor.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/partition_supervisor.hpp>
#include <otter/process_info.hpp>
#include <otter/request.hpp>
#include <otter/supervisor.hpp>
#include <otter/sys.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using otter_test::driver_report;
using otter_test::on_every_driver;
using process_test::errc_of;

namespace partition_test {

/// Counts, and knows its number.
class counter : public otter::gen_server<counter> {
 public:
  struct add {
    int by;
  };
  struct read {
    using reply = int;
  };
  struct number {
    using reply = unsigned;
  };
  struct poke {};
  using accepts = otter::accepts<add, read, number, poke>;

  explicit counter(unsigned its_number) : number_(its_number) {}
  void handle_cast(add a) { value_ += a.by; }
  int handle_call(read) { return value_; }
  unsigned handle_call(number) { return number_; }
  void handle_info(poke) { value_ += 100; }

 private:
  unsigned number_;
  int value_ = 0;
};

using counters_type = otter::partition_supervisor<counter>;

inline otter::partition_spec numbered() {
  return {.start = [](unsigned number) { return counter::start_link(number); }};
}

struct ready {};

}  // namespace partition_test

using namespace partition_test;

TEST_CASE("a partition supervisor starts as many as asked for, and tells each its number",
          "[partition_supervisor][PS-1]") {
  on_every_driver([](driver_report& report) {
    counters_type const counters("counters");
    otter::pid const process = counters.start_link(numbered(), {.partitions = 3}).value();
    report.check("its name", otter::whereis("counters") == process);
    report.equal("how many", counters.partitions(), 3u);
    auto const children = counters.which_children();
    report.equal("children", children.size(), 3u);
    for (unsigned i = 0; i != 3; ++i) {
      report.equal("id", children.at(i).id, std::to_string(i));
      report.equal("number", otter::call(counters.via(i), counter::number{}), i);
      report.check("process", counters.via(i).process() == children.at(i).process);
    }
    report.check("count",
                 counters.count_children() ==
                     otter::child_count{.specs = 3, .active = 3, .supervisors = 0, .workers = 3});
    otter::stop("counters");
    report.equal("it has ended", counters.partitions(), 0u);
  });
}

TEST_CASE("without a number there are as many partitions as schedulers",
          "[partition_supervisor][PS-1]") {
  on_every_driver([](driver_report& report) {
    counters_type const counters("counters");
    counters.start_link({.start = [] { return counter::start_link(7u); }}).value();
    report.equal("how many", counters.partitions(), otter::schedulers());
    report.equal("children", counters.which_children().size(), std::size_t{otter::schedulers()});
    report.equal("a start without a number", otter::call(counters.via(0), counter::number{}), 7u);
  });
}

TEST_CASE("a partition that ends is started again, and the others go on",
          "[partition_supervisor][PS-1][PS-2]") {
  on_every_driver([](driver_report& report) {
    counters_type const counters("counters");
    counters.start_link(numbered(), {.partitions = 3}).value();
    for (int i = 0; i != 3; ++i) otter::cast(counters.via(i), counter::add{10 + i});
    auto const address = counters.via(1);
    otter::pid const first = address;
    otter::exit(first, otter::exit_reason::kill());
    end_of(first);
    counters.which_children();  // behind the restart
    report.check("another process", address.process() && address.process() != first);
    report.equal("of the same number", otter::call(address, counter::number{}), 1u);
    report.equal("it begins anew", otter::call(address, counter::read{}), 0);
    report.equal("the one before", otter::call(counters.via(0), counter::read{}), 10);
    report.equal("the one behind", otter::call(counters.via(2), counter::read{}), 12);
  });
}

TEST_CASE("too many restarts end a partition supervisor, and its partitions with it",
          "[partition_supervisor][PS-1]") {
  on_every_driver([](driver_report& report) {
    counters_type const counters("counters");
    otter::spawned const owner = otter::spawn_monitor([&] {
      otter::trap_exit(true);
      counters.start_link(numbered(), {.partitions = 2, .intensity = 1}).value();
      otter::pid const other = counters.via(0);
      for (int i = 0; i != 2; ++i) {
        otter::pid const process = counters.via(1);
        otter::exit(process, otter::exit_reason::kill());
        end_of(process);
        // Behind the restart, or the end that comes instead.
        if (i == 0) counters.which_children();
      }
      report.equal("its end", otter::receive([](otter::exited e) { return to_string(e.reason); }),
                   "shutdown");
      report.check("the others too", !otter::is_alive(other));
      report.check("nobody serves", !counters.via(0).process());
    });
    end_of(owner.ref);
  });
}

TEST_CASE(
    "a partition that does not start fails the whole start, and options that cannot be obeyed",
    "[partition_supervisor][PS-1]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    counters_type const counters("counters");
    auto const failed = counters.start_link(
        {.start = [](unsigned number) -> tl::expected<otter::pid, otter::start_error> {
          if (number == 2) throw std::runtime_error("not this one");
          return counter::start_link(number);
        }},
        {.partitions = 4});
    report.check("it fails", !failed && failed.error().what == otter::start_error::kind::failed);
    report.check("and says which", to_string(failed.error()).find("\"2\"") != std::string::npos);
    report.check("nothing is left", !otter::whereis("counters"));
    auto const empty = counters.start_link({});
    report.check("no start",
                 !empty && to_string(empty.error()).find("missing_start") != std::string::npos);
    report.equal("too many",
                 errc_of([&] { counters.start_link(numbered(), {.partitions = 65'537}).value(); }),
                 "badarg");
    report.equal("no name", errc_of([&] { counters_type("").start_link(numbered()).value(); }),
                 "badarg");
    report.check("it can be started after all",
                 counters.start_link(numbered(), {.partitions = 2}).has_value());
    auto const second = counters.start_link(numbered());
    report.check("once",
                 !second && second.error().what == otter::start_error::kind::already_started);
    otter::stop("counters");
  });
}

TEST_CASE("an integer key is served by the partition of its absolute value",
          "[partition_supervisor][PS-2]") {
  on_every_driver([](driver_report& report) {
    counters_type const counters("counters");
    counters.start_link(numbered(), {.partitions = 5}).value();
    auto const serves = [&](auto key) { return otter::call(counters.via(key), counter::number{}); };
    report.equal("0", serves(0), 0u);
    report.equal("7", serves(7), 2u);
    report.equal("-7", serves(-7), 2u);
    report.equal("a byte", serves(std::uint8_t{254}), 4u);
    report.equal("the largest", serves(std::numeric_limits<std::uint64_t>::max()), 0u);
    report.equal("the smallest", serves(std::numeric_limits<std::int64_t>::min()), 3u);
    report.equal("of 32 bits", serves(std::numeric_limits<std::int32_t>::min()), 3u);
  });
}

TEST_CASE("any other key is hashed, always to the same partition", "[partition_supervisor][PS-2]") {
  on_every_driver([](driver_report& report) {
    struct place {
      int floor;
      std::string room;
    };
    counters_type const counters("counters");
    counters.start_link(numbered(), {.partitions = 4}).value();
    std::set<otter::pid> used;
    int moved = 0;
    for (int i = 0; i != 200; ++i) {
      std::string const key = fmt::format("user {}", i);
      otter::pid const serves = counters.via(key);
      used.insert(serves);
      if (counters.via(std::string_view(key)).process() != serves) ++moved;
      if (counters.via(key.c_str()).process() != serves) ++moved;
    }
    report.equal("the same, however it is said", moved, 0);
    report.equal("all serve some", used.size(), 4u);
    report.check("a struct", counters.via(place{1, "hall"}).process() ==
                                 counters.via(place{1, "hall"}).process());
    report.check("a pid", used.contains(counters.via(otter::self()).process()));
    otter::pid other;
    otter::spawned const p = otter::spawn_monitor([&] { other = counters.via("user 1"); });
    end_of(p.ref);
    report.check("for every process", other == counters.via("user 1").process());
  });
}

TEST_CASE("a partition is addressed wherever a server is", "[partition_supervisor][PS-2]") {
  on_every_driver([](driver_report& report) {
    counters_type const counters("counters");
    counters.start_link(numbered(), {.partitions = 3}).value();
    auto const here = counters.via("ann");
    otter::cast(here, counter::add{2});
    otter::send(here, counter::poke{});
    report.equal("call", otter::call(here, counter::read{}), 102);
    report.equal("try_call", otter::try_call(here, counter::read{}).value_or(-1), 102);
    auto const answer = otter::receive_response(otter::send_request(here, counter::read{}));
    report.equal("send_request", answer && *answer ? **answer : -1, 102);
    report.check("monitor", static_cast<bool>(otter::monitor(here)));
    report.check("as a pid", otter::is_alive(here));
    report.check("the others got nothing", [&] {
      int all = 0;
      for (int i = 0; i != 3; ++i) all += otter::call(counters.via(i), counter::read{});
      return all == 102;
    }());

    otter::partition_supervisor<> const trees("trees");
    trees
        .start_link({.start = [] { return otter::dynamic_supervisor::start_link(); },
                     .type = otter::child_type::supervisor},
                    {.partitions = 2})
        .value();
    auto const child = otter::dynamic_supervisor::start_child(
        trees.via(1), {.start = [] { return counter::start_link(9u); }});
    report.check("a child of it", child && *child);
    report.equal("where it was started",
                 otter::dynamic_supervisor::count_children(trees.via(1)).active, 1u);
    report.equal("and not elsewhere",
                 otter::dynamic_supervisor::count_children(trees.via(0)).active, 0u);
    report.equal("supervisors", trees.count_children().supervisors, 2u);
  });
}

TEST_CASE("where no partition supervisor runs nobody serves", "[partition_supervisor][PS-2]") {
  on_every_driver([](driver_report& report) {
    counters_type const counters("counters");
    auto const nobody = counters.via(1);
    report.check("no process", !nobody.process());
    report.equal("call", failure_of([&] { otter::call(nobody, counter::read{}); }),
                 text(otter::exit_reason::noproc()));
    otter::cast(nobody, counter::add{1});
    otter::send(nobody, counter::poke{});
    report.equal("how many", counters.partitions(), 0u);
    report.equal("which", failure_of([&] { counters.which_children(); }),
                 text(otter::exit_reason::noproc()));
    otter::register_name("counters", otter::self());
    report.check("nor under the name of another process", !nobody.process());
    otter::unregister_name("counters");
    counters.start_link(numbered(), {.partitions = 2}).value();
    report.equal("the address holds once it runs", otter::call(nobody, counter::number{}), 1u);
  });
}

TEST_CASE("finding a partition asks no process", "[partition_supervisor][PS-2]") {
  on_every_driver([](driver_report& report) {
    counters_type const counters("counters");
    auto const process = counters.start_link(numbered(), {.partitions = 2}).value();
    otter::sys::suspend(process);
    report.equal("a call gets through", otter::call(counters.via(3), counter::number{}), 1u);
    report.equal("how many", counters.partitions(), 2u);
    otter::sys::resume(process);
  });
}

// Callers use every partition while partitions are killed: a call is answered by the partition of
// its key, or fails; at the end all serve again.
TEST_CASE("callers find the partition of their key, however often it is started again",
          "[partition_supervisor][PS-2]") {
  on_every_driver([](driver_report& report) {
    constexpr unsigned partitions = 4;
    counters_type const counters("counters");
    auto const sup =
        counters.start_link(numbered(), {.partitions = partitions, .intensity = 1000}).value();
    auto const wrong = std::make_shared<std::atomic<int>>(0);
    std::vector<otter::spawned> callers;
    for (unsigned c = 0; c != 4; ++c)
      callers.push_back(otter::spawn_monitor([counters, wrong, c] {
        for (unsigned i = 0; i != 200; ++i) {
          unsigned const key = c + i * 7;
          auto const number = otter::try_call(counters.via(key), counter::number{});
          if (number && *number != key % partitions) ++*wrong;
          if (number) continue;
          bool const fits = number.error() == otter::exit_kind::noproc ||
                            number.error() == otter::exit_kind::killed;
          if (!fits) ++*wrong;
        }
      }));
    for (unsigned i = 0; i != 40; ++i) {
      otter::pid const process = counters.via(i);
      otter::exit(process, otter::exit_reason::kill());
      end_of(process);
    }
    for (auto const& c : callers) report.equal("a caller ends", end_of(c.ref), "normal");
    report.equal("wrong answers", wrong->load(), 0);
    counters.which_children();  // behind the last restart
    for (unsigned i = 0; i != partitions; ++i)
      report.equal("all serve", otter::call(counters.via(i), counter::number{}), i);
    report.check("the supervisor is the same", otter::whereis("counters") == sup);
  });
}
