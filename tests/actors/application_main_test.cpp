// A whole program made of applications, in an OS process of its own: signals and exit statuses.

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <memory>
#include <otter/application_main.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/gen_server.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "forked.hpp"

namespace {

namespace application = otter::application;
using application::main_options;
using application::specification;
using otter::rts::testing::death;
using otter::rts::testing::forked;
using otter::rts::testing::say;
using namespace std::chrono_literals;

/// Says what happens to it, and does something once it runs: in a process of its own.
class noisy : public application::callbacks {
 public:
  noisy(std::string name, std::function<void()> then)
      : name_(std::move(name)), then_(std::move(then)) {}
  tl::expected<otter::pid, otter::start_error> start() override {
    say(name_ + " starts\n");
    if (then_) otter::spawn(then_);
    return otter::supervisor::start_link({}, {});
  }
  void stop() override { say(name_ + " has stopped\n"); }

 private:
  std::string name_;
  std::function<void()> then_;
};

specification noisy_application(std::string const& name, std::vector<std::string> needs = {},
                                std::function<void()> then = {}) {
  return {.name = name,
          .applications = std::move(needs),
          .mod = application::module_of<noisy>(name, std::move(then))};
}

otter::node_options quiet() {
  otter::node_options how;
  how.workers = 2;
  how.on_event = [](otter::node_event const&) {};
  return how;
}

/// Runs a program with those applications, of which the last is started.
death run(std::vector<specification> known, std::function<void(main_options&)> change = {}) {
  return forked([&] {
    main_options how{.known = std::move(known), .node = quiet()};
    how.start = {how.known.back().name};
    if (change) change(how);
    ::_exit(application::run_main(std::move(how)));
  });
}

/// The same with a command line.
death run_line(std::vector<char const*> arguments, std::vector<specification> known) {
  return forked([&] {
    arguments.insert(arguments.begin(), "/usr/bin/shop");
    main_options how{.known = std::move(known), .node = quiet()};
    how.start = {how.known.back().name};
    how.read_config = [](std::string const& file) -> application::configuration {
      if (file != "good") throw std::runtime_error(file + ": cannot be read");
      return {{"shop", {{"port", 81}, {"host", "file"}}}};
    };
    ::_exit(application::run_main(static_cast<int>(arguments.size()), arguments.data(),
                                  std::move(how)));
  });
}

void terminate_all() { ::kill(::getpid(), SIGTERM); }
void interrupt_all() { ::kill(::getpid(), SIGINT); }

void until_it_runs(std::string_view name) {
  while (!application::get_supervisor(name)) otter::sleep_for(100us);
}

void run_for_ever() {
  for (std::atomic<bool> on{true}; on.load();) {
  }
}

/// Whatever waits with frames does so on the thread that is lost.
void on_one_thread(main_options& how) {
  how.node.workers = 1;
  how.node.kill_limit = 10ms;
}

/// Once it is told to run, it is to be ended, and does not come back.
class runner : public otter::gen_server<runner> {
 public:
  struct run {};
  using accepts = otter::accepts<run>;
  void handle_cast(run) {
    // By one that has no frames yet, and so none on this thread.
    otter::spawn(
        [] { static_cast<void>(otter::supervisor::terminate_child("shop_sup", "runner")); });
    run_for_ever();
  }
};

}  // namespace

TEST_CASE("SIGTERM and SIGINT stop all applications in order, and the status is 0",
          "[application][APP-11][APP-17]") {
  for (auto const ask : {&terminate_all, &interrupt_all}) {
    death const end = run({noisy_application("store"), noisy_application("shop", {"store"}, ask)});
    CHECK(end.output == "store starts\nshop starts\nshop has stopped\nstore has stopped\n");
    CHECK(end.with_code(application::exit_stopped));
  }
}

TEST_CASE("a signal that comes while applications start stops those that run",
          "[application][APP-11][APP-17]") {
  auto const start = []() -> tl::expected<otter::pid, otter::start_error> {
    terminate_all();
    otter::receive([](otter::exited const&) {});  // the controller tells it to stop
    say("told\n");
    return tl::unexpected<otter::start_error>(
        {otter::start_error::kind::failed, {}, otter::exit_reason::shutdown()});
  };
  death const end =
      run({noisy_application("store"),
           {.name = "slow", .applications = {"store"}, .mod = application::top_process(start)}});
  CHECK(end.output == "store starts\ntold\nstore has stopped\n");
  CHECK(end.with_code(application::exit_stopped));
}

