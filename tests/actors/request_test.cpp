// Requests that are sent now and whose responses are awaited later.

#include <catch2/catch.hpp>
#include <map>
#include <otter/blocking.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;

namespace request_test {

/// Answers a request when it is told to.
class oracle : public otter::gen_server<oracle> {
 public:
  struct ask {
    using reply = int;
    int question;
  };
  struct answer {
    int question;
    int value;
  };
  struct settled {
    using reply = void;
  };
  using accepts = otter::accepts<ask, answer, settled>;

  otter::call_outcome<int> handle_call(ask a, otter::caller<ask> who) {
    waiting_[a.question] = who;
    return noreply();
  }
  void handle_cast(answer a) { otter::reply(waiting_[a.question], a.value); }
  void handle_call(settled) {}

 private:
  std::map<int, otter::caller<ask>> waiting_;
};

/// A server that asks another one without waiting.
class asker : public otter::gen_server<asker> {
 public:
  struct go {
    otter::pid oracle;
  };
  using accepts = otter::accepts<go>;

  explicit asker(otter::pid watcher) : watcher_(watcher) {}

  void handle_cast(go g) {
    first_ = otter::send_request(g.oracle, oracle::ask{1});
    second_ = otter::send_request(g.oracle, oracle::ask{2});
    otter::cast(g.oracle, oracle::answer{2, 20});
  }
  void handle_info(otter::any_response& r) {
    if (!watcher_) throw std::runtime_error("nobody watches");
    if (auto got = otter::check_response(r, first_)) tell("first", *got);
    if (auto got = otter::check_response(r, second_)) tell("second", *got);
  }

 private:
  void tell(std::string which, otter::response<int> const& got) {
    trace::tell(watcher_,
                which + (got ? " " + std::to_string(*got) : " failed: " + to_string(got.error())));
  }

  otter::pid watcher_;
  otter::sent_request<int> first_;
  otter::sent_request<int> second_;
};

/// A process of one's own making that does the same.
class reactive_asker final : public otter::reactive {
 public:
  reactive_asker(otter::pid oracle, otter::pid watcher) : oracle_(oracle), watcher_(watcher) {}

  void start() override {
    first_ = otter::send_request(oracle_, oracle::ask{1});
    second_ = otter::send_request(oracle_, oracle::ask{2});
    otter::cast(oracle_, oracle::answer{2, 20});
  }
  void handle(otter::event& e) override {
    if (otter::check_response(e, first_)) trace::tell(watcher_, "first");
    if (auto got = otter::check_response(e, second_))
      trace::tell(watcher_, "second " + std::to_string(got->value()));
  }

 private:
  otter::pid oracle_;
  otter::pid watcher_;
  otter::sent_request<int> first_;
  otter::sent_request<int> second_;
};

}  // namespace request_test

using request_test::oracle;

TEST_CASE("the response to a request is received later", "[request][GC-12]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start_link().value();
    auto id = otter::send_request(server, oracle::ask{1});
    otter::cast(server, oracle::answer{1, 10});
    auto got = otter::receive_response(id, trace::patience);
    report.check("answer", got && *got && **got == 10);
  });
}

TEST_CASE("a request to what does not exist gets noproc as its response", "[request][GC-11]") {
  on_every_driver([](driver_report& report) {
    auto id = otter::send_request("nobody", oracle::ask{1});
    auto got = otter::receive_response(id, trace::patience);
    report.check("noproc", got && !*got && got->error() == otter::exit_reason::noproc());
  });
}

TEST_CASE("a response that is received too late is dropped", "[request][GC-12]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start_link().value();
    auto id = otter::send_request(server, oracle::ask{1});
    report.check("late", !otter::receive_response(id, 2ms));
    otter::cast(server, oracle::answer{1, 10});
    otter::call(server, oracle::settled{});
    report.check("nothing is left in the mailbox", trace::mailbox_is_empty());
    bool refused = false;
    try {
      otter::receive_response(id, 0ms);
    } catch (otter::error const& e) {
      refused = e.code() == otter::errc::badarg;
    }
    report.check("a request that was given up cannot be waited for", refused);
  });
}

TEST_CASE("a request that was waited for in vain can be waited for again", "[request][GC-13]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start_link().value();
    auto id = otter::send_request(server, oracle::ask{1});
    report.check("poll", !otter::wait_response(id, 0ms));
    otter::cast(server, oracle::answer{1, 10});
    auto got = otter::wait_response(id, trace::patience);
    report.check("answer", got && *got && **got == 10);
  });
}

