// Bounded mailboxes: each policy with each operation, and what a limit never touches.

#include <optional>
#include <otter/detail/call.hpp>
#include <otter/link.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/timer.hpp>
#include <vector>

#include "process_support.hpp"

using namespace process_test;
using otter::info_item;
using otter::overflow;

namespace {

constexpr std::uint32_t limit = 3;

struct question {};
struct noticed {
  std::string text;
};

/// Fills its mailbox: receives nothing until `go`, which a limit would refuse. So `go` comes as an
/// exit signal that it traps. Then tells the numbers that it has got, and ends.
otter::spawned bounded(overflow policy, std::uint32_t most = limit) {
  otter::spawned const p =
      otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none,
                                        .max_mailbox = {.limit = most, .policy = policy}},
                   [me = otter::self()] {
                     otter::trap_exit(true);
                     otter::send(me, go{});
                     otter::receive([](otter::exited const&) {});
                     std::string all;
                     while (otter::receive(
                         [&](number x) {
                           all += std::to_string(x.n) + " ";
                           return true;
                         },
                         otter::after(0s, [] { return false; })))
                       ;
                     otter::send(me, noticed{all});
                   });
  otter::receive([](go) {});
  return p;
}

/// What the receiver had, in the end; it ends.
std::string content(otter::pid p) {
  otter::exit(p, exit_reason::of("look now"));
  return otter::receive([](noticed n) { return n.text; });
}

/// Makes the receiver take in what has been sent; drop_oldest is its own work.
void settle(otter::pid p) { otter::is_alive(p); }

/// Until `p` waits in the middle of something, or has ended: then what follows finds that wrong.
/// Each look lets it run.
void await_waiting(otter::pid p) {
  std::optional<otter::process_status> now;
  do {
    now = otter::process_info<otter::process_status>(p, info_item::status);
  } while (now && *now != otter::process_status::waiting);
}

void send_numbers(otter::pid p, int from, int to) {
  for (int i = from; i < to; ++i) {
    otter::send(p, number{i});
    settle(p);
  }
}

std::string call(otter::pid p, otter::duration how_long = otter::infinity) {
  otter::detail::response const r = otter::detail::call(
      p, otter::detail::pack<question>(otter::detail::signal_kind::request, question{}), how_long);
  return r.reply ? "answered" : to_string(r.why);
}

void cast(otter::pid p, int n) {
  otter::detail::cast(p, otter::detail::pack<number>(otter::detail::signal_kind::cast, number{n}));
}

/// A policy that refuses what is new: by `drop_newest` or by `busy`.
void check_refusing(driver_report& report, overflow policy) {
  std::size_t const dropped_before = report.statistics().dropped_messages;
  otter::spawned const p = bounded(policy);
  send_numbers(p, 0, 5);
  cast(p, 5);
  report.equal("dropped and counted", report.statistics().dropped_messages - dropped_before, 3u);
  report.equal("a call is refused at once", call(p), to_string(exit_reason::busy()));
  report.equal("the first ones are there", content(p), std::string("0 1 2 "));
  report.equal("it lives", end_of(p.ref), to_string(exit_reason::normal()));
}

/// Answers calls. Each number that it takes holds it up until it is sent an exit signal.
class held_up final : public otter::reactive {
 public:
  void start() override { otter::trap_exit(true); }
  void handle(otter::event& what) override {
    if (what.what() == otter::event::kind::request)
      otter::detail::reply(what.caller(),
                           otter::detail::pack<int>(otter::detail::signal_kind::reply, 1));
    else if (what.get_if<number>() != nullptr)
      otter::receive([](otter::exited const&) {});
  }
};

std::uint64_t queue_length(otter::pid p) {
  return *otter::process_info<std::uint64_t>(p, info_item::message_queue_len);
}

/// Sends `n` in a process of its own, which then says so.
otter::spawned sender_of(otter::pid to, int n) {
  return otter::spawn_monitor([to, n, me = otter::self()] {
    otter::send(to, number{n});
    otter::send(me, number{n});
  });
}

}  // namespace

TEST_CASE("overflow kill: a send or cast too many kills the receiver", "[limits][MB-14][PI-14]") {
  on_every_driver([](driver_report& report) {
    for (bool by_cast : {false, true}) {
      otter::spawned const p = bounded(overflow::kill);
      send_numbers(p, 0, 3);
      report.check("full, and alive", otter::is_alive(p));
      if (by_cast)
        cast(p, 3);
      else
        otter::send(p, number{3});
      report.equal("reason, though it traps", end_of(p.ref),
                   to_string(exit_reason::mailbox_full()));
    }
  });
}

