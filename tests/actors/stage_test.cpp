// Events at the pace of those who take them.

#include <catch2/catch.hpp>
#include <cstddef>
#include <numeric>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/stage.hpp>
#include <string>
#include <utility>
#include <vector>

#include "process_support.hpp"
#include "trace.hpp"

using namespace trace;
using otter::cancel_mode;
using process_test::errc_of;
using process_test::go;

namespace stage_test {

inline std::string text_of(std::vector<int> const& numbers) {
  std::string all;
  for (int n : numbers) all += (all.empty() ? "" : " ") + std::to_string(n);
  return all;
}

/// Emits 0, 1, 2 ... as many as are wanted, up to `end`; tells how many were wanted.
class numbers : public otter::producer<numbers, int> {
 public:
  struct emitted {
    using reply = int;
  };
  using accepts = with<emitted>;

  numbers(otter::pid test, int end) : test_(test), end_(end) {}

  std::vector<int> handle_demand(std::size_t wanted) {
    tell(test_, "wanted " + std::to_string(wanted));
    std::vector<int> events;
    while (events.size() != wanted && next_ != end_) events.push_back(next_++);
    return events;
  }
  int handle_call(emitted) { return next_; }

 private:
  otter::pid test_;
  int end_;
  int next_ = 0;
};

/// Emits what it is told to.
class source : public otter::producer<source, int> {
 public:
  struct push {
    using reply = void;
    int first;
    int count;
  };
  struct look {
    using reply = std::string;
  };
  struct leave {
    otter::exit_reason why;
  };
  using accepts = with<push, look, leave>;

  explicit source(otter::producer_options<int> how = {}) : producer(std::move(how)) {}

  void handle_call(push p) {
    std::vector<int> events(static_cast<std::size_t>(p.count));
    std::iota(events.begin(), events.end(), p.first);
    emit(std::move(events));
  }
  std::string handle_call(look) {
    return std::to_string(demand()) + " wanted, " + std::to_string(buffered()) + " waiting, " +
           std::to_string(dropped()) + " dropped";
  }
  otter::outcome handle_cast(leave l) { return stop(l.why); }
};

/// Keeps what it gets; held, it waits for `go` before each portion.
class sink : public otter::consumer<sink, int> {
 public:
  struct got {
    using reply = std::vector<int>;
  };
  struct knows {
    using reply = std::size_t;
  };
  using accepts = with<got, knows>;
  enum class manner { free, held };

  explicit sink(otter::pid test = {}, manner how = manner::free) : test_(test), how_(how) {}

  void handle_events(std::vector<int> events) {
    if (how_ == manner::held) {
      tell(test_, "handles " + text_of(events));
      otter::receive([](go) {});
    }
    got_.insert(got_.end(), events.begin(), events.end());
  }
  std::vector<int> handle_call(got) { return got_; }
  std::size_t handle_call(knows) { return producers().size(); }

 private:
  otter::pid test_;
  manner how_;
  std::vector<int> got_;
};

/// Each number, and the same times ten.
class tens : public otter::producer_consumer<tens, int, int> {
 public:
  struct handled {
    using reply = int;
  };
  using accepts = with<handled>;

  std::vector<int> handle_events(std::vector<int> events) {
    std::vector<int> out;
    for (int n : events) {
      out.push_back(n);
      out.push_back(n * 10);
    }
    handled_ += static_cast<int>(events.size());
    return out;
  }
  int handle_call(handled) { return handled_; }

 private:
  int handled_ = 0;
};

inline std::string got(otter::pid of) { return text_of(otter::call(of, sink::got{})); }
inline std::string look(otter::pid at) { return otter::call(at, source::look{}); }

/// Subscribes, and returns when the producer knows.
inline void must_subscribe(otter::pid who, otter::pid from, otter::subscription_options how = {}) {
  otter::subscribe(who, from, how);
  otter::call(who, sink::knows{});
  look(from);
}

}  // namespace stage_test

using namespace stage_test;