TEST_CASE("a second signal ends a program that takes too long to stop", "[application][APP-17]") {
  class slow : public noisy {
   public:
    slow() : noisy("slow", &terminate_all) {}
    void prep_stop() override {
      terminate_all();  // the impatient operator
      otter::receive([](double) {});
    }
  };
  death const end = run({{.name = "slow", .mod = application::module_of<slow>()}});
  CHECK(end.of_signal(SIGTERM));
}

TEST_CASE("an application that does not stop in time is killed, and the status says so",
          "[application][APP-11][APP-17]") {
  class stuck : public noisy {
   public:
    stuck() : noisy("stuck", &terminate_all) {}
    void prep_stop() override {
      otter::receive([](double) {});
    }
  };
  death const end =
      run({noisy_application("store"),
           {.name = "stuck", .applications = {"store"}, .mod = application::module_of<stuck>()}},
          [](main_options& how) { how.shutdown_timeout = 10ms; });
  CHECK(end.said("application \"stuck\" did not stop in time and was killed"));
  CHECK(end.said("store has stopped"));
  CHECK(end.with_code(application::exit_killed));
}

TEST_CASE("a signal is heard and applications stop in order though a process does not come back",
          "[application][APP-11][APP-17]") {
  auto const stuck = [] {
    until_it_runs("shop");
    terminate_all();
    run_for_ever();
  };
  death const end = run({noisy_application("store"), noisy_application("shop", {"store"}, stuck)},
                        &on_one_thread);
  CHECK(end.said("store starts\nshop starts\nshop has stopped\nstore has stopped\n"));
  CHECK(end.said("1 threads are still in user code of abandoned processes"));
  CHECK(end.with_code(application::exit_killed));
}

TEST_CASE("a node that gives up stops its applications in order, and the status says so",
          "[application][abandon][APP-17]") {
  // A child that does not come back is killed by its supervisor: one lost thread too many.
  class shop : public application::callbacks {
   public:
    tl::expected<otter::pid, otter::start_error> start() override {
      otter::spawn([] {
        until_it_runs("shop");
        otter::cast("runner", runner::run{});
      });
      return otter::supervisor::start_link(
          {},
          {{.id = "runner",
            .start = [] { return runner::start_link({.name = "runner"}); },
            .shutdown = 10ms}},
          {.name = "shop_sup"});
    }
    void stop() override { say("shop has stopped\n"); }
  };
  death const end =
      run({noisy_application("store"),
           {.name = "shop", .applications = {"store"}, .mod = application::module_of<shop>()}},
          [](main_options& how) {
            on_one_thread(how);
            how.node.max_abandoned = 0;
          });
  CHECK(end.said("store starts\nshop has stopped\nstore has stopped\n"));
  CHECK(end.with_code(otter::exit_given_up));
}

TEST_CASE("stop_node stops all applications in order, and gives the status",
          "[application][APP-11][APP-17]") {
  death const end = run({noisy_application("shop", {}, [] { application::stop_node(7); })});
  CHECK(end.output == "shop starts\nshop has stopped\n");
  CHECK(end.with_code(7));
}

TEST_CASE("an application that cannot be started ends the program, and the status says so",
          "[application][APP-4][APP-17]") {
  death const end =
      run({noisy_application("store"),
           {.name = "shop",
            .applications = {"store"},
            .mod = application::top_process([]() -> tl::expected<otter::pid, otter::start_error> {
              throw std::runtime_error("no key");
            })}});
  CHECK(end.said("store starts\nstore has stopped\n"));
  CHECK(end.said("otter: application \"shop\": start failed: std::runtime_error(\"no key\")"));
  CHECK(end.with_code(application::exit_not_started));
}

TEST_CASE("the end of a permanent application ends the program, and the status says so",
          "[application][APP-8][APP-17]") {
  auto const give_up = [] {
    while (!application::get_supervisor("shop")) otter::sleep_for(100us);
    otter::stop(application::get_supervisor("shop"), otter::exit_reason::shutdown());
  };
  death const end =
      run({noisy_application("store"), noisy_application("shop", {"store"}, give_up)});
  CHECK(end.said("shop has stopped\nstore has stopped\n"));
  CHECK(end.said("application \"shop\" has ended: shutdown"));
  CHECK(end.with_code(application::exit_terminated));
}

