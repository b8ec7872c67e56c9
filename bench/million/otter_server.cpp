// otter_server.cpp - a node that holds very many connections, one process for each.
//
//     million_server serve port=7000 counters=FILE [workers=2] [direct=N] [idle=SECONDS]
//     million_server limits
//
// The first says {"listening":PORT} on stdout and goes on until its standard input ends. direct: so
// many connections take places in tables of io_uring, and no descriptors; idle closes what has been
// silent for so long, as a real server would. The second says whether the kernel has such tables,
// or why not.
//
// An acceptor becomes the process of the connection that it has accepted, and lets the supervisor
// start the next acceptor first. So a socket never changes its owner, and between two packets a
// connection is a process without a stack and a port without a buffer.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <otter/dynamic_supervisor.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/tcp.hpp>
#include <string>

#include "../measure.hpp"
#include "counters.hpp"

namespace bench {
namespace {

/// What all sessions below one supervisor share; lives as long as the program.
struct place {
  counters& counts;
  otter::tcp_listener listener = {};
  otter::pid supervisor = {};
  otter::duration idle_limit = otter::infinity;
};

void start_acceptor(place const& at);

/// First an acceptor, then one connection's echo.
class session final : public otter::reactive {
 public:
  explicit session(place const& at) : at_(at) {}

  void start() override {
    for (;;) {
      auto const socket = otter::tcp_accept(at_.listener);
      if (socket) break;
      // No descriptors: tcp_accept has waited, and has told the operator.
      if (socket.error() == otter::tcp_errc::closed) return stop(otter::exit_reason::normal());
    }
    add(at_.counts.accepted);
    start_acceptor(at_);
    wait_for_more();
  }

  void handle(otter::event& e) override {
    using kind = otter::event::kind;
    if (e.what() == kind::timeout) return end();
    if (e.what() != kind::ready) return;
    otter::tcp_socket const socket = otter::tcp_socket::of(e);
    auto const got = socket.read([&](std::span<std::byte const> bytes) {
      add(at_.counts.echoed);
      socket.send(bytes);  // what fails here, the next read finds out
      return bytes.size();
    });
    if (got)
      wait_for_more();
    else
      end();
  }

 private:
  void wait_for_more() {
    if (at_.idle_limit != otter::infinity) start_timeout(at_.idle_limit, 0);
  }
  void end() {
    add(at_.counts.ended);
    stop(otter::exit_reason::normal());
  }

  place const& at_;
};

void start_acceptor(place const& at) {
  auto const started = otter::dynamic_supervisor::start_child(
      at.supervisor,
      {.start = [&at]() -> tl::expected<otter::pid, otter::start_error> {
         return otter::spawn_reactive({.link = true}, otter::make_reactive<session>(at)).process;
       },
       .restart = otter::restart_type::temporary,
       .shutdown = otter::brutal_kill});
  if (!started) {
    std::fprintf(stderr, "million_server: no further acceptor: %s\n",
                 otter::to_string(started.error()).c_str());
    std::_Exit(1);
  }
}

/// The process that owns the listener; never returns.
void serve(job const& j, counters& counts) {
  auto const port = static_cast<std::uint16_t>(j.number("port", 7000));
  auto const address = otter::tcp_address::loopback(port);
  otter::tcp_options options;
  options.active = otter::active::ready;
  options.backlog = static_cast<int>(j.number("backlog", 65535));
  auto const listener = otter::tcp_listen(address, options);
  if (!listener) {
    std::fprintf(stderr, "million_server: cannot listen on %s: %s\n", to_string(address).c_str(),
                 listener.error().message().c_str());
    std::_Exit(1);
  }
  std::uint64_t const idle = j.number("idle", 0);
  for (unsigned i = 0; i < otter::schedulers(); ++i) {
    auto* const at = new place{counts, *listener};
    if (idle != 0) at->idle_limit = std::chrono::seconds(idle);
    at->supervisor = otter::dynamic_supervisor::start_link().value();
    start_acceptor(*at);
  }
  std::printf("{\"listening\":%u}\n", unsigned{port});
  std::fflush(stdout);
  otter::sleep_for(otter::infinity);
}

/// A node that wants a table and listens says in a failure why it has none.
int tell_limits() {
  std::string refused;
  otter::node_options options;
  options.workers = 1;
  options.direct_connections = 1;
  options.on_event = [&](otter::node_event const& e) {
    if (e.what == otter::node_event::kind::failure) refused = e.text;
  };
  otter::node node(options);
  node.run([] { static_cast<void>(otter::tcp_listen(otter::tcp_address::loopback(0))); });
  node.stop();
  std::replace(refused.begin(), refused.end(), '"', '\'');
  std::printf("{\"direct\":%s,\"why\":\"%s\"}\n", refused.empty() ? "true" : "false",
              refused.c_str());
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::job const job(argc, argv);
  if (job.row() == "limits") return bench::tell_limits();
  bench::counters& counts = bench::map_counters(job.text("counters", ""));
  otter::node_options options;
  options.workers = static_cast<unsigned>(job.number("workers", 2));
  options.direct_connections = static_cast<std::uint32_t>(job.number("direct", 0));
  otter::node node(options);
  node.spawn([&] { bench::serve(job, counts); });
  while (std::getchar() != EOF) {
  }
  // Those that are left need not be stopped one by one.
  std::_Exit(0);
}