TEST_CASE("a producer is asked for what its consumer wants, and never sends more",
          "[stage][ST-1]") {
  on_every_driver([](driver_report& report) {
    auto const producer = numbers::start_link(otter::self(), 1000).value();
    auto const consumer = sink::start_link(otter::self(), sink::manner::held).value();
    otter::subscribe(consumer, producer, {.max_demand = 6, .min_demand = 4});
    report.equal("at first", next(), "wanted 6");
    report.equal("in portions of max less min", next(), "handles 0 1");
    report.equal("that is all", otter::call(producer, numbers::emitted{}), 6);
    otter::send(consumer, go{});
    // What it asks for and what it handles next come from two processes.
    std::string const a = next();
    std::string const b = next();
    report.check(
        "it asks again when min_demand are left: " + a + ", " + b,
        (a == "wanted 2" && b == "handles 2 3") || (a == "handles 2 3" && b == "wanted 2"));
    report.equal("no more than that", otter::call(producer, numbers::emitted{}), 8);
    report.check("nothing else happened", mailbox_is_empty());
  });
}

TEST_CASE("without numbers a consumer wants a thousand, and asks again at half of it",
          "[stage][ST-1]") {
  on_every_driver([](driver_report& report) {
    auto const producer = numbers::start_link(otter::self(), 1000).value();
    auto const consumer = sink::start_link().value();
    otter::subscribe(consumer, producer);
    report.equal("at first", next(), "wanted 1000");
    report.equal("then", next(), "wanted 500");
    report.equal("then", next(), "wanted 500");
    auto const all = otter::call(consumer, sink::got{});
    report.equal("all came", all.size(), std::size_t{1000});
    bool in_order = true;
    for (std::size_t i = 0; i != all.size(); ++i) in_order &= all[i] == static_cast<int>(i);
    report.check("in order", in_order);
    report.equal("no demands that cannot be",
                 errc_of([&] { otter::subscribe(consumer, producer, {.max_demand = 0}); }),
                 "badarg");
    report.equal("nor such", errc_of([&] {
                   otter::subscribe(consumer, producer, {.max_demand = 3, .min_demand = 3});
                 }),
                 "badarg");
  });
}

TEST_CASE("demand that a producer cannot serve is remembered, and served when events come",
          "[stage][ST-2]") {
  on_every_driver([](driver_report& report) {
    auto const producer = source::start_link().value();
    auto const consumer = sink::start_link().value();
    must_subscribe(consumer, producer, {.max_demand = 10, .min_demand = 0});
    report.equal("asked for", look(producer), "10 wanted, 0 waiting, 0 dropped");
    otter::call(producer, source::push{1, 3});
    report.equal("sent at once", got(consumer), "1 2 3");
    report.equal("the rest is remembered", look(producer), "7 wanted, 0 waiting, 0 dropped");
    // One that is asked and has less is not asked for the same again.
    auto const few = numbers::start_link(otter::self(), 2).value();
    otter::subscribe(consumer, few, {.max_demand = 10, .min_demand = 0});
    report.equal("wanted", next(), "wanted 10");
    otter::call(few, numbers::emitted{});
    report.check("once", mailbox_is_empty());
  });
}

TEST_CASE("a producer keeps the last of what nobody wants, and logs that it drops the others",
          "[stage][ST-2]") {
  on_every_driver([](driver_report& report) {
    auto const producer =
        source::start_link(otter::producer_options<int>{.buffer_size = 5}).value();
    otter::call(producer, source::push{1, 4});
    report.equal("fits", look(producer), "0 wanted, 4 waiting, 0 dropped");
    otter::call(producer, source::push{5, 4});
    otter::call(producer, source::push{9, 1});
    report.equal("does not", look(producer), "0 wanted, 5 waiting, 4 dropped");
    report.equal("said once", report.count_events("5 events wait for demand"), std::size_t{1});
    auto const consumer = sink::start_link().value();
    must_subscribe(consumer, producer, {.max_demand = 4, .min_demand = 0});
    report.equal("the last", got(consumer).substr(0, 7), "5 6 7 8");
    look(producer);
    report.equal("and how many", report.count_events("4 events were dropped"), std::size_t{1});

    auto const keeps_first =
        source::start_link(
            otter::producer_options<int>{.buffer_size = 2, .keep = otter::buffer_keep::first})
            .value();
    otter::call(keeps_first, source::push{1, 4});
    auto const other = sink::start_link().value();
    must_subscribe(other, keeps_first);
    report.equal("the first, if asked for", got(other), "1 2");
  });
}

