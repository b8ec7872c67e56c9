// Plain threads that take part in a node.

#include <poll.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <otter/attached_thread.hpp>
#include <otter/blocking.hpp>
#include <otter/detail/call.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <string>
#include <thread>
#include <vector>

#include "process_support.hpp"

using otter::attached_thread;

using namespace process_test;

namespace {

struct hello {
  otter::pid from;
};

otter::node_options quiet(unsigned workers = 2) {
  return {.workers = workers, .on_event = [](otter::node_event const&) {}};
}

/// Answers each call of a number with its double.
class doubler final : public otter::reactive {
 public:
  void start() override {}
  void handle(otter::event& what) override {
    if (number* x = what.get_if<number>();
        x != nullptr && what.what() == otter::event::kind::request)
      otter::detail::reply(what.caller(), otter::detail::pack<number>(
                                              otter::detail::signal_kind::reply, number{2 * x->n}));
    if (what.get_if<go>() != nullptr) stop(exit_reason::normal());
  }
};

int call_doubler(otter::pid server, int n) {
  otter::detail::response r = otter::detail::call(
      server, otter::detail::pack<number>(otter::detail::signal_kind::request, number{n}),
      otter::infinity);
  return r.reply ? static_cast<number*>(r.reply->payload())->n : -1;
}

bool readable(int fd, int timeout_ms) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLIN) != 0;
}

}  // namespace

TEST_CASE("an attached thread has a pid, spawns, sends and receives", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  CHECK(otter::self() == me.self());
  otter::pid child = otter::spawn([parent = otter::self()] {
    otter::send(parent, hello{otter::self()});
    otter::receive([parent](number x) { otter::send(parent, number{x.n + 1}); });
  });
  CHECK(otter::receive([](hello h) { return h.from; }) == child);
  otter::send(child, number{4});
  CHECK(otter::receive([](number x) { return x.n; }) == 5);
  CHECK(otter::receive([](number) { return 1; }, otter::after(1ms, [] { return 0; })) == 0);
}

TEST_CASE("a plain thread whose spawn is refused keeps nothing of it, and goes on", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  otter::register_name("taken", me.self());
  auto const held = std::make_shared<int>(0);
  auto refused = [&](auto spawn) {
    try {
      spawn([held] {});
    } catch (otter::error const&) {
      return true;
    }
    return false;
  };
  CHECK(refused([](auto body) { otter::spawn({.name = "taken"}, body); }));
  bool elsewhere = false;  // on a thread that takes no part
  std::thread([&] {
    elsewhere = refused([&](auto body) { node.spawn({.name = "taken"}, body); });
  }).join();
  CHECK(elsewhere);
  CHECK(held.use_count() == 1);
  otter::spawn([parent = otter::self()] { otter::send(parent, number{1}); });
  CHECK(otter::receive([](number x) { return x.n; }) == 1);
}

TEST_CASE("an attached thread calls a server", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  otter::pid server = otter::spawn_reactive({}, otter::make_reactive<doubler>());
  for (int i = 0; i < 20; ++i) CHECK(call_doubler(server, i) == 2 * i);
  otter::monitor_ref end = otter::monitor(server);
  otter::send(server, go{});
  CHECK(end_of(end) == "normal");
  CHECK(call_doubler(server, 1) == -1);
}

TEST_CASE("an attached thread has names, links, monitors and facts as a process has", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  otter::register_name("thread", me.self());
  otter::spawn([] { otter::send("thread", number{1}); });
  CHECK(otter::receive([](number x) { return x.n; }) == 1);
  otter::trap_exit(true);
  otter::pid child = otter::spawn_link([] { otter::exit(exit_reason::of("x")); });
  CHECK(otter::receive([](otter::exited e) { return e.process; }) == child);
  CHECK(otter::process_info<std::string>(me.self(), otter::info_item::registered_name) == "thread");
  CHECK(otter::is_alive(me.self()));
}

TEST_CASE("an exit signal makes an attached thread's next receive throw", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  otter::spawn([thread = me.self()] { otter::exit(thread, exit_reason::of("leave")); });
  std::string reason;
  try {
    otter::receive([](go) {});
  } catch (otter::process_exit const& e) {
    reason = to_string(e.reason());
  }
  CHECK(reason == to_string(exit_reason::of("leave")));
}

TEST_CASE("an attached thread that leaves is dead for those who watch it", "[bridge]") {
  otter::node node(quiet());
  std::string reason = "none";
  std::thread::id const test = std::this_thread::get_id();
  bool elsewhere = false;
  attached_thread me(node);
  std::thread other([&, tester = me.self()] {
    attached_thread here(node);
    elsewhere = std::this_thread::get_id() != test;
    otter::send(tester, hello{here.self()});
    otter::receive([](go) {});
  });
  otter::pid const p = otter::receive([](hello h) { return h.from; });
  otter::monitor_ref end = otter::monitor(p);
  otter::send(p, go{});
  reason = end_of(end);
  other.join();
  CHECK(elsewhere);
  CHECK(reason == "normal");
  CHECK_FALSE(otter::is_alive(p));
}

TEST_CASE("many attached threads talk to each other and to processes", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  otter::pid server = otter::spawn_reactive({}, otter::make_reactive<doubler>());
  constexpr int count = 4;
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t)
    threads.emplace_back([&node, server, tester = me.self()] {
      attached_thread here(node);
      int sum = 0;
      for (int i = 0; i < 100; ++i) sum += call_doubler(server, i);
      otter::send(tester, number{sum});
    });
  int total = 0;
  for (int t = 0; t < count; ++t) total += otter::receive([](number x) { return x.n; });
  for (std::thread& t : threads) t.join();
  CHECK(total == count * 9900);
}

