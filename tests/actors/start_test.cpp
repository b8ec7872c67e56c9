// Starting servers: who waits for what, and what is left of a failed start.

#include <catch2/catch.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace std::chrono_literals;
using otter::exit_reason;
using otter::start_error;
using trace::text;

namespace start_test {

enum class how {
  well,
  slowly,
  throws,
  exits,
  stops,
  ignores,
  fails,
  throws_result,
  terminates_never,
};

class beginner : public otter::gen_server<beginner> {
 public:
  struct ping {
    using reply = otter::pid;
  };
  using accepts = otter::accepts<ping>;

  beginner(how h, otter::pid watcher) : how_(h), watcher_(watcher) {
    trace::tell(watcher_,
                "constructed " +
                    std::string(otter::whereis("beginner") == otter::self() ? "named" : "unnamed"));
    if (h == how::throws) throw std::runtime_error("no database");
    if (h == how::exits) otter::exit(exit_reason::of(std::string_view("gone")));
    if (h == how::throws_result) throw otter::result(ignore());
  }
  otter::init_outcome init() {
    switch (how_) {
      case how::slowly:
        otter::receive([](double) {});
        return ok();
      case how::stops:
        return stop(exit_reason::of(std::string_view("unwilling")));
      case how::ignores:
        return ignore();
      case how::fails:
        return fail(exit_reason::of(std::string_view("not today")));
      default:
        return ok();
    }
  }
  otter::pid handle_call(ping) { return otter::self(); }
  void terminate(exit_reason const&) { trace::tell(watcher_, "terminate"); }

 private:
  how how_;
  otter::pid watcher_;
};

}  // namespace start_test

using start_test::beginner;
using start_test::how;

TEST_CASE("a start returns when the constructor and init have run in the new process",
          "[start][GS-1][GS-2]") {
  on_every_driver([](driver_report& report) {
    auto server = beginner::start_link(how::well, otter::self()).value();
    // Already there: the server told it before the start returned.
    const bool there =
        otter::receive([](trace::saw) { return true; }, otter::after(0s, [] { return false; }));
    report.check("constructed", there);
    report.check("another process", otter::call(server, beginner::ping{}) == server.process());
    report.check("not this one", server.process() != otter::self());
  });
}

TEST_CASE("the name of a server is registered before it is constructed", "[start][GC-4]") {
  on_every_driver([](driver_report& report) {
    auto server = beginner::start_link({.name = "beginner"}, how::well, otter::self()).value();
    report.equal("constructor", trace::next(), "constructed named");
    report.check("whereis", otter::whereis("beginner") == server.process());
  });
}

TEST_CASE("a start with a name that is taken says who has it", "[start][GC-3]") {
  on_every_driver([](driver_report& report) {
    auto first = beginner::start_link({.name = "beginner"}, how::well, otter::self()).value();
    auto second = beginner::start_link({.name = "beginner"}, how::well, otter::self());
    report.check("error", !second && second.error().what == start_error::kind::already_started &&
                              second.error().process == first.process());
  });
}

TEST_CASE("of two starts with one name at the same time one succeeds", "[start][GC-3]") {
  on_every_driver([](driver_report& report) {
    struct outcome_of {
      bool started;
      bool refused;
    };
    const otter::pid me = otter::self();
    for (int i = 0; i != 2; ++i)
      otter::spawn([me] {
        auto server = beginner::start({.name = "beginner"}, how::well, me);
        otter::send(
            me, outcome_of{server.has_value(),
                           !server && server.error().what == start_error::kind::already_started});
      });
    int started = 0;
    int refused = 0;
    for (int i = 0; i != 2; ++i)
      otter::receive([&](outcome_of o) {
        started += o.started ? 1 : 0;
        refused += o.refused ? 1 : 0;
      });
    report.equal("started", started, 1);
    report.equal("refused", refused, 1);
    otter::stop("beginner");
  });
}

TEST_CASE("a constructor that throws is a failed start and is reported", "[start][GS-5][PL-7]") {
  on_every_driver([](driver_report& report) {
    auto server = beginner::start({.name = "beginner"}, how::throws, otter::self());
    report.check("failed", !server && server.error().what == start_error::kind::failed &&
                               server.error().reason == otter::exit_kind::error);
    report.check("what", !server && server.error().reason.text() == "no database");
    report.check("the name is free", !otter::whereis("beginner"));
    report.equal("crash reports", report.count_events(otter::node_event::kind::crash),
                 std::size_t{1});
    report.equal("it was constructed", trace::next(), "constructed named");
    report.check("and not terminated", trace::mailbox_is_empty());
  });
}

