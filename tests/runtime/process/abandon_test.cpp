// What cannot be killed is given up: for everybody else it ends as if it had been.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <mutex>
#include <otter/attached_thread.hpp>
#include <otter/blocking.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct here_i_am {};
struct told {
  std::string what;
};

/// Longer than anything takes; never the thing that is tested.
constexpr auto patience = 60s;

/// Where a process cannot be reached until it is let go.
class gate {
 public:
  gate() { REQUIRE(::pipe2(ends_.data(), O_CLOEXEC) == 0); }
  ~gate() {
    ::close(ends_[0]);
    open();
  }
  void loop() const {
    while (!open_.load(std::memory_order_acquire)) {
    }
  }
  void system_call() const {
    char c = 0;
    while (::read(ends_[0], &c, 1) < 0) {
    }
  }
  /// Whoever is in there comes out.
  void open() {
    if (open_.exchange(true, std::memory_order_acq_rel)) return;
    ::close(ends_[1]);
  }

 private:
  std::array<int, 2> ends_{};
  std::atomic<bool> open_{false};
};

class recorded_node {
 public:
  recorded_node()
      : node({.workers = 1,
              .kill_limit = 20ms,
              .stall_backtraces = true,
              .on_event = [this](otter::node_event const& e) {
                std::lock_guard lock(mutex_);
                events_.push_back(e);
              }}) {}
  std::vector<otter::node_event> events(otter::node_event::kind what) const {
    std::lock_guard lock(mutex_);
    std::vector<otter::node_event> found;
    for (auto const& e : events_)
      if (e.what == what) found.push_back(e);
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<otter::node_event> events_;

 public:
  otter::node node;
};

bool comes_here() {
  return otter::receive([](here_i_am) { return true; },
                        otter::after(patience, [] { return false; }));
}

/// Why the process that `watch` watches has ended.
std::string end_of(otter::monitor_ref watch) {
  return otter::receive(otter::when([&](otter::down const& d) { return d.ref == watch; },
                                    [](otter::down d) { return to_string(d.reason); }),
                        otter::after(patience, [] { return std::string("no end"); }));
}

/// A process that says that it is there, and then waits for what never comes.
otter::pid waiting_process(otter::pid test) {
  return otter::spawn([test] {
    otter::send(test, here_i_am{});
    otter::receive([](double) {});
  });
}

/// The node still does what a node does.
void check_works(otter::pid test) {
  otter::spawn([test] { otter::send(test, told{"works"}); });
  CHECK(otter::receive([](told t) { return t.what; },
                       otter::after(patience, [] { return std::string("nothing"); })) == "works");
}

/// `stuck` is killed, with 1,000 processes that wait on its thread.
template <class Stay>
void abandon_with_a_thousand(Stay stay) {
  constexpr std::size_t waiting = 1000;
  gate g;
  recorded_node n;
  otter::attached_thread me(n.node);
  otter::pid const test = otter::self();
  std::vector<otter::monitor_ref> watches;
  std::vector<otter::pid> all;
  for (std::size_t i = 0; i < waiting; ++i) {
    all.push_back(waiting_process(test));
    watches.push_back(otter::monitor(all.back()));
  }
  for (std::size_t i = 0; i < waiting; ++i) REQUIRE(comes_here());
  all.push_back(otter::spawn({.name = "stuck"}, [&, test] {
    otter::send(test, here_i_am{});
    stay(g);
    otter::send(test, told{"never"});
  }));
  watches.push_back(otter::monitor(all.back()));
  REQUIRE(comes_here());

  for (otter::pid p : all) otter::exit(p, otter::exit_reason::kill());
  std::size_t killed = 0;
  for (auto watch : watches) killed += end_of(watch) == "killed" ? 1 : 0;
  CHECK(killed == waiting + 1);

  CHECK_FALSE(otter::is_alive(all.back()));
  CHECK_FALSE(otter::whereis("stuck"));
  CHECK(n.node.statistics().abandoned >= 1);
  auto const reports = n.events(otter::node_event::kind::process_abandoned);
  REQUIRE_FALSE(reports.empty());
  CHECK(reports.size() == n.node.statistics().abandoned);
  bool named = false;
  // Each that waits says where: its frames are read. Who runs is asked by a signal, which may be
  // late on a busy machine.
  std::size_t without_place = 0;
  for (auto const& e : reports)
    without_place +=
        e.process != all.back() && std::count(e.text.begin(), e.text.end(), '\n') <= 5 ? 1 : 0;
  CHECK(without_place == 0);
  for (auto const& e : reports)
    named = named || (e.process == all.back() && e.text.find("> stuck ") != std::string::npos);
  CHECK(named);
  check_works(test);

  // It is refused when it comes back, and its thread is of use again.
  g.open();
  check_works(test);
}

}  // namespace