TEST_CASE("overflow kill: the caller of a call too many gets the reason", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = bounded(overflow::kill);
    send_numbers(p, 0, 3);
    report.equal("the call", call(p), to_string(exit_reason::mailbox_full()));
    report.equal("the receiver", end_of(p.ref), to_string(exit_reason::mailbox_full()));
  });
}

TEST_CASE("overflow drop_newest: sends and casts are dropped, calls refused", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) { check_refusing(report, overflow::drop_newest); });
}

TEST_CASE("overflow busy: sends and casts are dropped, calls refused", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) { check_refusing(report, overflow::busy); });
}

TEST_CASE("overflow drop_oldest: the newest are kept", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    std::size_t const dropped_before = report.statistics().dropped_messages;
    otter::spawned const p = bounded(overflow::drop_oldest);
    send_numbers(p, 0, 10);
    report.equal("dropped and counted", report.statistics().dropped_messages - dropped_before, 7u);
    report.equal("the last ones are there", content(p), std::string("7 8 9 "));
    end_of(p.ref);
  });
}

TEST_CASE("overflow drop_oldest: a cast pushes out a message", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = bounded(overflow::drop_oldest);
    send_numbers(p, 0, 3);
    cast(p, 100);  // counts, and is no plain message for a receive
    settle(p);
    report.equal("what is left of the messages", content(p), std::string("1 2 "));
    end_of(p.ref);
  });
}

TEST_CASE("overflow drop_oldest: a call that is pushed out is refused as busy", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = bounded(overflow::drop_oldest);
    otter::spawn([p = p.process, me = otter::self()] { otter::send(me, noticed{call(p)}); });
    while (otter::process_info<std::uint64_t>(p, info_item::message_queue_len) != 1u) {
    }
    send_numbers(p, 0, 3);
    report.equal("the caller hears of it", otter::receive([](noticed n) { return n.text; }),
                 to_string(exit_reason::busy()));
    report.equal("the messages stay", content(p), std::string("0 1 2 "));
    end_of(p.ref);
  });
}

TEST_CASE("overflow drop_oldest: while the receiver does not run, twice the limit is the bound",
          "[limits][PI-14]") {
  // One worker: the receiver cannot run before the sender lets it.
  otter::node node({.workers = 1, .on_event = [](otter::node_event const&) {}});
  std::size_t dropped = 0;
  std::string left;
  node.run([&] {
    otter::spawned const p = bounded(overflow::drop_oldest, 10);
    for (int i = 0; i < 25; ++i) otter::send(p, number{i});
    dropped = node.statistics().dropped_messages;
    left = content(p);
    end_of(p.ref);
  });
  CHECK(dropped == 5);  // 20 to 24 found it full; of the rest the receiver keeps the last ten
  CHECK(left == "10 11 12 13 14 15 16 17 18 19 ");
}

TEST_CASE("overflow block: senders wait for room, and go on in their order", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = otter::spawn(
        otter::spawn_options{.monitor = otter::alias_mode::none,
                             .max_mailbox = {.limit = limit, .policy = overflow::block}},
        [me = otter::self()] {
          otter::trap_exit(true);
          for (;;) {
            otter::receive([](otter::exited const&) {});
            otter::receive([me](number x) { otter::send(me, noticed{std::to_string(x.n)}); });
          }
        });
    send_numbers(p, 0, 3);
    for (int i = 3; i < 6; ++i) {
      otter::spawned const s = sender_of(p, i);
      await_waiting(s);
      settle(p);
    }
    report.equal("none has been able to send", next_number(), -1);
    for (int i = 0; i < 6; ++i) {
      otter::exit(p, exit_reason::of("take one"));
      report.equal("received in order", otter::receive([](noticed n) { return n.text; }),
                   std::to_string(i));
      if (i < 3)
        report.equal("room for the next sender", otter::receive([](number x) { return x.n; }),
                     i + 3);
    }
    otter::exit(p, exit_reason::kill());
    end_of(p.ref);
  });
}

