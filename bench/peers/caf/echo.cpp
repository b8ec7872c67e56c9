// echo.cpp - CAF's echo server: a broker accepts, and forks one for each connection, which ends
// after a minute of silence. All brokers run in the thread of CAF's multiplexer, however many
// workers there are. It writes as CAF's manual does, and what a broker has written and not sent has
// no limit.

#include "echo.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

namespace {

using namespace caf;
using namespace caf::io;

using look_atom = atom_constant<atom("look")>;

constexpr std::chrono::minutes idle_limit{1};

void compute_for(std::int64_t ns) {
  if (ns == 0) return;
  for (std::int64_t const end = bench::now_ns() + ns; bench::now_ns() < end;) {
  }
}

behavior connection(stateful_broker<std::int64_t>* self, connection_handle socket,
                    std::int64_t work_ns) {
  self->configure_read(socket, receive_policy::at_most(1024));
  self->state = bench::now_ns();  // of the last input
  self->delayed_send(self, idle_limit, look_atom::value);
  return {
      [=](new_data_msg const& came) {
        self->state = bench::now_ns();
        compute_for(work_ns);
        self->write(came.handle, came.buf.size(), came.buf.data());
        self->flush(came.handle);
      },
      [=](connection_closed_msg const&) { self->quit(); },
      // CAF cancels no delayed messages: one at a time, instead of one for each input.
      [=](look_atom) {
        std::chrono::nanoseconds const silent{bench::now_ns() - self->state};
        if (silent >= idle_limit) return self->quit();
        self->delayed_send(self, idle_limit - silent, look_atom::value);
      },
  };
}

behavior acceptor(broker* self, std::int64_t work_ns) {
  return {[=](new_connection_msg const& came) { self->fork(connection, came.handle, work_ns); }};
}

}  // namespace

int echo(bench::job const& j) {
  actor_system_config config;
  config.load<middleman>();
  config.set("scheduler.max-threads", std::size_t{j.workers()});
  actor_system system{config};
  auto const work_ns = static_cast<std::int64_t>(j.number("work", 0)) * 1000;
  auto const port = static_cast<std::uint16_t>(j.number("port", 0));
  auto const server = system.middleman().spawn_server(acceptor, port, work_ns);
  if (!server) {
    std::fprintf(stderr, "listen: %s\n", system.render(server.error()).c_str());
    return 1;
  }
  bench::wait_until_told();
  std::_Exit(0);
}
