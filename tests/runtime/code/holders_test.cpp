// The kinds of holders that are rarer than messages and frames: each is named, with a text of its
// own, and the version goes when it is gone.

#include <fmt/format.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <otter/blocking.hpp>
#include <otter/code.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "unloading.hpp"

using namespace unloading;

namespace {

/// A body of the program that keeps a function.
struct keeps_a_function final : otter::reactive {
  explicit keeps_a_function(std::function<int(int)> f) : kept(std::move(f)) {}
  void start() override {}
  void handle(otter::event&) override {}
  std::function<int(int)> kept;
};

/// Waits in its destructor.
struct waits_at_its_end {
  otter::pid test;
  ~waits_at_its_end() {
    otter::send(test, go_on{});
    otter::receive([](go_on) {});
  }
};

}  // namespace

TEST_CASE("a version stays mapped while a process owes an answer to a request of it",
          "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    otter::pid const server = does([] {});
    otter::pid const asker = does([server] { call<void(otter::pid)>("keeper", "ask")(server); });
    let_do(asker);
    let_do(server);  // it has looked at its messages since
    auto const release = [&] {
      kill_and_await(server);
      kill_and_await(asker);
    };
    is_held(report, "a request", holder_kind::request, server, release,
            fmt::format("parcel is owed an answer by process {}", to_string(server)));
  });
}

TEST_CASE("a version stays mapped while the body of a process has a function of it",
          "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    elsewhere([test = otter::self()] {
      otter::pid const p = otter::spawn_reactive(
          {}, otter::make_reactive<keeps_a_function>(
                  call<std::function<int(int)>(int)>("keeper", "closure")(2)));
      otter::send(test, p);
    });
    otter::pid const p = otter::receive([](otter::pid who) { return who; });
    is_held_by(report, "a body", holder_kind::state, p, "the state of process " + to_string(p));
  });
}

TEST_CASE("a version stays mapped while a process waits with an exception on its way",
          "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    // Nothing of the module: what the exception is cannot be seen, so it may be.
    auto const p = otter::spawn_monitor([test = otter::self()] {
      try {
        waits_at_its_end const waits{test};
        throw 1;
      } catch (int) {
      }
    });
    otter::receive([](go_on) {});
    auto const release = [&] {
      otter::send(p, go_on{});
      await(p.ref);
    };
    is_held(report, "an exception", holder_kind::exception, p, release,
            "an exception that cannot be seen is on its way in process " +
                to_string(static_cast<otter::pid>(p)));
  });
}

TEST_CASE("a version stays mapped while a process keeps a message of it that it has received",
          "[code][CL-11]") {
  on_every_driver([](driver_report& report) {
    load_keeper();
    otter::pid const p = otter::spawn([test = otter::self()] {
      auto const kept = std::make_unique<otter::any_message>(
          otter::receive([](otter::any_message m) { return m; }));
      otter::send(test, go_on{});
      otter::receive([](go_on) {});
    });
    elsewhere([p] { call<void(otter::pid)>("keeper", "send_parcel")(p); });
    otter::receive([](go_on) {});
    auto const release = [&] { kill_and_await(p); };
    is_held(report, "a block", holder_kind::memory, otter::pid{}, release,
            "that was made for a process");
  });
}

namespace {

/// What a job that waits on the pool's only thread does to unload(), seen by `run()` in a process.
struct waiting_job {
  std::atomic<bool> begun{false};
  std::atomic<bool> enough{false};
  std::vector<code::unload_result> held;
  bool named = false;
  int answer = 0;
  std::string after;

  void run() {
    elsewhere([] { load_keeper(); });
    otter::pid const asker = otter::spawn([this, test = otter::self()] {
      auto const offload = call<std::function<otter::request_id()>()>("keeper", "offloads")();
      otter::send(test, go_on{});
      otter::receive([](go_on) {});
      otter::request_id const id = offload();
      otter::send(test, go_on{});
      otter::detail::response got;
      otter::detail::wait_response(id, otter::infinity, true, got);
      if (got.reply) answer = *static_cast<int*>(got.reply->payload());
    });
    auto const asked = otter::monitor(asker);
    otter::receive([](go_on) {});
    replace("keeper");
    // The thread is busy, then the search waits for it, and behind that the job.
    otter::spawn([this] {
      otter::blocking([this] {
        begun.store(true);
        while (!enough.load()) std::this_thread::yield();
      });
    });
    while (!begun.load()) otter::sleep_for(std::chrono::microseconds(100));
    auto const unloads = otter::spawn_monitor([this] { held = code::unload("keeper"); });
    while (otter::process_info<std::string>(otter::whereis("code_server"),
                                            otter::info_item::waiting_in) != "blocking")
      otter::sleep_for(std::chrono::microseconds(100));
    otter::send(asker, go_on{});
    otter::receive([](go_on) {});
    enough.store(true);
    await(unloads.ref);
    std::string const text = "a job of offload() for process " + to_string(asker);
    for (auto const& r : held)
      for (auto const& h : r.held_by)
        named = named || (h.what == holder_kind::job && h.process == asker &&
                          h.text.find(text) != std::string::npos);
    await(asked);
    after = unload_soon("keeper");
  }
};

}  // namespace

TEST_CASE("a version stays mapped while a job of offload waits that is code of it",
          "[code][CL-11]") {
  waiting_job seen;
  otter::node_options options = quiet();
  options.blocking_threads = 1;
  otter::node node(options);
  node.run([&] { seen.run(); });
  INFO(outcome(seen.held) + ": " + texts(seen.held));
  CHECK(seen.named);
  CHECK(seen.answer == 6);
  CHECK(seen.after == "unmapped");
}