TEST_CASE("a start that stops fails with its reason and does not run terminate", "[start][GS-3]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    auto server = beginner::start_link({.name = "beginner"}, how::stops, otter::self());
    report.check("failed", !server && server.error().reason ==
                                          exit_reason::of(std::string_view("unwilling")));
    report.check("the name is free", !otter::whereis("beginner"));
    report.equal("crash reports", report.count_events(otter::node_event::kind::crash),
                 std::size_t{1});
    report.equal("it was constructed", trace::next(), "constructed named");
    report.check("no exited, no terminate", trace::mailbox_is_empty());
  });
}

TEST_CASE("a start that exits fails with that reason", "[start][GS-5]") {
  on_every_driver([](driver_report& report) {
    auto server = beginner::start(how::exits, otter::self());
    report.check("failed",
                 !server && server.error().reason == exit_reason::of(std::string_view("gone")));
  });
}

TEST_CASE("a start can be ignored: the process ends normally and its name is free",
          "[start][GS-4][GS-13]") {
  on_every_driver([](driver_report& report) {
    for (how h : {how::ignores, how::throws_result}) {
      auto server = beginner::start_link({.name = "beginner"}, h, otter::self());
      report.check("ignored", !server && server.error().what == start_error::kind::ignored);
      report.check("the name is free", !otter::whereis("beginner"));
    }
    report.equal("reports", report.events().size(), std::size_t{0});
  });
}

TEST_CASE("a start can fail without a crash", "[start][GS-4]") {
  on_every_driver([](driver_report& report) {
    auto server = beginner::start_link({.name = "beginner"}, how::fails, otter::self());
    report.check("failed", !server && server.error().reason ==
                                          exit_reason::of(std::string_view("not today")));
    report.check("the name is free", !otter::whereis("beginner"));
    report.equal("reports", report.events().size(), std::size_t{0});
  });
}

TEST_CASE("a start that takes too long is killed", "[start][GS-6][PL-3]") {
  on_every_driver([](driver_report& report) {
    auto server =
        beginner::start_link({.name = "beginner", .timeout = 5ms}, how::slowly, otter::self());
    report.check("timeout", !server && server.error().what == start_error::kind::timeout);
    report.check("it is gone", !otter::whereis("beginner"));
    // Whether it got as far as its constructor within the limit is the machine's business; what it
    // told, if it did, is here already: it is dead, and nothing else may follow.
    otter::receive([](trace::saw const&) {}, otter::after(0s));
    report.check("nothing is left in the mailbox", trace::mailbox_is_empty());
  });
}

TEST_CASE("a failed start with a link ends a starter that does not trap exits", "[start][PL-4]") {
  on_every_driver([](driver_report& report) {
    const otter::pid me = otter::self();
    auto starter = otter::spawn_monitor([me] {
      auto server = beginner::start_link(how::stops, me);
      trace::tell(me, "the starter lives");
    });
    report.equal("reason", trace::end_of(starter.ref),
                 text(exit_reason::of(std::string_view("unwilling"))));
    report.equal("constructor", trace::next(), "constructed unnamed");
    report.check("nothing else was said", trace::mailbox_is_empty());
  });
}

TEST_CASE("after a failed start the same name can be started at once", "[start][PL-6][GC-4]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    for (how h : {how::throws, how::exits, how::stops, how::ignores, how::fails}) {
      auto failed = beginner::start_link({.name = "beginner"}, h, otter::self());
      report.check("failed", !failed);
      auto server = beginner::start_link({.name = "beginner"}, how::well, otter::self());
      report.check("started", server.has_value());
      if (server) otter::stop(*server);
    }
  });
}

TEST_CASE("start_monitor gives a monitor, which fires when the start fails", "[start][PL-5]") {
  on_every_driver([](driver_report& report) {
    auto failed = beginner::start_monitor(how::stops, otter::self());
    report.check("failed", !failed.result);
    report.equal("down", trace::end_of(failed.ref),
                 text(exit_reason::of(std::string_view("unwilling"))));
    auto good = beginner::start_monitor(how::well, otter::self());
    report.check("started", good.result.has_value());
    otter::stop(*good.result);
    report.equal("down", trace::end_of(good.ref), text(exit_reason::normal()));
  });
}

TEST_CASE("a name that is not allowed is an error of the starter", "[start][RN-1]") {
  on_every_driver([](driver_report& report) {
    bool refused = false;
    try {
      auto server = beginner::start({.name = std::string(300, 'x')}, how::well, otter::self());
    } catch (otter::error const& e) {
      refused = e.code() == otter::errc::badarg;
    }
    report.check("badarg", refused);
  });
}
