// Options that no node can obey, and those that only look so.

#include <catch2/catch.hpp>
#include <otter/attached_thread.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>

using namespace std::chrono_literals;

namespace {

/// Why a node with these options is refused, or "".
std::string refusal(otter::node_options const& options) {
  try {
    otter::node n(options);
  } catch (otter::error const& e) {
    CHECK(e.code() == otter::errc::badarg);
    return e.what();
  }
  return "";
}

bool says(std::string const& text, char const* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("options that no node can obey are badarg, with the option's name", "[node]") {
  CHECK(says(refusal({.workers = 100'000}), "workers of 100000"));
  CHECK(says(refusal({.max_processes = 0}), "max_processes of 0"));
  CHECK(says(refusal({.max_processes = 1u << 28}), "max_processes of 268435456"));
  CHECK(says(refusal({.stall_limit = 0ms}), "stall_limit of 0"));
  CHECK(says(refusal({.kill_limit = -1ms}), "kill_limit of -1000000"));
  CHECK(says(refusal({.block_limit = -1ms}), "block_limit of -1000000"));
  CHECK(says(refusal({.blocking_threads = 0}), "blocking_threads of 0"));
  CHECK(says(refusal({.long_queue_on = 4, .long_queue_off = 8}), "long_queue_off of 8"));
  CHECK(refusal({}).empty());
}

TEST_CASE("limits may be infinite", "[node]") {
  otter::node n({.workers = 1,
                 .stall_limit = otter::infinity,
                 .kill_limit = otter::infinity,
                 .block_limit = otter::infinity});
  otter::exit_reason const end = n.run([] {
    otter::spawned const p = otter::spawn_monitor([] { otter::receive([](int) {}); });
    otter::exit(p, otter::exit_reason::kill());
    otter::exit_reason const why = otter::receive([](otter::down d) { return d.reason; });
    if (why != otter::exit_kind::killed) otter::exit(why);
  });
  CHECK(to_string(end) == "normal");
  CHECK(n.stop(otter::infinity).empty());
}

TEST_CASE("a process needs a body", "[node][spawn]") {
  otter::node n({.workers = 1});
  CHECK_THROWS_AS(n.spawn_body({}, nullptr), otter::error);
  otter::attached_thread me(n);
  CHECK_THROWS_AS(otter::spawn_reactive({}, nullptr), otter::error);
  CHECK(n.statistics().processes == 1);  // this thread
}
