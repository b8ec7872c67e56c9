// Talking to servers: call, try_call, cast, reply, stop.

#include <catch2/catch.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/process_info.hpp>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using trace::failure_of;
using trace::text;

namespace gen_test {

class counter : public otter::gen_server<counter> {
 public:
  struct add {
    int by;
  };
  struct read {
    using reply = int;
  };
  struct wait_for_add {  // answered by the next add
    using reply = long;
  };
  struct hand_over {  // answered by another process, twice
    using reply = int;
  };
  struct lie {  // answered with another type
    using reply = int;
  };
  struct touch {
    using reply = void;
  };
  struct die {
    using reply = int;
    otter::exit_reason reason;
  };
  using accepts = otter::accepts<add, read, wait_for_add, hand_over, lie, touch, die>;

  explicit counter(int start) : value_(start) {}

  void handle_cast(add a) {
    value_ += a.by;
    if (waiting_) otter::reply(waiting_, value_);
    waiting_ = {};
  }
  int handle_call(read) { return value_; }
  otter::call_outcome<long> handle_call(wait_for_add, otter::caller<wait_for_add> who) {
    waiting_ = who;
    return noreply();
  }
  otter::call_outcome<int> handle_call(hand_over, otter::from who) {
    otter::spawn([who] {
      otter::reply(who, 1);
      otter::reply(who, 2);
    });
    return noreply();
  }
  otter::call_outcome<int> handle_call(lie, otter::from who) {
    otter::reply(who, std::string("no int"));
    return noreply();
  }
  void handle_call(touch) { ++value_; }
  otter::call_outcome<int> handle_call(die d) { return stop(d.reason); }

 private:
  int value_;
  otter::caller<wait_for_add> waiting_;
};

struct stranger {
  using reply = int;
};
struct strange_cast {};

class phone_book : public otter::name_registry {
 public:
  otter::pid entry;
  otter::pid whereis(std::string_view key) override {
    return key == "counter" ? entry : otter::pid{};
  }
  bool register_name(std::string_view, otter::pid) override { return false; }
  void unregister_name(std::string_view) override {}
};

/// Asks another of its kind in the middle of a call.
class gossip : public otter::gen_server<gossip> {
 public:
  struct hello {
    using reply = std::string;
  };
  struct ask {  // `whom` for hello
    using reply = std::string;
    std::string whom;
  };
  struct pass_on {  // asks `first` to ask `whom`
    using reply = std::string;
    std::string first, whom;
  };
  using accepts = otter::accepts<hello, ask, pass_on>;

  std::string handle_call(hello) { return "hello"; }
  std::string handle_call(ask m) {
    auto answer = otter::try_call(m.whom, hello{}, 1ms);
    return answer ? *answer : text(answer.error());
  }
  std::string handle_call(pass_on m) { return otter::call(m.first, ask{m.whom}); }
};

}  // namespace gen_test

using gen_test::counter;

TEST_CASE("a call returns the answer of the server, after everything sent to it before",
          "[gen][GC-5]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link(40).value();
    otter::cast(server, counter::add{2});
    report.equal("answer", otter::call(server, counter::read{}), 42);
    otter::stop(server);
  });
}

TEST_CASE("a request with the answer void waits until it has been dealt with", "[gen][GC-22]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link(1).value();
    otter::call(server, counter::touch{});
    report.equal("answer", otter::call(server, counter::read{}), 2);
    report.check("try_call", otter::try_call(server, counter::touch{}).has_value());
  });
}

TEST_CASE("a server is addressed by pid, name, server_ref or a registry of the program's own",
          "[gen][GC-1]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link({.name = "counter"}, 7).value();
    gen_test::phone_book book;
    book.entry = server;
    report.equal("server_ref", otter::call(server, counter::read{}), 7);
    report.equal("pid", otter::call(server.process(), counter::read{}), 7);
    report.equal("name", otter::call("counter", counter::read{}), 7);
    report.equal("via", otter::call(otter::via{&book, "counter"}, counter::read{}), 7);
    report.equal("an unknown key", failure_of([&] {
                   otter::call(otter::via{&book, "nobody"}, counter::read{});
                 }),
                 text(otter::exit_reason::noproc()));
  });
}