TEST_CASE("overflow block: a cast waits as a send does", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = bounded(overflow::block);
    send_numbers(p, 0, 3);
    otter::spawned const s = otter::spawn_monitor([p = p.process] { cast(p, 3); });
    await_waiting(s);
    content(p);  // makes room
    report.equal("it went on", end_of(s.ref), to_string(exit_reason::normal()));
    end_of(p.ref);
  });
}

TEST_CASE("overflow block: a call waits for room, and is answered then", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p =
        otter::spawn_reactive({.monitor = otter::alias_mode::none,
                               .max_mailbox = {.limit = limit, .policy = overflow::block}},
                              otter::make_reactive<held_up>());
    otter::send(p, number{0});
    while (queue_length(p) != 0) {  // until it is held up
    }
    send_numbers(p, 1, 4);
    otter::spawned const caller = otter::spawn_monitor(
        [p = p.process, me = otter::self()] { otter::send(me, noticed{call(p)}); });
    await_waiting(caller);
    report.equal("the call is not in the mailbox", queue_length(p), std::uint64_t{limit});
    for (int i = 0; i < 4; ++i) otter::exit(p, exit_reason::of("go on"));
    report.equal("the call", otter::receive([](noticed n) { return n.text; }),
                 std::string("answered"));
    report.equal("the caller", end_of(caller.ref), to_string(exit_reason::normal()));
    otter::exit(p, exit_reason::kill());
    end_of(p.ref);
  });
}

TEST_CASE("overflow block: when there is no room in time, mailbox_full is thrown",
          "[limits][PI-14]") {
  on_every_driver(
      [](driver_report& report) {
        otter::spawned const p = bounded(overflow::block);
        send_numbers(p, 0, 3);
        auto const began = otter::node_clock::now();
        report.equal("a send", errc_of([&] { otter::send(p, number{3}); }),
                     std::string("mailbox_full"));
        report.equal("a cast", errc_of([&] { cast(p, 4); }), std::string("mailbox_full"));
        report.check("not before the limit", otter::node_clock::now() - began >= 4ms);
        report.equal("a call waits within its own limit", call(p, 1ms),
                     to_string(exit_reason::timeout()));
        report.equal("nothing of it arrives later", content(p), std::string("0 1 2 "));
        end_of(p.ref);
      },
      {.block_limit = 2ms});
}

TEST_CASE("overflow block: a kill ends a sender that waits, and its place is not lost",
          "[limits][PI-14][X-8]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = bounded(overflow::block);
    send_numbers(p, 0, 3);
    otter::spawned const s = sender_of(p, 3);
    await_waiting(s);
    otter::exit(s, exit_reason::kill());
    report.equal("it ends at once", end_of(s.ref), to_string(exit_reason::killed()));
    report.equal("without having sent", content(p), std::string("0 1 2 "));
    report.equal("nor said so", next_number(), -1);
    end_of(p.ref);
  });
}

TEST_CASE("overflow block: the end of the receiver lets the senders go", "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p = bounded(overflow::block);
    send_numbers(p, 0, 3);
    otter::spawned const s = sender_of(p, 3);
    await_waiting(s);
    otter::exit(p, exit_reason::kill());
    report.equal("as after any send to the dead", end_of(s.ref), to_string(exit_reason::normal()));
    end_of(p.ref);
  });
}

TEST_CASE("overflow block never makes a process wait for itself, nor where it must not wait",
          "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const full = bounded(overflow::block);
    send_numbers(full, 0, 3);
    {
      otter::defer_exit guard;
      otter::send(full, number{3});
    }
    {
      otter::no_suspend guard;
      otter::send(full, number{4});
    }
    otter::spawned const dying = started([to = full.process] {
      sends_at_end last(to, number{5});
      struct plain {
        otter::pid to;
        ~plain() { otter::send(to, number{6}); }
      } first{to};
      otter::receive([](go) {});
    });
    otter::exit(dying, exit_reason::kill());
    end_of(dying.ref);
    report.equal("over-admitted", content(full), std::string("0 1 2 3 4 6 5 "));
    end_of(full.ref);

    otter::spawned const own =
        otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none,
                                          .max_mailbox = {.limit = 1, .policy = overflow::block}},
                     [me = otter::self()] {
                       for (int i = 0; i < 5; ++i) otter::send(otter::self(), number{i});
                       otter::send(me, number{take_all<number>()});
                     });
    report.equal("its own messages", otter::receive([](number x) { return x.n; }), 5);
    end_of(own.ref);
  });
}

