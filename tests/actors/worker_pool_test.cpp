// Several workers that share what comes: in order, bounded, whoever leaves or ends.

#include <fmt/format.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/name.hpp>
#include <otter/request.hpp>
#include <otter/worker_pool.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using process_test::errc_of;
using process_test::go;

namespace worker_pool_test {

struct begun {
  int n;
  unsigned worker;
  otter::pid process;
};

/// Tells that it has begun, and answers when it is told to go on.
class smith : public otter::gen_server<smith> {
 public:
  struct forge {
    using reply = int;
    int n;
  };
  struct number {
    using reply = unsigned;
  };
  struct fail {
    using reply = void;
  };
  struct unheard_of {
    using reply = void;
  };
  using accepts = otter::accepts<forge, number, fail>;

  smith(otter::pid test, unsigned its_number) : test_(test), number_(its_number) {}

  int handle_call(forge f) {
    otter::send(test_, begun{f.n, number_, otter::self()});
    otter::receive([](go) {});
    return f.n;
  }
  unsigned handle_call(number) { return number_; }
  otter::call_outcome<void> handle_call(fail) { return stop(otter::exit_reason::of("broken")); }

 private:
  otter::pid test_;
  unsigned number_;
};

inline const otter::worker_pool<smith> forge{"forge"};

inline otter::pid must_start(otter::pool_flags flags) {
  return forge
      .start_link(
          {.start = [test = otter::self()](unsigned n) { return smith::start_link(test, n); }},
          flags)
      .value();
}

inline begun next_begun() {
  return otter::receive([](begun b) { return b; }, otter::after(patience, [] {
                          return begun{-1, 0, {}};
                        }));
}

/// Lets the next `n` requests that begin be done, one after the other.
inline void finish(int n) {
  for (int i = 0; i != n; ++i) otter::send(next_begun().process, go{});
}

using asked = otter::sent_request<int>;
inline asked ask(int n) { return forge.send_request(smith::forge{n}); }
inline asked ask_by_key(int key, int n) { return forge.send_request_by_key(key, smith::forge{n}); }

inline std::string answer(asked const& id) {
  auto const got = otter::receive_response(id, patience);
  if (!got) return "nothing";
  return *got ? std::to_string(**got) : to_string(got->error());
}

}  // namespace worker_pool_test

using namespace worker_pool_test;

TEST_CASE("requests are served in the order in which they came, by the first worker that is free",
          "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 2});
    std::vector<asked> ids;
    for (int i = 1; i <= 4; ++i) ids.push_back(ask(i));
    begun a = next_begun();
    begun b = next_begun();
    if (a.n != 1) std::swap(a, b);
    report.equal("the first", a.n, 1);
    report.equal("and the second", b.n, 2);
    report.check("by two workers", a.process != b.process);
    auto const status = forge.status();
    report.check("the others wait", status.working == 2 && status.waiting == 2);
    otter::send(b.process, go{});
    begun const c = next_begun();
    report.equal("then the third", c.n, 3);
    report.check("by who was free first", c.process == b.process);
    otter::send(a.process, go{});
    report.equal("then the fourth", next_begun().n, 4);
    otter::send(a.process, go{});
    otter::send(b.process, go{});
    for (int i = 1; i <= 4; ++i)
      report.equal("answer", answer(ids.at(static_cast<std::size_t>(i - 1))), std::to_string(i));
    report.equal("served", forge.status().served, 4u);
  });
}

TEST_CASE("a request that finds max_queue others waiting is refused, with the numbers",
          "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 1, .max_queue = 2});
    asked const first = ask(1);
    begun const b = next_begun();
    asked const second = ask(2);
    asked const third = ask(3);
    auto const refused = forge.try_call(smith::forge{4}, patience);
    report.check("busy", !refused && refused.error() == otter::exit_kind::busy);
    report.equal("says", refused ? std::string() : to_string(refused.error()),
                 "busy(pool \"forge\": 2 requests wait (max_queue), 1 workers; try again later)");
    otter::send(b.process, go{});
    finish(2);
    report.equal("the others", answer(first) + answer(second) + answer(third), "123");
    report.equal("counted", forge.status().refused, 1u);
  });
}

TEST_CASE("a caller whose time is over leaves the queue, and so does one that ends",
          "[worker_pool][GC-6]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 1, .max_queue = 2});
    asked const first = ask(1);
    begun const b = next_begun();
    asked const late = ask(2);
    otter::spawned const caller =
        otter::spawn_monitor([] { forge.call(smith::forge{3}, otter::infinity); });
    while (forge.status().waiting != 2) otter::checkpoint();
    report.check("late", !otter::receive_response(late, 0s));
    report.equal("one waits", forge.status().waiting, std::size_t{1});
    otter::exit(caller, otter::exit_reason::kill());
    end_of(caller.ref);
    report.equal("none waits", forge.status().waiting, std::size_t{0});
    asked const fourth = ask(4);
    asked const fifth = ask(5);
    otter::send(b.process, go{});
    report.equal("the fourth comes next", next_begun().n, 4);
    otter::send(b.process, go{});
    finish(1);
    report.equal("the others are served", answer(first) + answer(fourth) + answer(fifth), "145");
    report.equal("counted", forge.status().left, 2u);
  });
}

