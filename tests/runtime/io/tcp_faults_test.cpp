// The simulated network on a bad day: connections that are reset under way, owners that are killed.

#include "io/ports.hpp"
#include "io/simulated_network.hpp"
#include "node/node_core.hpp"
#include "process/process_system.hpp"
#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

rts::simulated_network& network_of(simulation& sim) {
  return static_cast<rts::simulated_network&>(rts::io_state::of(sim.core().system()).net());
}

/// Ten clients send numbered lines to ten servers, each in a process of its own. Each server tells
/// what it has got; `kill_some` ends some of the clients in the middle.
struct storm {
  std::vector<std::string> wrong;
  int whole = 0;
  int broken = 0;

  void run(bool kill_some) {
    constexpr int connections = 10;
    constexpr int lines_each = 200;
    tcp_options o;
    o.packet = packet::line;
    o.active = active_n(3);
    o.show_econnreset = true;
    auto l = must(tcp_listen(tcp_address::loopback(0), o), "listen");
    auto const at = must(l.local_address(), "address");
    pid const home = self();
    std::vector<pid> clients;
    for (int n = 0; n < connections; ++n) {
      spawn([l, home] {
        auto const accepted = tcp_accept(l, long_time);
        if (!accepted) {
          otter::send(home, std::string("accept: ") + accepted.error().message());
          return;
        }
        tcp_socket const s = *accepted;
        int next = 0;
        std::string problem;
        bool reset = false;
        for (bool over = false; !over;) {
          std::string const m = next_message(s);
          if (m == "passive") {
            static_cast<void>(s.set_active(active_n(3)));
          } else if (m == "closed") {
            over = true;
          } else if (m == "error econnreset") {
            reset = true;
          } else if (m == "data '" + std::to_string(next) + "\n'" && !reset) {
            ++next;
          } else {
            problem = "unexpected " + m + " after " + std::to_string(next) + " lines";
            over = true;
          }
        }
        if (next_message(s, 10ms) != "nothing") problem = "something after the end";
        otter::send(home, problem.empty()
                              ? (next == lines_each ? std::string("whole") : std::string("broken"))
                              : problem);
      });
      clients.push_back(spawn([at] {
        auto const s = tcp_connect(at, {}, long_time);
        if (!s) return;
        for (int i = 0; i < lines_each; ++i)
          if (!s->send(std::to_string(i) + "\n")) return;
        s->close();
      }));
    }
    if (kill_some)
      for (std::size_t i = 0; i < clients.size(); i += 3)
        otter::exit(clients[i], exit_reason::kill());
    // A client that was killed or refused before it connected leaves a server without a peer.
    for (int n = 0; n < connections; ++n)
      receive(
          [this](std::string const& m) {
            if (m == "whole")
              ++whole;
            else if (m == "broken" || m == "accept: timeout")
              ++broken;
            else
              wrong.push_back(m);
          },
          after(2 * long_time, [this] { wrong.emplace_back("a server that says nothing"); }));
    l.close();
  }
};

}  // namespace

TEST_CASE("a connection that is reset under way ends once, after a prefix of what was sent",
          "[io][TCP-9][TCP-13][TCP-14]") {
  int whole = 0;
  int broken = 0;
  otter_test::seed_range const range = otter_test::seeds(some_seeds(60));
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter_test::run_of const line(seed);
    INFO("seed " << seed);
    simulation sim(seed);
    network_of(sim).reset_now_and_then(20'000);
    storm s;
    auto const result = sim.run([&] { s.run(false); });
    CHECK(to_string(result.main) == "normal");
    CHECK(s.wrong == std::vector<std::string>{});
    CHECK(ports_left(sim) == 0);
    CHECK(sim.statistics().processes == 0);
    whole += s.whole;
    broken += s.broken;
  }
  // Both happen, or the test shows nothing.
  if (range.one_alone) return;
  CHECK(whole > 0);
  CHECK(broken > 0);
}

TEST_CASE("a path that stalls for a while delays everything, and loses nothing", "[io][TCP-9]") {
  bool delayed = false;
  otter_test::seed_range const range = otter_test::seeds(some_seeds(20));
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter_test::run_of const line(seed);
    INFO("seed " << seed);
    simulation sim(seed);
    network_of(sim).stall_now_and_then(20'000, 1s);
    storm s;
    auto const result = sim.run([&] { s.run(false); });
    CHECK(to_string(result.main) == "normal");
    CHECK(s.wrong == std::vector<std::string>{});
    CHECK(s.whole == 10);
    CHECK(ports_left(sim) == 0);
    delayed = delayed || result.virtual_time > 500ms;
  }
  CHECK((delayed || range.one_alone));
}

TEST_CASE("owners that are killed leave their peers an orderly end", "[io][TCP-9][TCP-16]") {
  int broken = 0;
  otter_test::seed_range const range = otter_test::seeds(some_seeds(60));
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter_test::run_of const line(seed);
    INFO("seed " << seed);
    simulation sim(seed);
    storm s;
    auto const result = sim.run([&] { s.run(true); });
    CHECK(to_string(result.main) == "normal");
    CHECK(s.wrong == std::vector<std::string>{});
    CHECK(ports_left(sim) == 0);
    broken += s.broken;
  }
  CHECK((broken > 0 || range.one_alone));
}

TEST_CASE("one seed gives one trace of a network, another seed another", "[io][TCP-27]") {
  auto digest = [](std::uint64_t seed) {
    simulation sim(seed);
    network_of(sim).reset_now_and_then(10'000);
    storm s;
    return sim.run([&] { s.run(true); }).digest;
  };
  for (std::uint64_t seed = 1; seed <= some_seeds(10); ++seed) {
    INFO("simulation seed " << seed);
    CHECK(digest(seed) == digest(seed));
    CHECK(digest(seed) != digest(seed + 1));
  }
}