TEST_CASE("a limit never refuses timers, exits, downs, replies or questions about the process",
          "[limits][PI-14]") {
  for (overflow policy : {overflow::kill, overflow::drop_newest, overflow::drop_oldest,
                          overflow::busy, overflow::block}) {
    on_every_driver([policy](driver_report& report) {
      otter::pid const server = otter::spawn_reactive({.link = true}, [] {
        struct answers final : otter::reactive {
          void start() override {}
          void handle(otter::event& e) override {
            if (e.what() == otter::event::kind::request)
              otter::detail::reply(e.caller(),
                                   otter::detail::pack<int>(otter::detail::signal_kind::reply, 1));
          }
        };
        return otter::make_reactive<answers>();
      }());
      otter::spawned const p = otter::spawn(
          otter::spawn_options{.monitor = otter::alias_mode::none,
                               .max_mailbox = {.limit = 1, .policy = policy}},
          [me = otter::self(), server] {
            otter::trap_exit(true);
            otter::spawned const child = otter::spawn(
                otter::spawn_options{.link = true, .monitor = otter::alias_mode::none}, [] {});
            otter::send_after(1ms, otter::self(), go{});
            otter::send(me, go{});
            otter::receive([](noticed const&) {});
            otter::send(me, go{});
            otter::receive([](noticed const&) {}, otter::after(1ms));  // for the number to come
            std::string all = call(server);
            otter::receive([&](go) { all += " timer"; });
            otter::receive([&](otter::exited const&) { all += " exited"; });
            otter::receive([&](otter::down const&) { all += " down"; });
            otter::receive([&](number) { all += " number"; });
            otter::send(me, noticed{all});
            static_cast<void>(child);
          });
      otter::receive([](go) {});
      otter::send(p, noticed{"begin"});
      otter::receive([](go) {});
      otter::send(p, number{1});  // which fills it
      report.check("it answers questions", otter::is_alive(p));
      report.equal("all of it", otter::receive([](noticed n) { return n.text; }),
                   std::string("answered timer exited down number"));
      end_of(p.ref);
      otter::unlink(server);
      otter::exit(server, exit_reason::kill());
    });
  }
}

TEST_CASE("the alarm of a long queue comes once above the threshold, and once below it",
          "[limits][PI-14]") {
  on_every_driver(
      [](driver_report& report) {
        otter::spawned const p = bounded(overflow::kill, 1000);
        send_numbers(p, 0, 8);
        report.equal("not yet", report.count_events(otter::node_event::kind::long_queue), 0u);
        send_numbers(p, 8, 40);
        report.equal("once", report.count_events(otter::node_event::kind::long_queue), 1u);
        report.equal("and it says so", report.count_events("9 messages wait (alarm above 8)"), 1u);
        content(p);
        end_of(p.ref);
        report.equal("once more", report.count_events(otter::node_event::kind::long_queue), 2u);
        report.equal("when it is over", report.count_events("4 messages wait: the alarm is over"),
                     1u);
      },
      {.long_queue_on = 8, .long_queue_off = 4});
}

TEST_CASE("a message that is sent on takes and frees a place only where it is counted",
          "[limits][PI-14]") {
  on_every_driver([](driver_report& report) {
    auto const limited = [](std::uint32_t most) {
      return otter::spawn_options{.monitor = otter::alias_mode::none,
                                  .max_mailbox = {.limit = most, .policy = overflow::busy}};
    };
    otter::spawned const last = otter::spawn(limited(1), [me = otter::self()] {
      for (int i = 0; i < 4; ++i) otter::send(me, otter::receive([](number x) { return x; }));
    });
    // What a timer brings is not counted, whatever limit it came through before.
    otter::spawned const between = otter::spawn(limited(1), [to = last.process] {
      for (int i = 0; i < 2; ++i) {
        otter::receive([to](otter::any_message& m) { otter::send_after(0s, to, std::move(m)); });
        otter::receive([to](otter::any_message& m) { otter::send(to, std::move(m)); });
      }
    });
    for (int i = 0; i < 4; ++i) {
      otter::send(between, number{i});
      report.equal(
          "sent on",
          otter::receive([](number x) { return x.n; }, otter::after(10s, [] { return -1; })), i);
    }
    otter::exit(between, exit_reason::kill());  // unless they have come to their ends
    otter::exit(last, exit_reason::kill());
    end_of(between.ref);
    end_of(last.ref);
  });
}
