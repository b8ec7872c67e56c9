// Calls that end in unusual ways, very often: nothing of them stays.

#include <atomic>
#include <otter/detail/call.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <vector>

#include "stress.hpp"

namespace {

using namespace std::chrono_literals;
using otter::detail::pack;
using otter::detail::signal_kind;

constexpr int callers = 4;

struct ask {
  int number;
};
struct answer {
  int number;
};
struct errand {
  otter::from to;
  int number;
};

enum class manner { third, never, twice };

class server final : public otter::reactive {
 public:
  server(manner how, otter::pid helper) : how_(how), helper_(helper) {}
  void start() override {}
  void handle(otter::event& what) override {
    ask* const a = what.get_if<ask>();
    if (a == nullptr) return;
    if (how_ == manner::third) otter::send(helper_, errand{what.caller(), a->number});
    if (how_ != manner::twice) return;
    for (int i = 0; i < 2; ++i)
      otter::detail::reply(what.caller(), pack<answer>(signal_kind::reply, answer{a->number}));
  }

 private:
  manner how_;
  otter::pid helper_;
};

otter::detail::response call(otter::pid to, int number, otter::duration limit) {
  return otter::detail::call(to, pack<ask>(signal_kind::request, ask{number}), limit);
}

bool answers(otter::detail::response const& r, int number) {
  return r.reply && static_cast<answer*>(r.reply->payload())->number == number;
}

void end(otter::pid p) {
  otter::monitor_ref const ref = otter::monitor(p);
  otter::exit(p, otter::exit_reason::kill());
  otter::receive(
      otter::when([ref](otter::down const& d) { return d.ref == ref; }, [](otter::down const&) {}));
}

/// Each of a few callers runs `one(server, number)` its part of `count` times. Then the server,
/// which still lives, is asked for its size.
template <class One>
std::uint64_t many_calls(manner how, int count, One one) {
  otter::pid const helper = otter::spawn([] {
    for (;;)
      otter::receive([](errand e) {
        otter::detail::reply(e.to, pack<answer>(signal_kind::reply, answer{e.number}));
      });
  });
  otter::pid const s = otter::spawn_reactive({}, otter::make_reactive<server>(how, helper));
  std::vector<otter::spawned> all;
  for (int c = 0; c < callers; ++c)
    all.push_back(otter::spawn_monitor([&one, s, count] {
      for (int i = 0; i < count / callers; ++i) one(s, i);
    }));
  for (otter::spawned const& c : all)
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == c.ref; },
                               [](otter::down const&) {}));
  // Answered by itself, behind all that the callers sent.
  std::uint64_t const bytes =
      otter::process_info<std::uint64_t>(s, otter::info_item::memory).value_or(0);
  end(s);
  end(helper);
  return bytes;
}

constexpr std::uint64_t small_server = 64 * 1024;
int number_of_calls() { return stress::sized(20'000, 1'000'000); }

}  // namespace

TEST_CASE("calls that a third process answers leave nothing at the server", "[stress][GC-9]") {
  unsigned const workers = GENERATE(from_range(stress::worker_counts()));
  std::atomic<int> right{0};
  std::uint64_t bytes = 0;
  stress::rounds("a million calls answered by a third", {.workers = workers}, [&] {
    bytes = many_calls(manner::third, number_of_calls(), [&](otter::pid s, int n) {
      right += answers(call(s, n, otter::infinity), n) ? 1 : 0;
    });
  });
  CHECK(right == 2 * number_of_calls());
  CHECK(bytes < small_server);
}

TEST_CASE("calls that time out leave nothing on either side", "[stress][GC-6]") {
  unsigned const workers = GENERATE(from_range(stress::worker_counts()));
  std::atomic<int> late{0}, polluted{0};
  std::uint64_t bytes = 0;
  stress::rounds("a million calls timed out", {.workers = workers}, [&] {
    bytes = many_calls(manner::never, number_of_calls(), [&](otter::pid s, int n) {
      late += call(s, n, 1us).why == otter::exit_kind::timeout ? 1 : 0;
      otter::receive([&](otter::any_message&) { ++polluted; }, otter::after(0s, [] {}));
    });
  });
  CHECK(late == 2 * number_of_calls());
  CHECK(polluted == 0);
  CHECK(bytes < small_server);
}

TEST_CASE("calls that are answered twice have one answer", "[stress][GC-9]") {
  unsigned const workers = GENERATE(from_range(stress::worker_counts()));
  std::atomic<int> right{0}, polluted{0};
  std::uint64_t bytes = 0;
  stress::rounds("a million calls answered twice", {.workers = workers}, [&] {
    bytes = many_calls(manner::twice, number_of_calls(), [&](otter::pid s, int n) {
      right += answers(call(s, n, otter::infinity), n) ? 1 : 0;
      otter::receive([&](otter::any_message&) { ++polluted; }, otter::after(0s, [] {}));
    });
  });
  CHECK(right == 2 * number_of_calls());
  CHECK(polluted == 0);
  CHECK(bytes < small_server);
}

TEST_CASE("callers that are killed during a call leave nothing at the server", "[stress][GC-9]") {
  unsigned const workers = GENERATE(from_range(stress::worker_counts()));
  std::atomic<int> killed{0};
  std::uint64_t bytes = 0;
  stress::rounds("a million callers killed", {.workers = workers}, [&] {
    bytes = many_calls(manner::never, number_of_calls(), [&](otter::pid s, int n) {
      otter::spawned const caller = otter::spawn_monitor([s, n] { call(s, n, otter::infinity); });
      if (n % 2 == 0) otter::checkpoint();
      otter::exit(caller.process, otter::exit_reason::kill());
      otter::receive(otter::when(
          [&](otter::down const& d) { return d.ref == caller.ref; },
          [&](otter::down const& d) { killed += d.reason == otter::exit_kind::killed ? 1 : 0; }));
    });
  });
  CHECK(killed == 2 * number_of_calls());
  CHECK(bytes < small_server);
}
