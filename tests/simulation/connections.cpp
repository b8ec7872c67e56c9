// connections.cpp - sockets on a network that cuts, delays and resets.
//
// Clients send numbered lines and close; servers check that what comes is a beginning of what was
// sent, and all of it unless somebody was killed or the connection reset; one end, nothing after
// it.

#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/tcp.hpp>

#include "io/ports.hpp"
#include "io/simulated_network.hpp"
#include "node/node_core.hpp"
#include "trial.hpp"

namespace simulate {
namespace {

using namespace std::chrono_literals;

constexpr int pairs = 4;

struct ledger {
  trial& t;
  bool resets = false;
  std::vector<int> sent = std::vector<int>(pairs);     // lines
  std::vector<bool> whole = std::vector<bool>(pairs);  // it has closed after its last line
};

void client(ledger& l, int me, otter::tcp_address at) {
  random numbers = l.t.numbers(10 + static_cast<std::uint64_t>(me));
  auto const s = otter::tcp_connect(at, {}, 10s);
  if (!s) return;
  int const lines = static_cast<int>(numbers.below(60));
  for (int i = 0; i < lines; ++i) {
    std::string const padding(numbers.below(20) == 0 ? 3000 : numbers.below(30), '.');
    if (!s->send(fmt::format("{} {} {}\n", me, i, padding))) return;
    l.sent[static_cast<std::size_t>(me)] = i + 1;
    if (numbers.below(10) == 0) otter::sleep_for(50us);
  }
  s->close();
  l.whole[static_cast<std::size_t>(me)] = true;
}

class receiver {
 public:
  receiver(ledger& l, std::uint64_t stream) : ledger_(l), numbers_(l.t.numbers(stream)) {}

  void run(otter::tcp_listener listener) {
    auto const s = otter::tcp_accept(listener, 10s);
    if (!s) return;
    socket_ = *s;
    numbers_.below(2) == 0 ? by_recv() : by_messages();
    if (peer_ >= 0 && !reset_ && ledger_.whole[static_cast<std::size_t>(peer_)] && !ledger_.resets)
      ledger_.t.expect(next_ == ledger_.sent[static_cast<std::size_t>(peer_)],
                       "{} lines of client {} came, it sent {} and closed", next_, peer_,
                       ledger_.sent[static_cast<std::size_t>(peer_)]);
  }

 private:
  void line(std::string const& text) {
    int peer = -1, number = -1;
    if (!ledger_.t.expect(
            std::sscanf(text.c_str(), "%d %d", &peer, &number) == 2 && text.back() == '\n',
            "not a line: '{}'", text))
      return;
    if (peer_ < 0) peer_ = peer;
    ledger_.t.expect(peer == peer_ && number == next_, "line {} of client {} where {} of {} is due",
                     number, peer, next_, peer_);
    ++next_;
  }

  void by_recv() {
    for (;;) {
      auto const got = socket_.recv(0, 10s);
      if (got) {
        line(*got);
        continue;
      }
      ledger_.t.expect(got.error() != otter::tcp_errc::timeout, "a recv waited for ever");
      reset_ = got.error() != otter::tcp_errc::closed;
      break;
    }
    ledger_.t.expect(!socket_.recv(0, 1ms), "something came after the end");
  }

  void by_messages() {
    bool over = false;
    static_cast<void>(socket_.set_active(otter::active_n(1 + static_cast<int>(numbers_.below(3)))));
    while (!over) {
      otter::receive(
          [&](otter::tcp_data const& d) {
            ledger_.t.expect(!reset_, "data after an error (TCP-14)");
            line(d.bytes);
          },
          [&](otter::tcp_passive const&) {
            static_cast<void>(socket_.set_active(otter::active_n(2)));
          },
          [&](otter::tcp_error const&) { reset_ = true; },
          [&](otter::tcp_closed const&) { over = true; }, otter::after(10s, [&] {
            ledger_.t.complain("a socket says nothing");
            over = true;
          }));
    }
    otter::receive(
        [&](otter::tcp_data const&) { ledger_.t.complain("data after tcp_closed (TCP-9)"); },
        [&](otter::tcp_closed const&) { ledger_.t.complain("a second tcp_closed (TCP-9)"); },
        otter::after(1ms, [] {}));
  }

  ledger& ledger_;
  random numbers_;
  otter::tcp_socket socket_;
  int peer_ = -1;
  int next_ = 0;
  bool reset_ = false;
};

void first_process(trial& t, bool resets) {
  ledger l{t, resets};
  random numbers = t.numbers(1);
  otter::tcp_options options;
  options.packet = otter::packet::line;
  options.show_econnreset = true;
  auto const listener = otter::tcp_listen(otter::tcp_address::loopback(0), options);
  if (!t.expect(listener.has_value(), "no listener")) return;
  otter::tcp_address const at = *listener->local_address();
  std::vector<otter::spawned> all;
  for (int n = 0; n < pairs; ++n) {
    all.push_back(otter::spawn_monitor([&l, n, listener = *listener] {
      receiver(l, 100 + static_cast<std::uint64_t>(n)).run(listener);
    }));
    all.push_back(otter::spawn_monitor([&l, n, at] { client(l, n, at); }));
  }
  if (numbers.below(3) == 0) {
    otter::sleep_for(std::chrono::microseconds(numbers.below(20'000)));
    otter::exit(all[numbers.below(all.size())].process, otter::exit_reason::kill());
  }
  for (otter::spawned const& p : all)
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == p.ref; },
                               [&](otter::down const& d) {
                                 t.expect(d.reason == otter::exit_kind::normal ||
                                              d.reason == otter::exit_kind::killed,
                                          "a process ended with {}", d.reason);
                               }));
  listener->close();
}

}  // namespace

void connections(trial& t) {
  bool const resets = t.seed() % 2 == 0;
  if (resets) {
    t.prepare = [](otter::simulation& sim) {
      auto& ports = otter::rts::io_state::of(sim.core().system());
      static_cast<otter::rts::simulated_network&>(ports.net()).reset_now_and_then(10'000);
    };
  }
  t.run([&t, resets] { first_process(t, resets); });
}

}  // namespace simulate
