// calls.cpp - calls answered, forwarded, dropped, answered twice, timed out; callers killed.
//
// Servers do with a request what it asks for. A caller gets the answer to its own question or a
// reason that fits, once; nothing of a call is ever in its mailbox.

#include <otter/detail/call.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>

#include "trial.hpp"

namespace simulate {
namespace {

using namespace std::chrono_literals;
using otter::detail::pack;
using otter::detail::signal_kind;

constexpr int servers = 3;
constexpr int callers = 5;

enum class wish : std::uint8_t { answer, answer_later, forward, twice, never, end, sleep };
constexpr std::uint64_t wishes = 7;

struct question {
  int caller;
  std::uint64_t number;
  wish what;
  otter::pid helper;
};
struct answer {
  int caller;
  std::uint64_t number;
};
struct errand {
  otter::from to;
  answer what;
};
struct late {
  otter::from to;
  answer what;
};

otter::detail::envelope_ptr envelope_of(answer a) { return pack<answer>(signal_kind::reply, a); }

class server final : public otter::reactive {
 public:
  explicit server(random numbers) : numbers_(numbers) {}
  void start() override {}
  void handle(otter::event& what) override {
    if (late* l = what.get_if<late>()) return otter::detail::reply(l->to, envelope_of(l->what));
    question* q = what.get_if<question>();
    if (q == nullptr) return;
    answer const a{q->caller, q->number};
    otter::from const to = what.caller();
    switch (q->what) {
      case wish::answer:
        return otter::detail::reply(to, envelope_of(a));
      case wish::answer_later:
        otter::send_after(std::chrono::nanoseconds(numbers_.below(20'000)), otter::self(),
                          late{to, a});
        return;
      case wish::forward:
        return otter::send(q->helper, errand{to, a});
      case wish::twice:
        otter::detail::reply(to, envelope_of(a));
        otter::send(q->helper, errand{to, a});
        return;
      case wish::never:
        return;
      case wish::end:
        return stop(otter::exit_reason::of("as asked"));
      case wish::sleep:
        otter::sleep_for(std::chrono::nanoseconds(numbers_.below(20'000)));
        return otter::detail::reply(to, envelope_of(a));
    }
  }

 private:
  random numbers_;
};

struct ledger {
  trial& t;
  std::vector<otter::pid> servers_now = std::vector<otter::pid>(servers);
  otter::pid helper{};
};

class caller {
 public:
  caller(ledger& l, int me)
      : ledger_(l), me_(me), numbers_(l.t.numbers(10 + static_cast<std::uint64_t>(me))) {}

  void run() {
    for (int i = 0; i < 25; ++i) {
      if (numbers_.below(3) == 0)
        ask_without_waiting();
      else
        ask();
      nothing_in_the_mailbox();
    }
    // Whatever was still on its way has had its time.
    otter::sleep_for(1ms);
    nothing_in_the_mailbox();
  }

 private:
  question next_question() {
    return {me_, ++number_, static_cast<wish>(numbers_.below(wishes)), ledger_.helper};
  }
  otter::pid some_server() { return ledger_.servers_now[numbers_.below(servers)]; }
  otter::duration some_limit() { return std::chrono::nanoseconds(500 + numbers_.below(40'000)); }

  void check(question const& q, otter::detail::response& got, bool late_allowed) {
    if (got.reply) {
      auto const& a = *static_cast<answer*>(got.reply->payload());
      ledger_.t.expect(a.caller == me_ && a.number == q.number,
                       "caller {} asked {} and got the answer to {} of {}", me_, q.number, a.number,
                       a.caller);
      ledger_.t.expect(q.what != wish::never && q.what != wish::end,
                       "caller {} got an answer that nobody gave", me_);
      return;
    }
    bool const fits = got.why == otter::exit_kind::noproc || got.why == otter::exit_kind::killed ||
                      got.why == otter::exit_reason::of("as asked") ||
                      (late_allowed && got.why == otter::exit_kind::timeout);
    ledger_.t.expect(fits, "caller {}: its call failed with {}", me_, got.why);
  }

  void ask() {
    question const q = next_question();
    otter::detail::response got =
        otter::detail::call(some_server(), pack<question>(signal_kind::request, q), some_limit());
    check(q, got, true);
  }

  void ask_without_waiting() {
    question const q = next_question();
    otter::request_id const id =
        otter::detail::send_request(some_server(), pack<question>(signal_kind::request, q));
    if (numbers_.below(4) == 0) otter::sleep_for(std::chrono::nanoseconds(numbers_.below(20'000)));
    if (numbers_.below(5) == 0) return otter::detail::abandon_request(id);
    otter::detail::response got;
    if (otter::detail::wait_response(id, some_limit(), true, got) ==
        otter::detail::response_state::ready)
      check(q, got, false);
  }

  void nothing_in_the_mailbox() {
    otter::receive(
        [&](otter::any_message& m) {
          ledger_.t.complain("caller {} found a {} in its mailbox (GC-6)", me_,
                             m.type() != nullptr ? m.type()->name : "?");
        },
        otter::after(0s, [] {}));
  }

  ledger& ledger_;
  int const me_;
  random numbers_;
  std::uint64_t number_ = 0;
};

void first_process(trial& t) {
  ledger l{t};
  random numbers = t.numbers(1);
  std::uint64_t stream = 1000;
  auto const start_server = [&] {
    return otter::spawn_reactive({}, otter::make_reactive<server>(t.numbers(++stream))).process;
  };
  for (otter::pid& s : l.servers_now) s = start_server();
  l.helper = otter::spawn([] {
    for (;;) otter::receive([](errand e) { otter::detail::reply(e.to, envelope_of(e.what)); });
  });
  int left = callers;
  std::vector<otter::spawned> all;
  for (int n = 0; n < callers; ++n)
    all.push_back(otter::spawn_monitor([&l, n] { caller(l, n).run(); }));
  while (left > 0) {
    otter::receive(
        [&](otter::down const& d) {
          --left;
          t.expect(d.reason == otter::exit_kind::normal || d.reason == otter::exit_kind::killed,
                   "a caller ended with {}", d.reason);
        },
        otter::after(std::chrono::nanoseconds(numbers.below(20'000)), [] {}));
    switch (numbers.below(6)) {
      case 0:  // a server is killed, with what it has been asked
        otter::exit(l.servers_now[numbers.below(servers)], otter::exit_reason::kill());
        break;
      case 1:
      case 2:
        l.servers_now[numbers.below(servers)] = start_server();  // the old one goes on for a while
        break;
      case 3:
        if (numbers.below(10) == 0)
          otter::exit(all[numbers.below(all.size())].process, otter::exit_reason::kill());
        break;
      default:
        break;
    }
  }
}

}  // namespace

void calls(trial& t) {
  t.run([&t] { first_process(t); });
}

}  // namespace simulate
