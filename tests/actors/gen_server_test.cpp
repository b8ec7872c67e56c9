// What the callbacks of a server may return, and in which order things happen.

#include <catch2/catch.hpp>
#include <memory>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using otter::exit_reason;
using trace::failure_of;
using trace::text;

namespace gen_server_test {

struct tick {
  int number;
};
struct unlisted {};

/// Does what it is told, and tells what it did.
class actor : public otter::gen_server<actor> {
 public:
  struct value {  // a plain answer, of a type that only moves
    using reply = std::unique_ptr<int>;
  };
  struct later {
    using reply = int;
  };
  struct stop_with_reply {
    using reply = int;
  };
  struct stop_without_reply {
    using reply = int;
  };
  struct reply_and_continue {
    using reply = int;
  };
  struct thrown_reply {
    using reply = int;
  };
  struct thrown_wrong_reply {
    using reply = int;
  };
  struct quick_continue {};
  struct say {
    std::string what;
  };
  struct halt {
    exit_reason reason;
  };
  struct thrown_halt {};
  struct thrown_reply_in_cast {};
  struct settled {
    using reply = void;
  };
  struct first {};
  struct second {};
  using accepts =
      otter::accepts<value, later, stop_with_reply, stop_without_reply, reply_and_continue,
                     thrown_reply, thrown_wrong_reply, quick_continue, say, halt, thrown_halt,
                     thrown_reply_in_cast, settled, tick>;

  explicit actor(otter::pid watcher) : watcher_(watcher) {}

  std::unique_ptr<int> handle_call(value) { return std::make_unique<int>(5); }
  otter::call_outcome<int> handle_call(later, otter::caller<later> who) {
    otter::cast(otter::self(), say{"later"});
    waiting_ = who;
    return noreply();
  }
  otter::call_outcome<int> handle_call(stop_with_reply) { return stop(exit_reason::normal(), 8); }
  otter::call_outcome<int> handle_call(stop_without_reply) { return stop(exit_reason::shutdown()); }
  otter::call_outcome<int> handle_call(reply_and_continue, otter::from who) {
    caller_ = who.caller();
    return reply(9).continue_with(first{});
  }
  int handle_call(thrown_reply) { throw otter::result(reply(10)); }
  int handle_call(thrown_wrong_reply) { throw otter::result(reply(std::string("ten"))); }
  void handle_call(settled) {}

  otter::outcome handle_cast(quick_continue) { return noreply().continue_with(first{}); }
  void handle_cast(say s) {
    trace::tell(watcher_, s.what);
    if (waiting_) otter::reply(waiting_, 7);
  }
  otter::outcome handle_cast(halt h) { return stop(h.reason); }
  void handle_cast(thrown_halt) {
    throw otter::result(stop(exit_reason::shutdown(std::string_view("thrown"))));
  }
  void handle_cast(thrown_reply_in_cast) { throw otter::result(reply(1)); }

  void handle_info(tick t) { trace::tell(watcher_, "tick " + std::to_string(t.number)); }
  void handle_info(otter::down d) { trace::tell(watcher_, "down " + text(d.reason)); }

  otter::outcome handle_continue(first) {
    trace::tell(watcher_, "first");
    return noreply().continue_with(second{});
  }
  void handle_continue(second) { trace::tell(watcher_, "second"); }

  void terminate(exit_reason const& reason) { trace::tell(watcher_, "terminate " + text(reason)); }

 private:
  otter::pid watcher_;
  otter::pid caller_;
  otter::caller<later> waiting_;
};

/// Continues from init, and has a message to itself waiting by then.
class eager : public otter::gen_server<eager> {
 public:
  struct work {};
  using accepts = otter::accepts<work>;

  explicit eager(otter::pid watcher) : watcher_(watcher) {
    otter::cast(otter::self(), work{});
    otter::send(otter::self(), work{});
  }
  otter::init_outcome init() { return ok().continue_with(1); }
  void handle_cast(work) { trace::tell(watcher_, "cast"); }
  void handle_info(work) { trace::tell(watcher_, "info"); }
  otter::outcome handle_continue(int n) {
    trace::tell(watcher_, "continue " + std::to_string(n));
    // The starter must not have to wait for a continue: this one waits for the starter.
    if (n == 1) otter::receive([](double) {});
    return n == 1 ? otter::outcome(noreply().continue_with(2)) : otter::outcome(noreply());
  }

 private:
  otter::pid watcher_;
};

/// Takes any plain message.
class sink : public otter::gen_server<sink> {
 public:
  using accepts = otter::accepts<tick>;
  explicit sink(otter::pid watcher) : watcher_(watcher) {}
  void handle_info(tick) { trace::tell(watcher_, "tick"); }
  void handle_info(otter::any_message& m) {
    trace::tell(watcher_, m.get_if<unlisted>() != nullptr ? "unlisted" : "something else");
  }

 private:
  otter::pid watcher_;
};

class watcher : public otter::gen_server<watcher> {
 public:
  using accepts = otter::accepts<>;
  watcher(otter::pid target, otter::pid test) : test_(test) { (void)otter::monitor(target); }
  void handle_info(otter::down d) { trace::tell(test_, "down " + text(d.reason)); }

 private:
  otter::pid test_;
};

}  // namespace gen_server_test

using gen_server_test::actor;
using gen_server_test::tick;

TEST_CASE("handle_call answers with what it returns, also with a type that only moves",
          "[gen_server][GS-7]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start_link(otter::self()).value();
    report.equal("answer", *otter::call(server, actor::value{}), 5);
  });
}