TEST_CASE("a busy loop that is killed is given up, with a thousand that wait on its thread",
          "[process][abandon][X-3]") {
  abandon_with_a_thousand([](gate const& g) { g.loop(); });
}

TEST_CASE("a stuck system call that is killed is given up, with a thousand behind it",
          "[process][abandon][X-3]") {
  abandon_with_a_thousand([](gate const& g) { g.system_call(); });
}

TEST_CASE("a killed process whose blocking job does not return is given up",
          "[process][abandon][blocking]") {
  gate g;
  recorded_node n;
  otter::attached_thread me(n.node);
  otter::pid const test = otter::self();
  std::atomic<bool> inside{false};
  otter::pid const stuck = otter::spawn({.name = "stuck"}, [&, test] {
    int const answer = otter::blocking([&] {
      inside = true;
      g.system_call();
      return 42;
    });
    otter::send(test, told{std::to_string(answer)});
  });
  auto const watch = otter::monitor(stuck);
  while (!inside) std::this_thread::yield();
  otter::exit(stuck, otter::exit_reason::kill());
  CHECK(end_of(watch) == "killed");
  CHECK_FALSE(otter::whereis("stuck"));
  auto const reports = n.events(otter::node_event::kind::process_abandoned);
  REQUIRE(reports.size() == 1);
  CHECK(reports.front().text.find("(blocking)") != std::string::npos);
  CHECK(std::count(reports.front().text.begin(), reports.front().text.end(), '\n') > 5);
  check_works(test);
  g.open();  // its frames are there for the job, which ends now
}

TEST_CASE("a killed process whose blocking job returns in time ends as usual",
          "[process][abandon][blocking]") {
  gate g;
  otter::node n({.workers = 1, .kill_limit = 60s});
  otter::attached_thread me(n);
  otter::pid const test = otter::self();
  otter::pid const busy = otter::spawn([&] {
    otter::blocking([&] {
      g.system_call();
      return 0;
    });
    otter::send(test, told{"not reached"});
  });
  auto const watch = otter::monitor(busy);
  otter::exit(busy, otter::exit_reason::kill());
  g.open();
  CHECK(end_of(watch) == "killed");
  CHECK(n.statistics().abandoned == 0);
}

TEST_CASE("an abandoned process is refused by the runtime when it comes back",
          "[process][abandon]") {
  gate g;
  recorded_node n;
  otter::attached_thread me(n.node);
  otter::pid const test = otter::self();
  std::atomic<int> refused{0};
  std::atomic<bool> done{false};
  otter::pid const stuck = otter::spawn([&] {
    otter::send(test, here_i_am{});
    g.loop();
    for (int i = 0; i < 3; ++i) {
      try {
        otter::send(test, told{"never"});
      } catch (otter::error const& e) {
        if (e.code() == otter::errc::abandoned) ++refused;
      }
    }
    // What throws nothing does nothing: its block may be another process's by now.
    otter::trap_exit(true);
    otter::set_sensitive(true);
    otter::set_priority(otter::priority::low);
    otter::defer_exit guard;
    done = true;
  });
  REQUIRE(comes_here());
  auto const watch = otter::monitor(stuck);
  otter::exit(stuck, otter::exit_reason::kill());
  CHECK(end_of(watch) == "killed");
  // Among so many is the one that has its block.
  std::vector<otter::pid> heirs;
  for (int i = 0; i < 100; ++i) heirs.push_back(waiting_process(test));
  for (int i = 0; i < 100; ++i) REQUIRE(comes_here());
  g.open();
  while (!done) std::this_thread::yield();
  CHECK(refused == 3);
  check_works(test);
  for (otter::pid heir : heirs) {
    REQUIRE(otter::is_alive(heir));
    auto const end = otter::monitor(heir);
    otter::exit(heir, otter::exit_reason::shutdown());
    REQUIRE(end_of(end) == "shutdown");
  }
}

namespace {

/// Writes over what lay on the stack.
[[gnu::noinline]] void scribble() {
  std::array<unsigned char, 16 * 1024> bytes;
  bytes.fill(0xee);
  asm volatile("" : : "r"(bytes.data()) : "memory");
}

}  // namespace

