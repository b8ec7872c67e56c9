// CAF's program of the benchmarks: event-based actors with function-based behaviours, as CAF's
// manual introduces them. A reply is sent by hand where the row is about messages, and requested
// where it is about calls.

#include <atomic>
#include <caf/all.hpp>
#include <functional>
#include <map>

#include "../../measure.hpp"
#include "echo.hpp"

namespace {

using namespace caf;
using bench::job;
using u64 = std::uint64_t;

using ping_atom = atom_constant<atom("ping")>;
using pong_atom = atom_constant<atom("pong")>;
using play_atom = atom_constant<atom("play")>;
using done_atom = atom_constant<atom("done")>;
using next_atom = atom_constant<atom("next")>;
using token_atom = atom_constant<atom("token")>;
using item_atom = atom_constant<atom("item")>;
using expect_atom = atom_constant<atom("expect")>;
using read_atom = atom_constant<atom("read")>;
using due_atom = atom_constant<atom("due")>;

/// Runs `round` with a tenth of `n` and then, timed, with all of it.
bench::stopwatch warmed(u64 n, std::function<void(u64)> const& round) {
  round(n / 10);
  bench::stopwatch watch;
  watch.start();
  round(n);
  watch.stop();
  return watch;
}

void wait_for_done(scoped_actor& self) {
  self->receive([](done_atom) {});
}

// --- spawning ---

struct parent_state {
  u64 left = 0;
  u64 waiting = 0;
  actor tell;
};

behavior parent(stateful_actor<parent_state>* self) {
  auto const spawn_batch = [self] {
    auto& s = self->state;
    s.waiting = std::min<u64>(100, s.left);
    s.left -= s.waiting;
    for (u64 i = 0; i < s.waiting; ++i) self->spawn<monitored>([](event_based_actor*) {});
  };
  self->set_down_handler([self, spawn_batch](down_msg&) {
    auto& s = self->state;
    if (--s.waiting > 0) return;
    if (s.left > 0)
      spawn_batch();
    else
      self->send(s.tell, done_atom::value);
  });
  return {[self, spawn_batch](play_atom, u64 children, const actor& tell) {
    self->state.left = children;
    self->state.tell = tell;
    spawn_batch();
  }};
}

void spawn_exit(actor_system& system, job const& j) {
  u64 const n = j.number("n", 1'000'000);
  scoped_actor self{system};
  auto const p = system.spawn(parent);
  auto const watch = warmed(n, [&](u64 k) {
    self->send(p, play_atom::value, k, actor_cast<actor>(self));
    wait_for_done(self);
  });
  bench::print_time("spawn_exit", watch, n);
}

struct holder_state {
  int value = 7;
};

behavior holder(stateful_actor<holder_state>* self, actor tell) {
  self->send(tell, done_atom::value);
  return {[self](read_atom) { return self->state.value; }};
}

/// One actor starts them: what it would mean for a server whose acceptor spawns sessions.
behavior nursery(event_based_actor* self, std::vector<actor>* children) {
  return {[=](play_atom, u64 n, const actor& tell) {
    for (u64 i = 0; i < n; ++i) children->push_back(self->spawn(holder, tell));
  }};
}

/// A handle keeps an actor alive, so somebody must hold them: 8 bytes each, not counted.
void start_idle(scoped_actor& self, actor const& by, std::vector<actor>& children, u64 n) {
  children.reserve(children.size() + n);
  self->send(by, play_atom::value, n, actor_cast<actor>(self));
  for (u64 i = 0; i < n; ++i) wait_for_done(self);
}

void spawn_idle(actor_system& system, job const& j) {
  u64 const n = j.number("n", 1'000'000);
  scoped_actor self{system};
  std::vector<actor> few, children;
  auto const first = system.spawn(nursery, &few);
  auto const second = system.spawn(nursery, &children);
  start_idle(self, first, few, 1000);
  double const before = bench::resident_bytes();
  bench::stopwatch watch;
  watch.start();
  start_idle(self, second, children, n);
  watch.stop();
  bench::print_time("spawn_idle", watch, n);
  bench::print_result("idle_bytes", (bench::resident_bytes() - before) / double(n) - 8, "B");
  std::_Exit(0);
}

void idle(actor_system& system, job const& j) {
  scoped_actor self{system};
  std::vector<actor> children;
  start_idle(self, system.spawn(nursery, &children), children, j.number("n", 100'000));
  bench::wait_until_told();
  std::_Exit(0);
}

// --- messages ---

behavior ponger(event_based_actor* self) {
  return {[self](ping_atom, const actor& from) { self->send(from, pong_atom::value); }};
}

struct pinger_state {
  u64 left = 0;
  actor tell;
};

behavior pinger(stateful_actor<pinger_state>* self, actor against) {
  auto const serve = [=] { self->send(against, ping_atom::value, actor_cast<actor>(self)); };
  return {[=](play_atom, u64 rounds, const actor& tell) {
            self->state.left = rounds;
            self->state.tell = tell;
            serve();
          },
          [=](pong_atom) {
            if (--self->state.left > 0)
              serve();
            else
              self->send(self->state.tell, done_atom::value);
          }};
}

void ping_pong(actor_system& system, job const& j) {
  u64 const n = j.number("n", 1'000'000);
  scoped_actor self{system};
  auto const a = system.spawn(pinger, system.spawn(ponger));
  auto const watch = warmed(n, [&](u64 k) {
    self->send(a, play_atom::value, k, actor_cast<actor>(self));
    wait_for_done(self);
  });
  bench::print_time("ping_pong", watch, n);
}

struct station_state {
  actor next;
};

behavior station(stateful_actor<station_state>* self, actor tell) {
  return {[=](next_atom, const actor& next) { self->state.next = next; },
          [=](token_atom, u64 hops) {
            if (hops == 0)
              self->send(tell, done_atom::value);
            else
              self->send(self->state.next, token_atom::value, hops - 1);
          }};
}

void ring(actor_system& system, job const& j) {
  u64 const n = j.number("n", 1'000'000), tokens = j.number("tokens", 1);
  u64 const size = j.number("size", 503);
  scoped_actor self{system};
  std::vector<actor> stations;
  for (u64 i = 0; i < size; ++i) stations.push_back(system.spawn(station, actor_cast<actor>(self)));
  for (u64 i = 0; i < size; ++i)
    self->send(stations[i], next_atom::value, stations[(i + 1) % size]);
  auto const watch = warmed(n, [&](u64 k) {
    for (u64 t = 0; t < tokens; ++t)
      self->send(stations[t * size / tokens], token_atom::value, k / tokens);
    for (u64 t = 0; t < tokens; ++t) wait_for_done(self);
  });
  bench::print_time(tokens == 1 ? "ring_1" : "ring_100", watch, n);
}

struct sink_state {
  u64 left = 0;
  u64 sum = 0;
};

behavior sink(stateful_actor<sink_state>* self, actor tell) {
  return {[=](expect_atom, u64 count) { self->state.left = count; },
          [=](item_atom, u64 value) {
            self->state.sum += value;
            if (--self->state.left == 0) self->send(tell, done_atom::value);
          }};
}

behavior source(event_based_actor* self, std::vector<actor> to) {
  return {[=](play_atom, u64 each) {
    for (u64 i = 0; i < each; ++i) {
      for (auto const& p : to) self->send(p, item_atom::value, i);
    }
  }};
}

void flood(actor_system& system, char const* bench, u64 senders, u64 receivers, u64 each) {
  scoped_actor self{system};
  std::vector<actor> from, to;
  for (u64 i = 0; i < receivers; ++i) to.push_back(system.spawn(sink, actor_cast<actor>(self)));
  for (u64 i = 0; i < senders; ++i) from.push_back(system.spawn(source, to));
  auto const watch = warmed(each, [&](u64 k) {
    for (auto const& p : to) self->send(p, expect_atom::value, k * senders);
    for (auto const& p : from) self->send(p, play_atom::value, k);
    for (u64 i = 0; i < receivers; ++i) wait_for_done(self);
  });
  bench::print_throughput(bench, watch, senders * receivers * each);
}

void many_to_one(actor_system& system, job const& j) {
  flood(system, "many_to_one", j.number("senders", 20), 1, j.number("n", 200'000));
}
void one_to_many(actor_system& system, job const& j) {
  flood(system, "one_to_many", 1, j.number("receivers", 60), j.number("n", 200'000));
}

struct member_state {
  u64 left = 0;
  u64 next = 0;
};

behavior member(stateful_actor<member_state>* self, std::vector<actor>* all, u64 own, actor tell) {
  auto const serve = [=] {
    u64& next = self->state.next;
    next = (next + 1) % all->size();
    if (next == own) next = (next + 1) % all->size();
    self->send((*all)[next], ping_atom::value, actor_cast<actor>(self));
  };
  return {[=](play_atom, u64 pings) {
            self->state.left = pings;
            self->state.next = own;
            serve();
          },
          [=](ping_atom, const actor& from) { self->send(from, pong_atom::value); },
          [=](pong_atom) {
            if (--self->state.left > 0)
              serve();
            else
              self->send(tell, done_atom::value);
          }};
}

void all_to_all(actor_system& system, job const& j) {
  u64 const size = j.number("size", 120), each = j.number("n", 10'000);
  scoped_actor self{system};
  std::vector<actor> all;
  for (u64 i = 0; i < size; ++i)
    all.push_back(system.spawn(member, &all, i, actor_cast<actor>(self)));
  auto const watch = warmed(each, [&](u64 k) {
    for (auto const& p : all) self->send(p, play_atom::value, k);
    for (u64 i = 0; i < size; ++i) wait_for_done(self);
  });
  bench::print_time("all_to_all", watch, size * each);
}

struct branch_state {
  u64 total = 0;
  u64 heard = 0;
};

behavior branch(stateful_actor<branch_state>* self, actor parent, u64 first, u64 leaves) {
  if (leaves == 1) {
    self->send(parent, first);
    return {};
  }
  u64 const share = leaves / 10;
  for (u64 i = 0; i < 10; ++i)
    self->spawn(branch, actor_cast<actor>(self), first + i * share, share);
  return {[=](u64 sum) {
    self->state.total += sum;
    if (++self->state.heard < 10) return;
    self->send(parent, self->state.total);
    self->quit();
  }};
}

void skynet(actor_system& system, job const& j) {
  scoped_actor self{system};
  auto const watch = warmed(j.number("n", 1'000'000), [&](u64 n) {
    system.spawn(branch, actor_cast<actor>(self), u64{0}, n);
    self->receive([n](u64 sum) {
      if (sum != n * (n - 1) / 2) std::abort();
    });
  });
  bench::print_result("skynet", watch.ns() / 1e6, "ms");
}

// --- calls ---

struct counter_state {
  int value = 0;
};

behavior counter(stateful_actor<counter_state>* self) {
  return {[self](read_atom, int by) { return self->state.value += by; }};
}

struct customer_state {
  u64 left = 0;
  actor tell;
};

void visit(stateful_actor<customer_state>* self, const actor& server) {
  self->request(server, std::chrono::seconds(5), read_atom::value, 1).then([self, server](int) {
    if (--self->state.left > 0)
      visit(self, server);
    else
      self->send(self->state.tell, done_atom::value);
  });
}

behavior customer(stateful_actor<customer_state>* self, actor server) {
  return {[=](play_atom, u64 times, const actor& tell) {
    self->state.left = times;
    self->state.tell = tell;
    visit(self, server);
  }};
}

void call(actor_system& system, job const& j) {
  u64 const n = j.number("n", 1'000'000);
  scoped_actor self{system};
  auto const c = system.spawn(customer, system.spawn(counter));
  auto const watch = warmed(n, [&](u64 k) {
    self->send(c, play_atom::value, k, actor_cast<actor>(self));
    wait_for_done(self);
  });
  bench::print_time("call", watch, n);
}

/// A blocking actor asks, since an event-based one would have taken the other messages long ago.
void call_long_mailbox(actor_system& system, job const& j) {
  u64 const n = j.number("n", 200'000), waiting = j.number("waiting", 500'000);
  scoped_actor self{system};
  auto const server = system.spawn(counter);
  auto const round = [&](u64 times) {
    std::int64_t const begin = bench::now_ns();
    for (u64 i = 0; i < times; ++i) {
      self->request(server, std::chrono::seconds(5), read_atom::value, 1)
          .receive([](int) {}, [](error&) { std::abort(); });
    }
    return double(bench::now_ns() - begin) / double(times);
  };
  round(n / 10);
  double const empty = round(n);
  for (u64 i = 0; i < waiting; ++i) self->send(actor_cast<actor>(self), item_atom::value, i);
  bench::print_result("call_long_mailbox", round(std::min<u64>(n, j.number("few", 10))) / empty,
                      "ratio");
  std::_Exit(0);
}

// --- timers ---

/// CAF sends delayed messages but cancels none; its clock cancels time-outs of requests.
void timer_set_cancel(actor_system& system, job const& j) {
  u64 const n = j.number("n", 1'000'000);
  auto const holder_actor =
      system.spawn([](event_based_actor*) -> behavior { return {[](read_atom) {}}; });
  auto* const whose = actor_cast<abstract_actor*>(holder_actor);
  auto& clock = system.clock();
  u64 serial = 1;
  auto const watch = warmed(n, [&](u64 count) {
    u64 const first = serial;
    auto const now = clock.now();
    for (u64 i = 0; i < count; ++i) {
      clock.set_request_timeout(
          now + std::chrono::seconds(60) + std::chrono::microseconds(i % 60'000'000), whose,
          make_message_id(first + i).response_id());
    }
    for (u64 i = 0; i < count; ++i)
      clock.cancel_request_timeout(whose, make_message_id(first + i).response_id());
    serial += count;
  });
  bench::print_time("timer_set_cancel", watch, n);
  std::_Exit(0);
}

struct lateness_state {
  std::vector<std::int64_t> late;
};

void timer_lateness(actor_system& system, job const& j) {
  u64 const n = j.number("n", 100'000);
  scoped_actor self{system};
  std::vector<std::int64_t> late;
  late.reserve(n);
  actor const tell = actor_cast<actor>(self);
  auto const receiver = system.spawn([&late, n, tell](event_based_actor* me) -> behavior {
    return {[=, &late](due_atom, std::int64_t at) {
      late.push_back(bench::now_ns() - at);
      if (late.size() == n) me->send(tell, done_atom::value);
    }};
  });
  std::int64_t const begin = bench::now_ns();
  for (u64 i = 0; i < n; ++i) {
    auto const at = begin + 500'000'000 + static_cast<std::int64_t>(2e9 / double(n) * double(i));
    self->delayed_send(receiver,
                       std::chrono::nanoseconds(std::max<std::int64_t>(0, at - bench::now_ns())),
                       due_atom::value, at);
  }
  wait_for_done(self);
  std::sort(late.begin(), late.end());
  bench::print_result("timer_lateness_p50", double(bench::percentile(late, 0.50)) / 1e3, "us");
  bench::print_result("timer_lateness_p99", double(bench::percentile(late, 0.99)) / 1e3, "us");
  std::_Exit(0);
}

// --- fairness ---

struct trips {
  std::int64_t end;
  std::int64_t served;
  std::vector<double> took = {};
};

void fairness(actor_system& system, job const& j) {
  std::int64_t const end = bench::now_ns() + std::int64_t(j.number("seconds", 3)) * 1'000'000'000;
  unsigned const spinners = j.text("spin", "plain") == "none" ? 0 : j.workers();
  std::atomic<unsigned> spinning{0};
  for (unsigned i = 0; i < spinners; ++i) {
    system.spawn([&spinning, end](event_based_actor*) {
      ++spinning;
      while (bench::now_ns() < end + 100'000'000) {
        for (int k = 0; k < 1000; ++k) bench::keep(k);
      }
    });
  }
  while (spinning < spinners) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  scoped_actor self{system};
  actor const tell = actor_cast<actor>(self);
  trips out{end, bench::now_ns()};
  out.took.reserve(30'000'000);
  auto const against = system.spawn(ponger);
  auto const player = system.spawn([&out, against, tell](event_based_actor* me) -> behavior {
    me->send(against, ping_atom::value, actor_cast<actor>(me));
    return {[=, &out](pong_atom) {
      std::int64_t const now = bench::now_ns();
      out.took.push_back(double(now - out.served) / 1e3);
      out.served = now;
      if (now < out.end)
        me->send(against, ping_atom::value, actor_cast<actor>(me));
      else
        me->send(tell, done_atom::value);
    }};
  });
  wait_for_done(self);
  std::sort(out.took.begin(), out.took.end());
  bench::print_result("fairness_p50", bench::percentile(out.took, 0.50), "us");
  bench::print_result("fairness_p99", bench::percentile(out.took, 0.99), "us");
  bench::print_result("fairness_max", out.took.back(), "us");
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  bench::job const j(argc, argv);
  if (j.row() == "echo") return echo(j);
  std::map<std::string, void (*)(actor_system&, job const&)> const rows = {
      {"spawn_exit", spawn_exit},
      {"spawn_idle", spawn_idle},
      {"ping_pong", ping_pong},
      {"ring", ring},
      {"many_to_one", many_to_one},
      {"one_to_many", one_to_many},
      {"all_to_all", all_to_all},
      {"skynet", skynet},
      {"call", call},
      {"call_long_mailbox", call_long_mailbox},
      {"timer_set_cancel", timer_set_cancel},
      {"timer_lateness", timer_lateness},
      {"fairness", fairness},
      {"idle", idle},
  };
  auto const row = rows.find(j.row());
  if (row == rows.end()) {
    std::fprintf(stderr, "no row '%s'\n", j.row().c_str());
    return 2;
  }
  actor_system_config config;
  config.set("scheduler.max-threads", std::size_t{j.workers()});
  actor_system system{config};
  row->second(system, j);
  std::fflush(stdout);
  std::_Exit(0);  // actors of a row may still wait for each other
}