TEST_CASE("noreply leaves the caller waiting until somebody answers", "[gen_server][GS-8]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start_link(otter::self()).value();
    report.equal("answer", otter::call(server, actor::later{}), 7);
    report.equal("by a later cast", trace::next(), "later");
  });
}

TEST_CASE("stop with an answer runs terminate, then answers, then ends", "[gen_server][GS-9]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start(otter::self()).value();
    auto watch = otter::monitor(server);
    report.equal("answer", otter::call(server, actor::stop_with_reply{}), 8);
    const bool terminated =
        otter::receive([](trace::saw) { return true; }, otter::after(0s, [] { return false; }));
    report.check("terminate was before the answer", terminated);
    report.equal("end", trace::end_of(watch), text(exit_reason::normal()));
  });
}

TEST_CASE("stop without an answer gives the caller the reason", "[gen_server][GS-10]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start(otter::self()).value();
    report.equal("cause", failure_of([&] { otter::call(server, actor::stop_without_reply{}); }),
                 text(exit_reason::shutdown()));
    report.equal("terminate", trace::next(), "terminate " + text(exit_reason::shutdown()));
  });
}

TEST_CASE("casts and plain messages are handled one at a time in mailbox order",
          "[gen_server][GS-11][GS-18]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start_link(otter::self()).value();
    otter::cast(server, actor::say{"one"});
    otter::send(server, tick{2});
    otter::cast(server, actor::say{"three"});
    otter::call(server, actor::settled{});
    otter::send(server, tick{5});
    for (auto const* expected : {"one", "tick 2", "three", "tick 5"})
      report.equal("order", trace::next(), expected);
  });
}

TEST_CASE("a down of a monitor reaches handle_info without being listed", "[gen_server][GS-11]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start(otter::self()).value();
    auto observer = gen_server_test::watcher::start_link(server.process(), otter::self()).value();
    otter::stop(server);
    report.equal("terminate", trace::next(), "terminate " + text(exit_reason::normal()));
    report.equal("down", trace::next(), "down " + text(exit_reason::normal()));
    otter::stop(observer);
  });
}

TEST_CASE("a plain message that nothing handles is reported and dropped", "[gen_server][GS-12]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start_link(otter::self()).value();
    otter::send(server, gen_server_test::unlisted{});
    otter::call(server, actor::settled{});
    report.equal("reports", report.count_events("unlisted"), std::size_t{1});
  });
}

TEST_CASE("handle_info of any_message takes what no other handler takes", "[gen_server][GS-11]") {
  on_every_driver([](driver_report& report) {
    auto server = gen_server_test::sink::start_link(otter::self()).value();
    otter::send(server, gen_server_test::unlisted{});
    otter::send(server, tick{1});
    otter::send(server, 1.5);
    for (auto const* expected : {"unlisted", "tick", "something else"})
      report.equal("handled", trace::next(), expected);
  });
}

TEST_CASE("a thrown result is the value of the callback", "[gen_server][GS-13]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start(otter::self()).value();
    auto watch = otter::monitor(server);
    report.equal("answer", otter::call(server, actor::thrown_reply{}), 10);
    otter::cast(server, actor::thrown_halt{});
    report.equal("end", trace::end_of(watch),
                 text(exit_reason::shutdown(std::string_view("thrown"))));
    report.equal("reports", report.events().size(), std::size_t{0});
  });
}

TEST_CASE("a thrown answer of the wrong type ends the server with bad_return_value",
          "[gen_server][GS-14]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start(otter::self()).value();
    auto answer = otter::try_call(server, actor::thrown_wrong_reply{});
    report.check("the caller gets it",
                 !answer && answer.error() == otter::exit_kind::bad_return_value);
    auto other = actor::start(otter::self()).value();
    auto watch = otter::monitor(other);
    otter::cast(other, actor::thrown_reply_in_cast{});
    const std::string end = trace::end_of(watch);
    report.check("an answer to a cast: " + end, end.find("bad_return_value") != std::string::npos);
  });
}

TEST_CASE("a continue runs before every message that waits", "[gen_server][GS-15]") {
  on_every_driver([](driver_report& report) {
    auto server = gen_server_test::eager::start_link(otter::self()).value();
    otter::send(server, 1.0);
    for (auto const* expected : {"continue 1", "continue 2", "cast", "info"})
      report.equal("order", trace::next(), expected);
  });
}

TEST_CASE("a start does not wait for the continue that init asked for", "[gen_server][GS-16]") {
  on_every_driver([](driver_report& report) {
    // Its continue waits for a message that is sent when the start has returned.
    auto server = gen_server_test::eager::start_link(otter::self()).value();
    otter::send(server, 1.0);
    report.equal("then", trace::next(), "continue 1");
    report.equal("a continue may ask for another", trace::next(), "continue 2");
  });
}

TEST_CASE("an answer goes out before the continue that comes with it", "[gen_server][GS-17]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start_link(otter::self()).value();
    // The traces of the continue were sent by the server after the answer: none can be here before.
    report.equal("answer", otter::call(server, actor::reply_and_continue{}), 9);
    report.equal("first", trace::next(), "first");
    report.equal("second", trace::next(), "second");
  });
}

TEST_CASE("a continue runs after a cast too", "[gen_server][GS-15]") {
  on_every_driver([](driver_report& report) {
    auto server = actor::start_link(otter::self()).value();
    otter::cast(server, actor::quick_continue{});
    otter::cast(server, actor::say{"cast"});
    for (auto const* expected : {"first", "second", "cast"})
      report.equal("order", trace::next(), expected);
  });
}
