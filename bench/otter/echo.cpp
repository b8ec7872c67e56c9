// echo.cpp - an echo server as a real server is built: acceptors, a dynamic supervisor, and a
// process for each connection, which ends after a minute of silence. Its load comes from outside.
//
// behaviour: a reactive that is told when there is something to read, and reads in place. It holds
// no stack and no buffer while it waits. free: a function in recv(). poller=io_uring hears of the
// sockets by that instead of epoll. tls=full and tls=resumed: the connection's process shakes hands
// first; which of the two it becomes, the clients decide.

#include <functional>
#include <future>
#include <otter/dynamic_supervisor.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/tcp.hpp>
#include <otter/tls.hpp>

#include "rows.hpp"

namespace bench {
namespace {

constexpr otter::duration idle_limit = std::chrono::minutes(1);

struct yours {
  otter::tcp_socket socket;
};

/// What all connections have in common; it lives as long as the node.
struct service {
  std::int64_t work_ns;
  otter::tls_context tls;  // none: plain connections
};

/// At once where there is no TLS. False: the peer is none for us, and its connection is closed.
bool protect(service const& s, otter::tcp_socket socket) {
  return !s.tls || otter::tls_handshake(socket, s.tls).has_value();
}

/// What a server does with a piece of input that takes its time.
void compute_for(std::int64_t ns) {
  if (ns == 0) return;
  for (std::int64_t const end = now_ns() + ns; now_ns() < end;) {
  }
}

class session final : public otter::reactive {
 public:
  explicit session(service const& s) : service_(s) {}

  void start() override { start_timeout(idle_limit, 0); }
  void handle(otter::event& what) override {
    if (what.what() == otter::event::kind::ready) {
      echo();
    } else if (auto const* given = what.get_if<yours>()) {
      socket_ = given->socket;
      if (!protect(service_, socket_) || !socket_.set_active(otter::active::ready))
        stop(otter::exit_reason::normal());
    } else if (what.what() == otter::event::kind::timeout) {
      stop(otter::exit_reason::normal());
    }
  }

 private:
  void echo() {
    auto const came = socket_.read([this](std::span<std::byte const> view) {
      compute_for(service_.work_ns);
      static_cast<void>(socket_.send(view));  // a failure is met by the next read
      return view.size();
    });
    if (!came) return stop(otter::exit_reason::normal());
    start_timeout(idle_limit, 0);
  }

  otter::tcp_socket socket_;
  service const& service_;
};
static_assert(sizeof(session) == 32);

void serve(service const& s) {
  otter::tcp_socket const socket = otter::receive([](yours y) { return y.socket; });
  if (!protect(s, socket)) return;
  while (auto const came = socket.recv(0, idle_limit)) {
    compute_for(s.work_ns);
    if (!socket.send(*came)) break;
  }
}

void accept_all(otter::tcp_listener listener, otter::pid sessions, bool free, service const& s) {
  otter::child_spec const spec{
      .start = [free, &s]() -> tl::expected<otter::pid, otter::start_error> {
        if (free) return otter::spawn_link(serve, std::cref(s));
        return otter::spawn_reactive({.link = true}, otter::make_reactive<session>(s)).process;
      },
      .restart = otter::restart_type::temporary};
  for (;;) {
    auto const socket = otter::tcp_accept(listener);
    if (!socket) continue;  // descriptors have run out: it has waited
    auto const process = otter::dynamic_supervisor::start_child(sessions, spec);
    if (process && socket->controlling_process(*process))
      otter::send(*process, yours{*socket});
    else
      socket->close();
  }
}

/// A key on P-256, and a ticket for each connection: what the other servers of the row have.
otter::tls_context server_context() {
  auto const identity = otter::tls_identity::self_signed({"127.0.0.1"});
  auto context = otter::tls_context::server(
      {.identities = {identity.value()}, .min_version = otter::tls_version::tls1_3, .tickets = 1});
  return std::move(context).value();
}

}  // namespace

void echo(job const& j) {
  otter::node_options options = node_for(j);
  if (j.text("poller", "epoll") == "io_uring") options.poller = otter::poller_kind::io_uring;
  otter::node node(options);
  if (node.poller() != options.poller) std::_Exit(1);  // the node has said why
  std::promise<void> listening;
  node.spawn([&] {
    service const s{.work_ns = static_cast<std::int64_t>(j.number("work", 0)) * 1000,
                    .tls = j.text("tls", "").empty() ? otter::tls_context() : server_context()};
    auto const port = static_cast<std::uint16_t>(j.number("port", 0));
    auto const listener = otter::tcp_listen(otter::tcp_address::loopback(port));
    if (!listener) {
      std::fprintf(stderr, "listen: %s\n", listener.error().message().c_str());
      std::_Exit(1);
    }
    otter::pid const sessions = otter::dynamic_supervisor::start_link().value();
    for (unsigned i = 0; i < 4; ++i)
      otter::spawn_link(accept_all, *listener, sessions, is_free(j), std::cref(s));
    listening.set_value();
    otter::sleep_for(otter::infinity);
  });
  listening.get_future().get();
  wait_until_told();
  std::_Exit(0);
}

}  // namespace bench