TEST_CASE("a call to what does not exist fails with noproc", "[gen][GC-7]") {
  on_every_driver([](driver_report& report) {
    const auto noproc = text(otter::exit_reason::noproc());
    report.equal("unknown name", failure_of([] { otter::call("nobody", counter::read{}); }),
                 noproc);
    report.equal("no process", failure_of([] { otter::call(otter::pid{}, counter::read{}); }),
                 noproc);
    auto server = counter::start_link(0).value();
    otter::stop(server);
    report.equal("an ended one", failure_of([&] { otter::call(server, counter::read{}); }), noproc);
  });
}

TEST_CASE("a call to oneself fails with calling_self", "[gen][GC-7]") {
  on_every_driver([](driver_report& report) {
    report.equal("cause", failure_of([] { otter::call(otter::self(), counter::read{}); }),
                 text(otter::exit_reason::calling_self()));
  });
}

TEST_CASE("a call fails with the reason for which the server ends meanwhile", "[gen][GC-7]") {
  on_every_driver([](driver_report& report) {
    for (auto const& reason : {otter::exit_reason::normal(), otter::exit_reason::shutdown(),
                               otter::exit_reason::of(std::string_view("tired"))}) {
      auto server = counter::start(0).value();
      report.equal("cause", failure_of([&] { otter::call(server, counter::die{reason}); }),
                   text(reason));
    }
    auto server = counter::start(0).value();
    auto asked = otter::send_request(server, counter::wait_for_add{});
    otter::exit(server, otter::exit_reason::kill());
    auto response = otter::receive_response(asked, trace::patience);
    report.check("killed", response && !*response && response->error() == otter::exit_kind::killed);
  });
}

TEST_CASE("a failed call names the request and the server", "[gen][GC-7]") {
  on_every_driver([](driver_report& report) {
    try {
      otter::call("nobody", counter::read{});
      report.check("it throws", false);
    } catch (otter::process_exit const& e) {
      report.check("kind", e.reason() == otter::exit_kind::call_failed);
      const std::string all = to_string(e.reason());
      report.check("request: " + all, all.find("counter::read") != std::string::npos);
      report.check("server: " + all, all.find("nobody") != std::string::npos);
    }
  });
}

TEST_CASE("an answer that comes after the limit of its call is dropped", "[gen][GC-6]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link(0).value();
    report.equal("late", failure_of([&] { otter::call(server, counter::wait_for_add{}, 5ms); }),
                 text(otter::exit_reason::timeout()));
    otter::cast(server, counter::add{1});  // answers the call that was given up
    report.equal("the request was treated", otter::call(server, counter::read{}), 1);
    report.check("nothing is left in the mailbox", trace::mailbox_is_empty());
  });
}

TEST_CASE("a call with a limit below zero is timeout_value", "[gen][MB-7]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link(0).value();
    bool refused = false;
    try {
      otter::call(server, counter::read{}, -1ms);
    } catch (otter::error const& e) {
      refused = e.code() == otter::errc::timeout_value;
    }
    report.check("refused", refused);
    report.equal("the server goes on", otter::call(server, counter::read{}), 0);
  });
}

TEST_CASE("any process may answer a call, and the second answer is dropped", "[gen][GC-9]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link(0).value();
    report.equal("answer", otter::call(server, counter::hand_over{}), 1);
    report.equal("the server goes on", otter::call(server, counter::read{}), 0);
    report.check("nothing is left in the mailbox", trace::mailbox_is_empty());
  });
}

TEST_CASE("an answer to a caller that has gone does nothing", "[gen][GC-9]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link(0).value();
    auto caller = otter::spawn_monitor([server] { otter::call(server, counter::wait_for_add{}); });
    // Its request must be there before it is killed: ask until the server has two callers to serve.
    otter::exit(caller.process, otter::exit_reason::kill());
    trace::end_of(caller.ref);
    otter::cast(server, counter::add{5});
    report.equal("the server goes on", otter::call(server, counter::read{}), 5);
  });
}