TEST_CASE("an application finds what the command line says, else the file, else its specification",
          "[application][APP-12][APP-17]") {
  auto const tell = [] {
    using application::get_env;
    say(std::to_string(get_env<int>("port").value_or(0)) + " " +
        get_env<std::string>("host").value_or("none") + " " +
        get_env<std::string>("sign").value_or("none") + "\n");
    terminate_all();
  };
  specification shop = noisy_application("shop", {}, tell);
  shop.env = {{"port", 80}, {"host", "specification"}, {"sign", "specification"}};
  death const end = run_line({"--config", "good", "--shop.port=82"}, {shop});
  CHECK(end.output == "shop starts\n82 file specification\nshop has stopped\n");
  CHECK(end.with_code(application::exit_stopped));
}

TEST_CASE("a wrong command line or configuration starts nothing, and the status says which",
          "[application][APP-17]") {
  specification shop = noisy_application("shop");
  shop.env = {{"port", 80}, {"host", 1}};
  death const unknown = run_line({"--verbose"}, {shop});
  CHECK(unknown.output == "otter: unknown argument --verbose\notter: see shop --help\n");
  CHECK(unknown.with_code(application::exit_usage));
  death const value = run_line({"--shop.port=high"}, {shop});
  CHECK(value.said("--shop.port: \"high\" is text"));
  CHECK(value.with_code(application::exit_usage));
  death const missing = run_line({"--config", "bad"}, {shop});
  CHECK(missing.output == "otter: bad: cannot be read\n");
  CHECK(missing.with_code(application::exit_config));
  death const kind = run_line({"--config", "good"}, {shop});
  CHECK(kind.said("application \"shop\": the configuration of host is \"file\""));
  CHECK(kind.with_code(application::exit_config));
  CHECK_FALSE(kind.said("shop starts"));
}

TEST_CASE(
    "a program takes SIGTERM and SIGINT only while it runs applications, and then gives them back",
    "[application][APP-17]") {
  death const end = forked([] {
    main_options how{.known = {noisy_application("shop", {}, [] { application::stop_node(); })},
                     .start = {"shop"},
                     .node = quiet()};
    say(std::to_string(application::run_main(std::move(how))) + " returned\n");
    terminate_all();
  });
  CHECK(end.said("0 returned"));
  CHECK(end.of_signal(SIGTERM));
}

TEST_CASE("a program may read which applications it has, and how each is started",
          "[application][APP-8][APP-17]") {
  // In a process of the store's: the application runs when its start has returned, and whoever
  // belongs to the bar ends with it.
  auto const end_bar = [] {
    otter::spawn([] {
      while (!application::get_supervisor("bar")) otter::sleep_for(100us);
      otter::stop(application::get_supervisor("bar"), otter::exit_reason::normal());
      while (application::get_supervisor("bar")) otter::sleep_for(100us);
      say("it goes on without the bar\n");
      application::stop_node();
    });
  };
  death const end = forked([&] {
    main_options how{
        .read_program = [&](std::vector<specification> const& known) -> application::program {
          return {.known = {noisy_application("bar", {known.at(0).name})},
                  .start = {"bar"},
                  .types = {{"bar", otter::restart_type::transient}}};
        },
        .known = {noisy_application("store", {}, end_bar)},
        .node = quiet()};
    ::_exit(application::run_main(std::move(how)));
  });
  CHECK(end.output ==
        "store starts\nbar starts\nbar has stopped\nit goes on without the bar\nstore has "
        "stopped\n");
  CHECK(end.with_code(application::exit_stopped));
}

TEST_CASE("a program whose description cannot be read starts nothing, and the status says so",
          "[application][APP-17]") {
  death const end = forked([] {
    main_options how{.read_program = [](auto const&) -> application::program {
      throw std::runtime_error("p.toml:3: shop.vsn: expected text");
    }};
    char const* const arguments[] = {"/usr/bin/shop", "--verbose"};
    ::_exit(application::run_main(2, arguments, std::move(how)));
  });
  CHECK(end.output == "otter: p.toml:3: shop.vsn: expected text\n");
  CHECK(end.with_code(application::exit_config));
}
