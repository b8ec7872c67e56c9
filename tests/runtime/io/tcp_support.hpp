#pragma once

// What the tests of sockets share: running a story on all drivers, and a connection to play with.
//
// A story runs in a process and writes down what it sees; the test compares that afterwards, in its
// own thread, since Catch's assertions must not be used in a process.

#include <catch2/catch.hpp>
#include <chrono>
#include <mutex>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <otter/tcp.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/sanitizers.hpp"
#include "node/node_core.hpp"
#include "seeds.hpp"

namespace tcp_test {

using namespace std::chrono_literals;

/// What the processes of one story saw, in the order of writing.
class notes {
 public:
  void add(std::string line) {
    std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

using lines = std::vector<std::string>;

inline constexpr otter::duration long_time = 20s;  // only a failing test waits for so long

/// Fewer where each step costs twenty times as much.
constexpr std::uint64_t some_seeds(std::uint64_t n) {
  return otter::rts::built_with_tsan ? n / 10 : n;
}

/// How many ports remain once those that were closed have sent what was queued.
inline std::size_t ports_left(otter::node const& node) {
  auto const give_up = std::chrono::steady_clock::now() + long_time;
  while (node.statistics().ports != 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  return node.statistics().ports;
}

inline std::size_t ports_left(otter::simulation& sim) {
  sim.core().sched().run_simulation([&] { return sim.statistics().ports == 0; });
  return sim.statistics().ports;
}

inline constexpr auto unprepared = [](otter::rts::node_core&) {};

/// Runs `story(notes&)` on a node with `options`; `prepare(core)` before anything runs.
template <class Story, class Prepare>
void on_node(otter::node_options const& options, lines const& expected, Story story,
             Prepare prepare) {
  notes seen;
  std::string reason;
  std::size_t ports = 1;
  std::size_t queued = 1;
  {
    otter::node node(options);
    prepare(node.core());
    reason = to_string(node.run([&] { story(seen); }));
    ports = ports_left(node);
    queued = node.statistics().queued_output;
  }
  CHECK(reason == "normal");
  CHECK(seen.lines() == expected);
  CHECK(ports == 0);
  CHECK(queued == 0);
}

/// On one and on four workers, and with both pollers.
template <class Story>
void on_threads(lines const& expected, Story story) {
  struct setting {
    unsigned workers;
    otter::poller_kind poller;
    std::uint32_t direct = 0;
  };
  for (auto const [workers, poller, direct] :
       {setting{1, otter::poller_kind::epoll}, setting{4, otter::poller_kind::epoll},
        setting{4, otter::poller_kind::io_uring}, setting{1, otter::poller_kind::io_uring, 100},
        setting{4, otter::poller_kind::epoll, 100}}) {
    INFO(workers << " workers, " << (poller == otter::poller_kind::epoll ? "epoll" : "io_uring")
                 << ", " << direct << " direct");
    otter::node_options options;
    options.workers = workers;
    options.poller = poller;
    options.direct_connections = direct;
    on_node(options, expected, story, unprepared);
  }
}

/// Runs it in simulation, with the simulated network, from several seeds. False if one of them saw
/// something else.
template <class Story, class Prepare>
bool in_simulation_with(otter::node_options const& options, lines const& expected, Story story,
                        Prepare prepare) {
  bool as_expected = true;
  otter_test::seed_range const range = otter_test::seeds(some_seeds(20));
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter_test::run_of const line(seed);
    INFO("seed " << seed);
    notes seen;
    otter::simulation_options simulated;
    simulated.node = options;
    otter::simulation sim(seed, simulated);
    prepare(sim.core());
    auto const result = sim.run([&] { story(seen); });
    CHECK(result.finished);
    CHECK(to_string(result.main) == "normal");
    CHECK(seen.lines() == expected);
    CHECK(ports_left(sim) == 0);
    CHECK(sim.statistics().queued_output == 0);
    as_expected = as_expected && result.finished && seen.lines() == expected;
  }
  return as_expected;
}

template <class Story>
bool in_simulation(lines const& expected, Story story) {
  return in_simulation_with({}, expected, story, unprepared);
}

template <class Story>
void everywhere(lines const& expected, Story story) {
  // The simulation first: where a story goes wrong, virtual time makes the waiting for what never
  // comes short, and on threads it would be long.
  if (in_simulation(expected, story) && !otter_test::seeds(1).one_alone)
    on_threads(expected, story);
}

/// On nodes with `options`, with one and with four workers; `prepare(core)` before anything runs.
template <class Story, class Prepare>
void everywhere_with(otter::node_options const& options, lines const& expected, Story story,
                     Prepare prepare) {
  if (!in_simulation_with(options, expected, story, prepare) || otter_test::seeds(1).one_alone)
    return;
  for (unsigned workers : {1u, 4u}) {
    INFO(workers << " workers");
    otter::node_options threads = options;
    threads.workers = workers;
    on_node(threads, expected, story, prepare);
  }
}
template <class Story>
void everywhere_with(otter::node_options const& options, lines const& expected, Story story) {
  everywhere_with(options, expected, story, unprepared);
}

/// Throws what ends the story if a step failed that the test is not about.
template <class T>
T must(otter::tcp_result<T> r, char const* what) {
  if (!r) throw std::runtime_error(std::string(what) + ": " + r.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

/// Until `process`, which has begun, waits for something or has ended. It answers at safe points
/// only, so then it is where it will be woken.
inline void until_waiting(otter::pid process) {
  for (;;) {
    auto const status =
        otter::process_info<otter::process_status>(process, otter::info_item::status);
    if (!status || *status == otter::process_status::waiting) return;
  }
}

struct begun {};

/// A linked process that runs `f`; returns when `f` waits for something.
template <class F>
otter::pid spawn_waiting(F f) {
  otter::pid const process = otter::spawn_link([home = otter::self(), f]() mutable {
    otter::send(home, begun{});
    f();
  });
  otter::receive([](begun) {});
  until_waiting(process);
  return process;
}

struct pair {
  otter::tcp_socket server, client;
  otter::tcp_listener listener;
};

/// A connection whose both ends belong to the caller.
inline pair connect_pair(otter::tcp_options server = {}, otter::tcp_options client = {}) {
  pair p;
  p.listener = must(otter::tcp_listen(otter::tcp_address::loopback(0), server), "listen");
  auto const at = must(p.listener.local_address(), "local_address");
  p.client = must(otter::tcp_connect(at, client, long_time), "connect");
  p.server = must(otter::tcp_accept(p.listener, long_time), "accept");
  return p;
}

inline std::string show(otter::tcp_result<std::string> const& r) {
  return r ? "'" + *r + "'" : r.error().message();
}
template <class T>
std::string show(otter::tcp_result<T> const& r) {
  return r ? "ok" : r.error().message();
}

/// The next message of `socket`, as text.
inline std::string next_message(otter::tcp_socket socket, otter::duration limit = long_time) {
  using namespace otter;
  return receive(when([=](tcp_data const& m) { return m.socket == socket; },
                      [](tcp_data m) { return "data '" + m.bytes + "'"; }),
                 when([=](tcp_closed const& m) { return m.socket == socket; },
                      [](tcp_closed) { return std::string("closed"); }),
                 when([=](tcp_error const& m) { return m.socket == socket; },
                      [](tcp_error m) { return "error " + m.error.message(); }),
                 when([=](tcp_passive const& m) { return m.socket == socket; },
                      [](tcp_passive) { return std::string("passive"); }),
                 after(limit, [] { return std::string("nothing"); }));
}

/// Data messages of an active socket put together until `n` bytes are there.
inline std::string gather(otter::tcp_socket socket, std::size_t n) {
  std::string all;
  while (all.size() < n) {
    std::string const m = next_message(socket);
    if (m.rfind("data '", 0) != 0) return all + " then " + m;
    all += m.substr(6, m.size() - 7);
  }
  return all;
}

/// Receives until `n` bytes are there or something else comes.
inline std::string receive_all(otter::tcp_socket socket, std::size_t n) {
  std::string all;
  while (all.size() < n) {
    auto r = socket.recv(0, long_time);
    if (!r) return all + " then " + r.error().message();
    all += *r;
  }
  return all;
}

/// `n` bytes that tell where they belong.
inline std::string numbered(std::size_t n, unsigned key = 0) {
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; ++i)
    s[i] = static_cast<char>((i * 131 + (i >> 8) * 7 + key) & 0xff);
  return s;
}

}  // namespace tcp_test