TEST_CASE("an answer of another type than the request names fails the call", "[gen][GC-22]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link(0).value();
    auto answer = otter::try_call(server, counter::lie{});
    report.check("bad_return_value",
                 !answer && answer.error() == otter::exit_kind::bad_return_value);
  });
}

TEST_CASE("try_call returns the cause of a failure", "[gen][GC-22]") {
  on_every_driver([](driver_report& report) {
    auto answer = otter::try_call("nobody", counter::read{});
    report.check("noproc", !answer && answer.error() == otter::exit_reason::noproc());
    auto server = counter::start_link(3).value();
    report.check("value", otter::try_call(server, counter::read{}) == 3);
  });
}

TEST_CASE("a cast to what does not exist is no error", "[gen][GC-10]") {
  on_every_driver([](driver_report& report) {
    otter::cast("nobody", counter::add{1});
    otter::cast(otter::pid{}, counter::add{1});
    auto server = counter::start_link(3).value();
    otter::stop(server);
    otter::cast(server, counter::add{1});
    report.check("the sender goes on", true);
  });
}

TEST_CASE("a call of a request that the server does not accept fails, and the server goes on",
          "[gen][gen_server]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start_link(3).value();
    auto answer = otter::try_call(server.process(), gen_test::stranger{});
    report.check("unknown_request", !answer && answer.error() == otter::exit_kind::error &&
                                        answer.error().type_name() == otter::unknown_request);
    otter::cast(server.process(), gen_test::strange_cast{});
    report.equal("it goes on", otter::call(server, counter::read{}), 3);
    report.equal("reports", report.count_events("does not handle"), std::size_t{2});
  });
}

TEST_CASE("servers that call each other wait until the time of one is over, and are named",
          "[gen][GC-21]") {
  on_every_driver([](driver_report& report) {
    using gen_test::gossip;
    auto anna = gossip::start({.name = "anna"}).value();
    auto berta = gossip::start({.name = "berta"}).value();
    report.equal("berta waits for anna, who waits for berta",
                 otter::call(anna, gossip::pass_on{"berta", "anna"}),
                 text(otter::exit_reason::timeout()));
    report.equal("reports", report.count_events("wait for each other in a circle"), 1u);
    for (auto const& e : report.events())
      report.check(e.text, e.text.find("anna") != std::string::npos &&
                               e.text.find("berta") != std::string::npos);
    report.equal("both go on", otter::call(anna, gossip::ask{"berta"}), "hello");
    otter::stop(anna);
    otter::stop(berta);
  });
}

TEST_CASE("stop ends a server with the reason, and returns when it has ended",
          "[gen][GC-19][PL-9]") {
  on_every_driver([](driver_report& report) {
    auto server = counter::start({.name = "counter"}, 3).value();
    auto watch = otter::monitor(server);
    otter::stop("counter", otter::exit_reason::shutdown());
    report.check("the name is free", !otter::whereis("counter"));
    report.equal("reason", trace::end_of(watch), text(otter::exit_reason::shutdown()));
    report.equal("nobody", failure_of([] { otter::stop("counter"); }),
                 text(otter::exit_reason::noproc()));
  });
}

TEST_CASE("stop fails with timeout when the server is too busy to end", "[gen][PL-9]") {
  on_every_driver([](driver_report& report) {
    otter::pid deaf = otter::spawn([] { otter::receive([](int) {}); });
    report.equal("cause", failure_of([&] { otter::stop(deaf, otter::exit_reason::normal(), 5ms); }),
                 text(otter::exit_reason::timeout()));
    report.check("it lives", otter::is_alive(deaf));
    report.check("nothing is left in the mailbox", trace::mailbox_is_empty());
    otter::send(deaf, 1);
  });
}