TEST_CASE("a thread is attached to one node at a time", "[bridge]") {
  otter::node a(quiet());
  otter::node b(quiet());
  {
    attached_thread here(a);
    CHECK(errc_of([&] { attached_thread again(a); }) == "badarg");
    CHECK(errc_of([&] { attached_thread other(b); }) == "badarg");
    CHECK(otter::self() == here.self());
  }
  attached_thread then(b);
  CHECK(otter::self() == then.self());
}

TEST_CASE("a thread that is not attached is refused", "[bridge]") {
  otter::node node(quiet());
  CHECK(errc_of([] { otter::self(); }) == "not_in_process");
  CHECK(errc_of([] { otter::spawn([] {}); }) == "not_in_process");
  CHECK(errc_of([] { otter::receive([](go) {}); }) == "not_in_process");
}

TEST_CASE("blocking runs in place on an attached thread, which has no timers", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  CHECK(otter::blocking([] { return std::this_thread::get_id(); }) == std::this_thread::get_id());
  CHECK(errc_of([] { otter::send_after(1ms, otter::self(), go{}); }) == "not_in_process");
}

TEST_CASE("nodes of one OS process are strangers to each other", "[bridge][node]") {
  otter::node a(quiet(1));
  otter::node b(quiet(1));
  otter::pid at_a;
  std::atomic<bool> ready{false};
  std::thread other([&] {
    attached_thread here(a);
    at_a = here.self();
    ready = true;
    otter::receive([](go) {});
  });
  while (!ready) std::this_thread::yield();
  {
    attached_thread me(b);
    CHECK(me.self() != at_a);
    CHECK_FALSE(otter::is_alive(at_a));
    otter::send(at_a, number{1});  // dropped: b cannot reach a
    CHECK(end_of(otter::monitor(at_a)) == "noproc");
    CHECK(errc_of([&] { otter::link(at_a); }) == "noproc");
    otter::register_name("one", me.self());
  }
  {
    std::thread ends([&] {
      attached_thread me(a);
      otter::register_name("one", me.self());  // names are a node's own
      otter::send(at_a, go{});
    });
    ends.join();
  }
  other.join();
  CHECK(a.statistics().processes == 0);
}

TEST_CASE("a node that stops is no reason for another to", "[bridge][node]") {
  otter::node a(quiet(1));
  otter::node b(quiet(1));
  a.run([] {});
  CHECK(a.stop().empty());
  int got = 0;
  b.run([&] {
    otter::send(otter::self(), number{3});
    got = otter::receive([](number x) { return x.n; });
  });
  CHECK(got == 3);
}

TEST_CASE("the descriptor is readable while something waits", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  int const fd = me.event_fd();
  CHECK(me.event_fd() == fd);
  CHECK_FALSE(readable(fd, 0));
  otter::pid p = otter::spawn([thread = me.self()] {
    otter::send(thread, number{1});
    otter::send(thread, number{2});
    otter::receive([](go) {});
    otter::send(thread, number{3});
  });
  CHECK(readable(fd, -1));
  CHECK(otter::receive([](number x) { return x.n; }, otter::after(0s, [] { return 0; })) == 1);
  CHECK(otter::receive([](number x) { return x.n; }) == 2);
  otter::send(p, go{});
  CHECK(readable(fd, -1));
  CHECK(otter::receive([](number x) { return x.n; }, otter::after(0s, [] { return 0; })) == 3);
  CHECK_FALSE(readable(fd, 0));
}

TEST_CASE("a descriptor made late knows of what waits already", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  otter::send(me.self(), number{1});
  CHECK(readable(me.event_fd(), 0));
  CHECK(otter::receive([](number x) { return x.n; }, otter::after(0s, [] { return 0; })) == 1);
}

TEST_CASE("a foreign event loop misses no message", "[bridge]") {
  otter::node node(quiet());
  attached_thread me(node);
  constexpr int senders = 4;
  constexpr int each = 500;
  for (int s = 0; s < senders; ++s)
    otter::spawn([thread = me.self()] {
      for (int i = 0; i < each; ++i) otter::send(thread, number{1});
    });
  int const fd = me.event_fd();
  int got = 0;
  while (got < senders * each) {
    REQUIRE(readable(fd, -1));
    for (int n = 1; n != 0;) {
      n = otter::receive([](number x) { return x.n; }, otter::after(0s, [] { return 0; }));
      got += n;
    }
  }
  CHECK(got == senders * each);
  CHECK_FALSE(readable(fd, 0));
}

TEST_CASE("timers that others cancel are released though their worker sleeps", "[timer][TM-11]") {
  struct started {
    std::vector<otter::timer_ref> timers;
  };
  constexpr std::size_t many = 5000, few = 1024;  // a sleeper is woken for so many, not for fewer
  otter::node n(quiet(1));
  {
    attached_thread me(n);
    otter::pid const owner = otter::spawn([test = otter::self()] {
      started mine;
      for (std::size_t i = 0; i < many; ++i)
        mine.timers.push_back(otter::send_after(std::chrono::hours(1), otter::self(), number{0}));
      otter::send(test, std::move(mine));
      otter::receive([](go) {});
    });
    auto const timers = otter::receive([](started s) { return std::move(s.timers); });
    std::size_t cancelled = 0;
    for (otter::timer_ref const t : timers) cancelled += otter::cancel_timer(t).has_value();
    CHECK(cancelled == many);
    auto const limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (n.statistics().timers > few && std::chrono::steady_clock::now() < limit)
      std::this_thread::yield();
    CHECK(n.statistics().timers <= few);
    otter::send(owner, go{});
  }
  CHECK(n.stop().empty());
  CHECK(n.statistics().timers == 0);
}