TEST_CASE("the end of the server is the response, and the only one", "[request][GC-18]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start().value();
    auto id = otter::send_request(server, oracle::ask{1});
    auto other = otter::send_request(server, oracle::ask{2});
    otter::cast(server, oracle::answer{1, 10});
    auto got = otter::receive_response(id, trace::patience);
    report.check("answer", got && *got && **got == 10);
    otter::stop(server);
    auto none = otter::receive_response(other, trace::patience);
    report.check("end", none && !*none && none->error() == otter::exit_reason::normal());
    report.check("nothing is left in the mailbox", trace::mailbox_is_empty());
  });
}

TEST_CASE("a server gets responses between its callbacks and recognises its own",
          "[request][GC-14]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start().value();
    auto client = request_test::asker::start_link(otter::self()).value();
    otter::cast(client, request_test::asker::go{server});
    report.equal("the second", trace::next(), "second 20");
    otter::cast(server, oracle::answer{1, 10});
    report.equal("the first", trace::next(), "first 10");
    otter::cast(client, request_test::asker::go{server});
    report.equal("the second again", trace::next(), "second 20");

    otter::stop(server);
    report.equal("the end of the oracle is a response", trace::next(), "first failed: normal");
  });
}

TEST_CASE("a server that fails over a response is reported with what it was",
          "[request][GC-14][GS-32]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start_link().value();
    auto client = request_test::asker::start(otter::pid{}).value();
    auto watch = otter::monitor(client);
    otter::cast(client, request_test::asker::go{server});
    report.check("reason", trace::end_of(watch).find("nobody watches") != std::string::npos);
  });
}

TEST_CASE("a response reaches a reactive as an event", "[request][GC-14]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start_link().value();
    otter::spawn_reactive(
        {.link = true}, otter::make_reactive<request_test::reactive_asker>(server, otter::self()));
    report.equal("response", trace::next(), "second 20");
    otter::cast(server, oracle::answer{1, 10});
    report.equal("response", trace::next(), "first");
  });
}

TEST_CASE("a collection gives the first response with its label", "[request][GC-15][GC-16]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start_link().value();
    otter::request_ids<int, std::string> ids;
    report.check("empty", ids.receive(0ms).state == otter::collected_state::no_request);
    ids.send(server, oracle::ask{1}, "one");
    auto two = ids.send(server, oracle::ask{2}, "two");
    bool refused = false;
    try {
      ids.add(two, "again");
    } catch (otter::error const& e) {
      refused = e.code() == otter::errc::badarg;
    }
    report.check("the same id twice is refused", refused);
    report.equal("size", ids.size(), std::size_t{2});

    otter::cast(server, oracle::answer{2, 20});
    auto first = ids.receive(trace::patience);
    report.check("response", first.state == otter::collected_state::response &&
                                 first.label == "two" && first.response->value() == 20);
    report.check("removed", ids.size() == 1 && ids.to_list().front().second == "one");

    report.check("wait", ids.wait(1ms).state == otter::collected_state::timeout);
    otter::cast(server, oracle::answer{1, 10});
    auto second = ids.wait(trace::patience);
    report.check("waited for again", second.label == "one" && second.response->value() == 10);
  });
}

TEST_CASE("a collection that is received too late gives up all its requests", "[request][GC-16]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start_link().value();
    otter::request_ids<int, int> ids;
    ids.send(server, oracle::ask{1}, 1);
    ids.send(server, oracle::ask{2}, 2);
    report.check("late", ids.receive(2ms).state == otter::collected_state::timeout);
    otter::cast(server, oracle::answer{1, 10});
    otter::cast(server, oracle::answer{2, 20});
    otter::call(server, oracle::settled{});
    report.check("nothing is left in the mailbox", trace::mailbox_is_empty());
  });
}

TEST_CASE("several waits share one deadline", "[request][GC-17]") {
  on_every_driver([](driver_report& report) {
    auto server = oracle::start_link().value();
    auto one = otter::send_request(server, oracle::ask{1});
    auto two = otter::send_request(server, oracle::ask{2});
    const auto until = otter::node_clock::now() + 3ms;
    report.check("one", !otter::wait_response(one, until));
    report.check("the deadline has passed", otter::node_clock::now() >= until);
    report.check("two", !otter::receive_response(two, until));
  });
}
