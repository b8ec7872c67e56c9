// Sessions that go from version to version on a network that cuts, delays and resets: what an
// observer may see then, from many seeds.

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <otter/simulation.hpp>
#include <vector>

#include "io/ports.hpp"
#include "io/simulated_network.hpp"
#include "node/node_core.hpp"
#include "seeds.hpp"
#include "upgrade_support.hpp"

using namespace chat_test;

namespace {

/// What the clients of one run saw. A simulation is one thread.
struct ledger {
  bool resets = false;
  bool stop = false;
  std::size_t heard = 0;
  std::vector<std::string> complaints;
};

/// A client that comes again as often as its connection breaks, and sends numbers to the other's
/// account. What came by one connection of the other is heard in its order, and nothing twice.
/// Without resets there is one connection, and nothing is missing.
class walker {
 public:
  walker(ledger& l, running_server const& server, std::string me, std::string other)
      : ledger_{l}, address_{server.address()}, me_{std::move(me)}, other_{std::move(other)} {}

  void run() {
    for (;;) {
      try {
        if (once()) return;
      } catch (std::exception const& e) {  // no connection, or nothing comes on it
        if (!ledger_.resets) return complain(e.what());
      }
      if (ledger_.stop) return;
      if (!ledger_.resets) return complain("its connection has ended");
    }
  }

 private:
  /// One connection. False if it breaks.
  bool once() {
    wire client{address_};
    ++connection_;
    client.open();
    client.authenticate(me_);
    client.open();
    client.bind("r");
    client.send("<presence/>");
    for (int i = 0; i < 3; ++i) say(client);
    std::map<int, int> last;  // by the other's connection
    bool leaving = false;
    for (;;) {
      if (client.until("<body>").ends_with(" [ended]")) return leaving;
      auto const text = client.until("</body>");
      if (text.ends_with(" [ended]")) return leaving;
      int connection = 0;
      int number = 0;
      if (std::sscanf(text.c_str(), "%d %d", &connection, &number) != 2) complain("heard " + text);
      auto const [before, first] = last.emplace(connection, number);
      if (!first) {
        bool const follows =
            ledger_.resets ? number > before->second : number == before->second + 1;
        if (!follows)
          complain(fmt::format("heard {} behind {} of connection {}", number, before->second,
                               connection));
        before->second = number;
      } else if (!ledger_.resets && number != 0) {
        complain(fmt::format("heard {} first", number));
      }
      ++ledger_.heard;
      say(client);
      // The other one must hear something to find out that it may leave.
      if (ledger_.stop && !std::exchange(leaving, true)) client.send("</stream:stream>");
      if (leaving) return client.rest(), true;
    }
  }
  void say(wire& client) {
    client.say(other_ + "@localhost", fmt::format("{} {}", connection_, said_++));
  }
  void complain(std::string const& what) {
    ledger_.complaints.push_back(fmt::format("{}: {}", me_, what));
  }

  ledger& ledger_;
  otter::tcp_address address_;
  std::string me_;
  std::string other_;
  int connection_ = 0;
  int said_ = 0;
};

}  // namespace

TEST_CASE(
    "from any seed, on a network that cuts, delays and resets, sessions go from version to version",
    "[chat][upgrade][seeds]") {
  std::uint64_t const how_many = std::getenv("OTTER_FULL_SIZES") != nullptr ? 500 : 12;
  auto const range = otter_test::seeds(how_many);
  std::size_t heard = 0;
  for (auto seed = range.first; seed <= range.last; ++seed) {
    otter_test::run_of const line(seed);
    INFO("simulation, seed " << seed);
    ledger l;
    l.resets = seed % 2 == 0;
    std::vector<std::string> events;
    otter::simulation_options options;
    options.workers = 1 + static_cast<unsigned>(seed % 4);
    options.node.on_event = [&](otter::node_event const& e) {
      if (e.what == otter::node_event::kind::crash || e.what == otter::node_event::kind::failure)
        events.push_back(e.text);
    };
    otter::simulation simulation(seed, options);
    if (l.resets) {
      auto& ports = otter::rts::io_state::of(simulation.core().system());
      static_cast<otter::rts::simulated_network&>(ports.net()).reset_now_and_then(3'000);
    }
    auto const end = simulation.run([&] {
      running_server server{{}, session_file(1)};
      std::vector<otter::spawned> clients;
      for (auto const* name : {"alice", "bob"})
        clients.push_back(otter::spawn_monitor([&, name] {
          walker(l, server, name, std::string{name} == "alice" ? "bob" : "alice").run();
        }));
      for (int const version : {2, 1, 2}) {
        auto const before = l.heard;
        wait_until("they talk", [&] { return l.heard > before + 5 || !l.complaints.empty(); });
        auto const upgraded = go_to(version);
        for (auto const& why : upgraded.refusals) l.complaints.push_back(why);
        for (auto const& note : upgraded.notes) l.complaints.push_back(note);
        if (!otter::code::soft_purge(chat::session_module))
          l.complaints.push_back(fmt::format("some are left behind version {}", version));
      }
      l.stop = true;
      if (l.resets) server.begin_stop();  // what would tell them may have been lost
      for (auto const& c : clients)
        otter::receive(otter::when([&](otter::down const& d) { return d.ref == c.ref; },
                                   [&](otter::down const& d) {
                                     if (d.reason.abnormal())
                                       l.complaints.push_back(to_string(d.reason));
                                   }));
      if (auto const ended = l.resets ? server.end() : server.stop(); ended != "normal")
        l.complaints.push_back(ended);
    });
    INFO(end.to_string());
    CHECK(end.finished);
    CHECK(to_string(end.main) == "normal");
    for (auto const& what : l.complaints) FAIL_CHECK(what);
    for (auto const& what : events) FAIL_CHECK(what);
    heard += l.heard;
  }
  CHECK(heard > 0);
}