TEST_CASE("without numbers a producer keeps ten thousand events", "[stage][ST-2]") {
  on_every_driver([](driver_report& report) {
    auto const producer = source::start_link().value();
    otter::call(producer, source::push{0, 10'003});
    report.equal("kept", look(producer), "0 wanted, 10000 waiting, 3 dropped");
  });
}

TEST_CASE("whether a consumer ends with its producer is what its cancel mode says",
          "[stage][ST-3]") {
  struct row {
    cancel_mode mode;
    otter::exit_reason reason;
    bool ends;
  };
  on_every_driver([](driver_report& report) {
    auto const crashed = otter::exit_reason::of("crashed");
    auto const normal = otter::exit_reason::normal();
    auto const shutdown = otter::exit_reason::shutdown("for the night");
    std::vector<row> const rows = {
        {cancel_mode::permanent, crashed, true},   {cancel_mode::permanent, normal, true},
        {cancel_mode::permanent, shutdown, true},  {cancel_mode::transient, crashed, true},
        {cancel_mode::transient, normal, false},   {cancel_mode::transient, shutdown, false},
        {cancel_mode::temporary, crashed, false},  {cancel_mode::temporary, normal, false},
        {cancel_mode::temporary, shutdown, false},
    };
    for (row const& r : rows) {
      auto const producer = source::start().value();
      auto const consumer = sink::start().value();
      otter::monitor_ref const end = otter::monitor(consumer);
      must_subscribe(consumer, producer, {.cancel = r.mode});
      otter::call(producer, source::push{1, 2});
      otter::cast(producer, source::leave{r.reason});
      end_of(producer);
      if (r.ends) {
        report.equal("ends with the same reason", end_of(end), text(r.reason));
        continue;
      }
      report.equal("goes on with what it got", got(consumer), "1 2");
      // It hears of the end in its own time.
      while (otter::call(consumer, sink::knows{}) != 0) otter::checkpoint();
      otter::stop(consumer);
    }
  });
}

TEST_CASE("a consumer that subscribes to nobody, or to what is not there, is told so",
          "[stage][ST-3]") {
  on_every_driver([](driver_report& report) {
    struct words : otter::producer<words, std::string> {};
    auto const producer = source::start_link().value();
    auto const other = words::start_link().value();
    auto const ends = [&](otter::pid whom, otter::subscription_options how) {
      auto const consumer = sink::start().value();
      otter::monitor_ref const end = otter::monitor(consumer);
      otter::subscribe(otter::pid(consumer), whom, how);
      return end_of(end);
    };
    report.equal("nobody", ends(otter::pid{}, {}), "noproc");
    report.check("another type", ends(other, {}).find("not int") != std::string::npos);
    report.check("no such partition",
                 ends(producer, {.partition = 1}).find("has 1 partitions, and no partition 1") !=
                     std::string::npos);
  });
}

TEST_CASE("a consumer that ends is forgotten, with what it wanted", "[stage][ST-3]") {
  on_every_driver([](driver_report& report) {
    auto const producer = source::start_link().value();
    auto const consumer = sink::start().value();
    must_subscribe(consumer, producer, {.max_demand = 10});
    report.equal("wants", look(producer), "10 wanted, 0 waiting, 0 dropped");
    otter::stop(consumer);
    // Its `down` may still be under way.
    while (look(producer) != "0 wanted, 0 waiting, 0 dropped") otter::checkpoint();
    otter::call(producer, source::push{1, 2});
    report.equal("kept for others", look(producer), "0 wanted, 2 waiting, 0 dropped");
    auto const later = sink::start_link().value();
    must_subscribe(later, producer);
    report.equal("who get it", got(later), "1 2");
  });
}

TEST_CASE("unsubscribe ends a subscription, and the consumer goes on", "[stage][ST-3]") {
  on_every_driver([](driver_report& report) {
    auto const producer = source::start_link().value();
    auto const consumer = sink::start_link().value();
    must_subscribe(consumer, producer);
    otter::unsubscribe(consumer, producer);
    report.equal("no producer", otter::call(consumer, sink::knows{}), std::size_t{0});
    otter::call(producer, source::push{1, 2});
    report.equal("kept", look(producer), "0 wanted, 2 waiting, 0 dropped");
    report.equal("nothing came", got(consumer), "");
    must_subscribe(consumer, producer);
    report.equal("again", got(consumer), "1 2");
  });
}

TEST_CASE("of several consumers who wants most gets events first", "[stage][ST-3]") {
  on_every_driver([](driver_report& report) {
    auto const producer = source::start_link().value();
    auto const little = sink::start_link().value();
    auto const much = sink::start_link().value();
    must_subscribe(little, producer, {.max_demand = 3, .min_demand = 0});
    must_subscribe(much, producer, {.max_demand = 5, .min_demand = 0});
    report.equal("both want", look(producer), "8 wanted, 0 waiting, 0 dropped");
    otter::call(producer, source::push{1, 4});
    report.equal("much", got(much), "1 2 3 4");
    report.equal("little", got(little), "");
    otter::call(producer, source::push{5, 3});
    report.equal("now that one wants more", got(little), "5 6 7");
  });
}

TEST_CASE("a broadcast goes to all, at the pace of the slowest", "[stage][ST-3]") {
  on_every_driver([](driver_report& report) {
    auto const producer = source::start_link(otter::producer_options<int>{
                                                 .dispatch = otter::dispatcher<int>::broadcast()})
                              .value();
    auto const fast = sink::start_link().value();
    auto const slow = sink::start_link(otter::self(), sink::manner::held).value();
    must_subscribe(fast, producer, {.max_demand = 100});
    must_subscribe(slow, producer, {.max_demand = 2, .min_demand = 0});
    otter::call(producer, source::push{1, 5});
    report.equal("the slow one", next(), "handles 1 2");
    report.equal("the fast one has no more", got(fast), "1 2");
    report.equal("the rest waits", look(producer), "0 wanted, 3 waiting, 0 dropped");
    otter::send(slow, go{});
    report.equal("then", next(), "handles 3 4");
    report.equal("for both", got(fast), "1 2 3 4");
    otter::send(slow, go{});
    report.equal("and then", next(), "handles 5");
    otter::unsubscribe(slow, producer);
    otter::send(slow, go{});
    otter::call(slow, sink::knows{});
    otter::call(producer, source::push{6, 3});
    report.equal("without it there is nobody to wait for", got(fast), "1 2 3 4 5 6 7 8");
  });
}

TEST_CASE("a broadcast may wait until so many consumers have subscribed", "[stage][ST-3]") {
  on_every_driver([](driver_report& report) {
    auto const producer = source::start_link(otter::producer_options<int>{
                                                 .dispatch = otter::dispatcher<int>::broadcast(2)})
                              .value();
    otter::call(producer, source::push{1, 2});
    auto const first = sink::start_link().value();
    must_subscribe(first, producer);
    report.equal("one is not enough", got(first), "");
    auto const second = sink::start().value();
    must_subscribe(second, producer);
    report.equal("two are", got(first), "1 2");
    report.equal("both get all", got(second), "1 2");
    otter::unsubscribe(second, producer);
    otter::call(second, sink::knows{});
    otter::call(producer, source::push{3, 1});
    report.equal("it goes on when one leaves", got(first), "1 2 3");
  });
}

TEST_CASE("each partition's events go to those who take that partition", "[stage][ST-3]") {
  on_every_driver([](driver_report& report) {
    auto const by_rest = otter::dispatcher<int>::partition(
        2, [](int const& n) { return static_cast<unsigned>(n) % 2; });
    auto const producer =
        source::start_link(otter::producer_options<int>{.dispatch = by_rest}).value();
    auto const even = sink::start_link().value();
    must_subscribe(even, producer, {.partition = 0});
    otter::call(producer, source::push{0, 7});
    report.equal("even", got(even), "0 2 4 6");
    report.equal("odd ones wait", look(producer), "996 wanted, 3 waiting, 0 dropped");
    auto const odd = sink::start_link().value();
    must_subscribe(odd, producer, {.partition = 1});
    report.equal("for who takes them", got(odd), "1 3 5");

    otter::trap_exit(true);
    auto const wrong = source::start_link(otter::producer_options<int>{
                                              .dispatch = otter::dispatcher<int>::partition(
                                                  2, [](int const&) { return 7u; })})
                           .value();
    report.check("a partition that is not there ends the producer",
                 failure_of([&] {
                   otter::call(wrong, source::push{0, 1});
                 }).find("an event of partition 7, but there are 2") != std::string::npos);
  });
}

TEST_CASE("a stage between two others works only for who wants its events", "[stage][ST-1]") {
  on_every_driver([](driver_report& report) {
    auto const producer = numbers::start_link(otter::self(), 1000).value();
    auto const between = tens::start_link().value();
    auto const consumer = sink::start_link(otter::self(), sink::manner::held).value();
    otter::subscribe(between, producer, {.max_demand = 4, .min_demand = 2});
    report.equal("it asks", next(), "wanted 4");
    otter::call(producer, numbers::emitted{});
    report.equal("and lets them wait", otter::call(between, tens::handled{}), 0);
    otter::subscribe(consumer, between, {.max_demand = 4, .min_demand = 2});
    std::string all;
    for (int i = 0; i != 2; ++i) all += next() + ", ";
    report.check("then it works: " + all, all.find("handles 0 0") != std::string::npos &&
                                              all.find("wanted 2") != std::string::npos);
    report.equal("as far as is wanted", otter::call(between, tens::handled{}), 2);
    report.equal("and no more is asked for", otter::call(producer, numbers::emitted{}), 6);
  });
}

TEST_CASE("a stage between two others hands on what it got before it ends with its producer",
          "[stage][ST-3]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto const producer = source::start().value();
    auto const between = tens::start().value();
    auto const consumer = sink::start_link().value();
    otter::subscribe(between, producer, {.max_demand = 10});
    otter::call(between, tens::handled{});
    otter::call(producer, source::push{1, 3});
    otter::cast(producer, source::leave{otter::exit_reason::of("done")});
    end_of(producer);
    report.equal("it waits for somebody who wants them", otter::call(between, tens::handled{}), 0);
    otter::subscribe(consumer, between, {.max_demand = 4, .cancel = cancel_mode::temporary});
    report.equal("then it ends", end_of(between), "done");
    while (otter::call(consumer, sink::knows{}) != 0) otter::checkpoint();
    report.equal("all came", got(consumer), "1 10 2 20 3 30");
  });
}

// Whatever runs when: each event comes once, in the order of its producer, and never more than
// asked for.
TEST_CASE("many producers and consumers lose and repeat no event", "[stage][ST-1][ST-3]") {
  on_every_driver([](driver_report& report) {
    constexpr int each = 300;
    std::vector<otter::pid> producers;
    std::vector<otter::pid> consumers;
    otter::pid const ignored = otter::spawn([] { otter::receive([](go) {}); });
    for (int i = 0; i != 3; ++i) producers.push_back(numbers::start_link(ignored, each).value());
    for (int i = 0; i != 3; ++i) consumers.push_back(sink::start_link().value());
    for (otter::pid const c : consumers)
      for (otter::pid const p : producers)
        otter::subscribe(c, p, {.max_demand = 7, .min_demand = 3});
    std::vector<int> all;
    while (all.size() != 3 * each) {
      all.clear();
      for (otter::pid const c : consumers) {
        auto const some = otter::call(c, sink::got{});
        all.insert(all.end(), some.begin(), some.end());
      }
    }
    std::vector<int> times(each, 0);
    for (int n : all) ++times.at(static_cast<std::size_t>(n));
    report.check("each came from each producer once", times == std::vector<int>(each, 3));
  });
}