TEST_CASE("callers who have left take no room in a full queue, and are passed over",
          "[worker_pool][GC-6]") {
  on_every_driver([](driver_report& report) {
    for (std::size_t const max_queue : {2u, 100u}) {
      otter::pid const sup = must_start({.workers = 1, .max_queue = max_queue});
      asked const first = ask(1);
      begun const b = next_begun();
      asked const second = ask(2);
      asked const third = ask(3);
      report.check("gives up", !otter::receive_response(third, 0s));
      asked const fourth = ask(4);
      otter::send(b.process, go{});
      report.equal("in order", next_begun().n, 2);
      otter::send(b.process, go{});
      report.equal("without it", next_begun().n, 4);
      otter::send(b.process, go{});
      report.equal("not refused", answer(first) + answer(second) + answer(fourth), "124");
      otter::stop(sup);
    }
  });
}

TEST_CASE("a worker that ends fails the request that it has, with its reason, and is replaced",
          "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 1});
    asked const first = ask(1);
    begun const before = next_begun();
    asked const second = ask(2);
    otter::exit(before.process, otter::exit_reason::of("struck by lightning"));
    report.equal("who had it hears why", answer(first), "struck by lightning");
    begun const after = next_begun();
    report.equal("the next", after.n, 2);
    report.check("by another, with the same number",
                 after.process != before.process && after.worker == before.worker);
    otter::send(after.process, go{});
    report.equal("is served", answer(second), "2");
    report.equal("one that stops by itself", failure_of([] { forge.call(smith::fail{}); }),
                 "broken");
    auto const status = forge.status();
    report.equal("counted", status.failed, 2u);
    report.equal("served", status.served, 1u);
  });
}

TEST_CASE("a worker that is late for its caller gets no other request before it has answered",
          "[worker_pool][GC-6]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 1});
    asked const late = ask(1);
    begun const b = next_begun();
    report.check("late", !otter::receive_response(late, 0s));
    asked const next_one = ask(2);
    auto const status = forge.status();
    report.check("it still works", status.working == 1 && status.waiting == 1);
    otter::send(b.process, go{});
    report.equal("then", next_begun().n, 2);
    otter::send(b.process, go{});
    report.equal("it answers who waits", answer(next_one), "2");
  });
}

TEST_CASE("a key is always served by the same worker, also when that was started again",
          "[worker_pool][PS-2]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 3});
    auto const serves = [](auto const& key) { return forge.call_by_key(key, smith::number{}); };
    report.equal("7", serves(7), 1u);
    report.equal("-7", serves(-7), 1u);
    unsigned const of_ann = serves("ann");
    std::set<unsigned> used;
    for (int i = 0; i != 50; ++i) {
      report.equal("a text", serves(std::string("ann")), of_ann);
      used.insert(serves(fmt::format("user {}", i)));
    }
    report.equal("all work", used.size(), std::size_t{3});
    asked const id = ask_by_key(7, 1);
    otter::exit(next_begun().process, otter::exit_reason::kill());
    report.equal("it ends", answer(id), "killed");
    report.equal("the same number", serves(7), 1u);
  });
}

TEST_CASE("requests of one key wait for each other, and not those of other keys", "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 2});
    std::vector<asked> const ids = {ask_by_key(0, 1), ask_by_key(0, 2), ask_by_key(0, 3),
                                    ask_by_key(1, 4)};
    std::set<int> first;
    otter::pid of_zero;
    for (int i = 0; i != 2; ++i) {
      begun const b = next_begun();
      first.insert(b.n);
      if (b.worker == 0) of_zero = b.process;
      if (b.worker == 1) otter::send(b.process, go{});
    }
    report.check("one of each", first == std::set<int>{1, 4});
    report.equal("the other is done", answer(ids[3]), "4");
    report.equal("they still wait", forge.status().waiting, std::size_t{2});
    otter::send(of_zero, go{});
    report.equal("in order", next_begun().n, 2);
    otter::send(of_zero, go{});
    report.equal("in order", next_begun().n, 3);
    otter::send(of_zero, go{});
    report.equal("all", answer(ids[0]) + answer(ids[1]) + answer(ids[2]), "123");
  });
}