TEST_CASE("the limit of a receive that is given up in its guard is forgotten",
          "[process][abandon]") {
  gate g;
  recorded_node n;
  otter::attached_thread me(n.node);
  otter::pid const test = otter::self();
  std::atomic<bool> refused{false}, done{false};
  otter::pid const waiting = waiting_process(test);  // has its frames on the thread that is lost
  REQUIRE(comes_here());
  otter::pid const stuck = otter::spawn([&] {
    otter::spawn([to = otter::self()] { otter::send(to, told{"before the worker looks"}); });
    try {
      otter::receive(otter::when(
                         [&](told const&) {
                           otter::send(test, here_i_am{});
                           g.loop();
                           return true;
                         },
                         [](told) {}),
                     otter::after(1h));
    } catch (otter::error const& e) {
      refused = e.code() == otter::errc::abandoned;
    }
    scribble();  // where the limit was
    done = true;
  });
  REQUIRE(comes_here());
  auto const watch = otter::monitor(stuck);
  otter::exit(stuck, otter::exit_reason::kill());
  CHECK(end_of(watch) == "killed");
  g.open();
  while (!done) std::this_thread::yield();
  CHECK(refused);
  // The thread goes on, and looks at its clock.
  auto const end = otter::monitor(waiting);
  otter::send(waiting, 1.0);
  CHECK(end_of(end) == "normal");
  check_works(test);
}

namespace {

/// The node is stopped while one of its processes stays where it cannot be reached, and 1,000 wait
/// on its thread.
template <class Stay>
void stop_with_a_thousand(Stay stay) {
  constexpr int waiting = 1000;
  // All of it outlives the test: the thread that is left behind still looks at it.
  static gate g;
  static std::atomic<int> there{0};
  static auto* const n = new otter::node(
      {.workers = 1, .kill_limit = 20ms, .on_event = [](otter::node_event const&) {}});
  for (int i = 0; i < waiting; ++i)
    n->spawn([] {
      ++there;
      otter::receive([](double) {});
    });
  while (there != waiting) std::this_thread::yield();
  n->spawn([stay] {
    ++there;
    stay(g);
  });
  while (there != waiting + 1) std::this_thread::yield();
  auto const left = n->stop(20ms);
  std::string all;
  for (std::string const& line : left) all += line + "\n";
  INFO(all);
  CHECK(all.find("user code of abandoned processes") != std::string::npos);
  CHECK(n->statistics().abandoned == waiting + 1);
  CHECK(n->statistics().processes == 0);
  CHECK(n->stop(20ms) == left);
  g.open();
}

}  // namespace

TEST_CASE("a node stops though a busy loop does not end, with a thousand that wait on its thread",
          "[process][abandon][node]") {
  stop_with_a_thousand([](gate const& g) { g.loop(); });
}

TEST_CASE("a node stops though a system call does not return, with a thousand behind it",
          "[process][abandon][node]") {
  stop_with_a_thousand([](gate const& g) { g.system_call(); });
}

namespace {

/// Notes why it was asked to end. Holds no stack, so no lost thread holds it.
class asked_to_end final : public otter::reactive {
 public:
  explicit asked_to_end(std::promise<std::string>& why) : why_(why) {}
  void start() override { otter::trap_exit(true); }
  void handle(otter::event& what) override {
    auto* const e = what.get_if<otter::exited>();
    if (e == nullptr) return;
    why_.set_value(to_string(e->reason));
    stop(e->reason);
  }

 private:
  std::promise<std::string>& why_;
};

}  // namespace

TEST_CASE("a node that lost too many threads stops by itself, in order",
          "[process][abandon][node]") {
  // All of it outlives the test: the threads that are left behind still look at it.
  static gate g;
  static std::promise<std::string> failure, why;
  static auto* const n = new otter::node({.workers = 2,
                                          .kill_limit = 20ms,
                                          .max_abandoned = 1,
                                          .on_event = [](otter::node_event const& e) {
                                            if (e.what == otter::node_event::kind::failure)
                                              failure.set_value(e.text);
                                          }});
  n->spawn_body({}, otter::make_reactive<asked_to_end>(why));
  {
    otter::attached_thread me(*n);
    for (int i = 0; i < 2; ++i) {
      CHECK_FALSE(n->has_given_up());
      auto const stuck = otter::spawn_monitor([test = otter::self()] {
        otter::send(test, here_i_am{});
        g.loop();
      });
      REQUIRE(comes_here());
      otter::exit(stuck.process, otter::exit_reason::kill());
      // The second ends the node, and with it this thread's part in it.
      if (i == 0) REQUIRE(end_of(stuck.ref) == "killed");
    }
  }
  CHECK(failure.get_future().get().find("2 threads are lost") == 0);
  CHECK(why.get_future().get() == "shutdown");
  auto const left = n->stop();
  CHECK(n->has_given_up());
  CHECK(left.size() == 1);
  g.open();
}
