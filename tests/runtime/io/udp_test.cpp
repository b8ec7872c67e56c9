// Datagrams: the owners and modes of streams, and what a network may do to them.

#include <otter/udp.hpp>
#include <set>

#include "io/ports.hpp"
#include "io/simulated_network.hpp"
#include "process/process_system.hpp"
#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

tcp_address address_of(udp_socket s) { return must(s.local_address(), "address"); }

udp_socket open_here(udp_options const& options = {}) {
  return must(udp_open(tcp_address::loopback(0), options), "open");
}

std::string show(tcp_result<udp_datagram> const& r) {
  if (!r) return r.error().message();
  return "'" + r->bytes + "'" + (r->truncated ? " cut off" : "");
}

std::string next(duration limit = long_time) {
  return receive(
      [](udp_data d) { return "data '" + d.bytes + "'" + (d.truncated ? " cut off" : ""); },
      [](udp_passive) { return std::string("passive"); },
      [](udp_error e) { return "error " + e.error.message(); },
      after(limit, [] { return std::string("nothing"); }));
}

}  // namespace

TEST_CASE("a datagram arrives whole, with who sent it", "[io][TCP-7]") {
  everywhere({"'hello'", "from the sender", "''", "timeout", "emsgsize"}, [](notes& see) {
    udp_socket const a = open_here();
    udp_socket const b = open_here();
    must(a.send_to(address_of(b), "hello"), "send");
    auto const came = b.recv_from(long_time);
    see.add(show(came));
    see.add(came && came->from == address_of(a) ? "from the sender" : "from somebody else");
    must(a.send_to(address_of(b), ""), "send");
    see.add(show(b.recv_from(long_time)));
    see.add(show(b.recv_from(20ms)));
    see.add(tcp_test::show(a.send_to(address_of(b), std::string(70'000, 'x'))));
  });
}

TEST_CASE("a datagram longer than the buffer comes cut off, and says so", "[io][TCP-6]") {
  everywhere({"'0123456789' cut off", "'0123456789'", "data '0123456789' cut off"}, [](notes& see) {
    udp_options o;
    o.buffer = 10;
    udp_socket const a = open_here();
    udp_socket const b = open_here(o);
    must(a.send_to(address_of(b), "0123456789abc"), "send");
    see.add(show(b.recv_from(long_time)));
    must(a.send_to(address_of(b), "0123456789"), "send");
    see.add(show(b.recv_from(long_time)));
    must(b.set_active(active::on), "active");
    must(a.send_to(address_of(b), "0123456789abc"), "send");
    see.add(next());
  });
}

TEST_CASE("the active modes of a datagram socket are those of streams", "[io][TCP-2][TCP-3]") {
  everywhere({"data 'once'", "nothing", "data '1'", "data '2'", "passive", "'3'", "data 'on'",
              "einval", "einval"},
             [](notes& see) {
               udp_options o;
               o.active = active::once;
               udp_socket const a = open_here();
               udp_socket const b = open_here(o);
               auto const give = [&](char const* text) {
                 must(a.send_to(address_of(b), text), "send");
               };
               give("once");
               see.add(next());
               see.add(next(20ms));
               must(b.set_active(active_n(2)), "active");
               give("1");
               see.add(next());
               give("2");
               see.add(next());
               see.add(next());
               give("3");
               see.add(show(b.recv_from(long_time)));
               must(b.set_active(active::on), "active");
               give("on");
               see.add(next());
               see.add(show(b.recv_from(long_time)));
               see.add(tcp_test::show(b.set_active(active::ready)));
             });
}

TEST_CASE("a datagram socket ends with its owner, and its name is void then", "[io][TCP-16]") {
  everywhere({"eaddrinuse", "closed", "closed", "ok"}, [](notes& see) {
    auto owner = spawn_monitor([me = self()] {
      otter::send(me, open_here());
      receive([](int) {});
    });
    udp_socket const s = receive([](udp_socket given) { return given; });
    tcp_address const at = address_of(s);
    see.add(tcp_test::show(udp_open(at)));
    otter::send(owner.process, 1);
    receive([](down const&) {});
    see.add(tcp_test::show(s.send_to(at, "x")));
    see.add(show(s.recv_from(long_time)));
    see.add(tcp_test::show(udp_open(at)));
  });
}

TEST_CASE("a datagram socket that is given away takes its messages with it", "[io][TCP-17]") {
  everywhere({"not_owner", "mine", "data '1'", "data '2'", "nothing"}, [](notes& see) {
    udp_options o;
    o.active = active::on;
    udp_socket const a = open_here();
    udp_socket const b = open_here(o);
    must(a.send_to(address_of(b), "1"), "send");
    // It lies in our mailbox, and is not received.
    receive([](int) {}, after(50ms));
    pid const next_owner = spawn_waiting([&see, me = self()] {
      udp_socket const s = receive([](udp_socket given) { return given; });
      see.add(tcp_test::show(s.controlling_process(me)));
      otter::send(me, 2);
      receive([](begun) {});
      see.add(s.owner() == self() ? "mine" : "not mine");
      see.add(next());
      see.add(next());
      otter::send(me, 1);
    });
    otter::send(next_owner, b);
    receive([](int) {});
    must(b.controlling_process(next_owner), "controlling_process");
    must(a.send_to(address_of(b), "2"), "send");
    otter::send(next_owner, begun{});
    receive([](int) {});
    see.add(next(20ms));
  });
}

TEST_CASE("a flood of datagrams comes in batches, with the owner's other messages in between",
          "[io][TCP-27]") {
  everywhere({"in between", "150"}, [](notes& see) {
    constexpr int count = 150;
    udp_socket const a = open_here();
    udp_socket const b = open_here();
    for (int i = 0; i < count; ++i) must(a.send_to(address_of(b), std::to_string(i)), "send");
    must(b.set_active(active::on), "active");
    otter::send(self(), 1);
    int before = 0;
    for (bool mine = false; !mine;)
      receive([&](udp_data const&) { ++before; }, [&](int) { mine = true; });
    see.add(before <= 64 ? "in between" : std::to_string(before) + " before");
    int all = before;
    while (all < count && next() != "nothing") ++all;
    see.add(std::to_string(all));
  });
}

TEST_CASE("a network may lose datagrams, double them, and mix them up, and changes none",
          "[io][TCP-27]") {
  constexpr int count = 100;
  int lost = 0;
  int doubled = 0;
  int overtaken = 0;
  otter_test::seed_range const range = otter_test::seeds(some_seeds(20));
  for (std::uint64_t seed = range.first; seed <= range.last; ++seed) {
    otter_test::run_of const line(seed);
    INFO("seed " << seed);
    simulation sim(seed);
    static_cast<rts::simulated_network&>(rts::io_state::of(sim.core().system()).net())
        .lose_and_double(50'000, 50'000);
    bool unknown = false;
    auto const result = sim.run([&] {
      udp_options o;
      o.active = active::on;
      udp_socket const a = open_here();
      udp_socket const b = open_here(o);
      for (int i = 0; i < count; ++i) must(a.send_to(address_of(b), std::to_string(i)), "send");
      std::multiset<int> seen;
      int last = -1;
      for (std::string text = next(1s); text != "nothing"; text = next(1s)) {
        int const number = std::stoi(text.substr(6));
        unknown = unknown || text != "data '" + std::to_string(number) + "'" || number >= count;
        if (number < last) ++overtaken;
        last = number;
        seen.insert(number);
      }
      for (int i = 0; i < count; ++i) {
        if (seen.count(i) == 0) ++lost;
        if (seen.count(i) == 2) ++doubled;
        unknown = unknown || seen.count(i) > 2;
      }
    });
    CHECK(to_string(result.main) == "normal");
    CHECK_FALSE(unknown);
    CHECK(ports_left(sim) == 0);
  }
  if (range.one_alone) return;
  CHECK(lost > 0);
  CHECK(doubled > 0);
  CHECK(overtaken > 0);
}

TEST_CASE("options and addresses that no datagram socket can have are refused", "[io][TCP-21]") {
  everywhere({"badarg: udp_open: no internet address",
              "badarg: udp_open: buffer is 0 bytes; allowed: 1 to 65536",
              "badarg: udp_open: active::ready is for streams"},
             [](notes& see) {
               auto const add = [&](tcp_address const& at, udp_options const& o) {
                 try {
                   static_cast<void>(udp_open(at, o));
                   see.add("nothing");
                 } catch (error const& e) {
                   see.add(e.what());
                 }
               };
               udp_options o;
               add(tcp_address::local("/tmp/x"), o);
               o.buffer = 0;
               add(tcp_address::loopback(0), o);
               o.buffer = 1;
               o.active = active::ready;
               add(tcp_address::loopback(0), o);
             });
}