TEST_CASE("who came first is served first, with a key or without", "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 1});
    std::vector<asked> const ids = {ask(1), ask_by_key(0, 2), ask(3), ask_by_key(5, 4)};
    for (int i = 1; i <= 4; ++i) {
      begun const b = next_begun();
      report.equal("order", b.n, i);
      otter::send(b.process, go{});
    }
    for (auto const& id : ids) answer(id);
  });
}

TEST_CASE("what a worker does not understand fails, and the worker goes on", "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    must_start({.workers = 1});
    otter::worker_pool<> const untyped("forge");
    auto const got = untyped.try_call(smith::unheard_of{});
    report.equal("why", got ? std::string_view() : got.error().type_name(), otter::unknown_request);
    report.equal("it goes on", forge.call(smith::number{}), 0u);
    report.equal("missing", forge.status().missing, 0u);
  });
}

TEST_CASE("a pool whose workers do not stay ends, and its callers hear of it", "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const owner = otter::spawn_monitor([&] {
      otter::trap_exit(true);
      must_start({.workers = 1, .intensity = 1});
      report.equal("a worker ends", failure_of([] { forge.call(smith::fail{}); }), "broken");
      // The pool may be stopped before it has heard how the worker ended.
      std::string const last = failure_of([] { forge.call(smith::fail{}); });
      report.check("another one: " + last, last == "broken" || last == "shutdown");
      report.equal("the pool ends",
                   otter::receive([](otter::exited e) { return to_string(e.reason); }), "shutdown");
      report.equal("nobody serves", failure_of([] { forge.call(smith::number{}); }), "noproc");
    });
    end_of(owner.ref);
  });
}

TEST_CASE("a pool that cannot be is refused, and its name is that of one", "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    otter::worker_pool<smith> const nameless("");
    report.equal("no name", errc_of([&] { nameless.start_link({}).value(); }), "badarg");
    report.equal("too many", errc_of([] { must_start({.workers = 65'537}); }), "badarg");
    report.equal("not running", failure_of([] { static_cast<void>(forge.status()); }), "noproc");
    otter::pid const sup = must_start({.workers = 2});
    auto const second =
        forge.start_link({.start = [] { return smith::start_link(otter::pid{}, 0u); }});
    report.check("once",
                 !second && second.error().what == otter::start_error::kind::already_started);
    report.equal("workers", forge.status().workers, 2u);
    otter::stop(sup);
    report.check("it ends with its supervisor", !otter::whereis("forge"));
    must_start({.workers = 1});
    report.equal("and starts again", forge.call(smith::number{}), 0u);
  });
}

namespace worker_pool_test {

struct fresh {
  otter::pid worker;
};

/// Gives back what it gets.
class echo : public otter::gen_server<echo> {
 public:
  struct say {
    using reply = int;
    int n;
  };
  using accepts = otter::accepts<say>;
  int handle_call(say s) {
    otter::checkpoint();
    return s.n;
  }
};

}  // namespace worker_pool_test

// Callers ask with keys and without while workers are killed: an answer is one's own, or there is a
// reason; in the end all workers are free.
TEST_CASE("a pool whose workers are killed answers each caller once, and loses none",
          "[worker_pool]") {
  on_every_driver([](driver_report& report) {
    otter::worker_pool<worker_pool_test::echo> const echoes("echoes");
    echoes
        .start_link({.start =
                         [test = otter::self()] {
                           auto started = worker_pool_test::echo::start_link();
                           if (started) otter::send(test, worker_pool_test::fresh{*started});
                           return started;
                         }},
                    {.workers = 3, .intensity = 10'000})
        .value();
    auto const wrong = std::make_shared<std::atomic<int>>(0);
    auto const answered = std::make_shared<std::atomic<int>>(0);
    std::vector<otter::monitor_ref> callers;
    for (int c = 0; c != 6; ++c)
      callers.push_back(
          otter::spawn_monitor([=] {
            for (int i = 0; i != 60; ++i) {
              int const n = c * 1000 + i;
              auto const got =
                  i % 2 == 0 ? echoes.try_call(worker_pool_test::echo::say{n}, patience)
                             : echoes.try_call_by_key(c, worker_pool_test::echo::say{n}, patience);
              if (got && *got != n) ++*wrong;
              if (!got && got.error() == otter::exit_kind::timeout) ++*wrong;
              if (got) ++*answered;
            }
          }).ref);
    for (int i = 0; i != 20; ++i)
      otter::exit(otter::receive([](worker_pool_test::fresh f) { return f.worker; }),
                  otter::exit_reason::kill());
    for (auto const ref : callers) report.equal("a caller ends", end_of(ref), "normal");
    report.equal("wrong answers", wrong->load(), 0);
    report.check("most are answered", answered->load() > 180);
    while (echoes.status().missing != 0) otter::checkpoint();
    auto const status = echoes.status();
    report.check("all are free", status.working == 0 && status.waiting == 0);
    report.equal("each request has ended in one way", status.served + status.failed, 360u);
  });
}
