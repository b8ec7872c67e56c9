#include "listener.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/logger.hpp>
#include <otter/message.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <system_error>
#include <utility>

#include "stream_error.hpp"

namespace chat {
namespace {

constexpr otter::logger::module_log log{"chat.listener"};

constexpr int acceptors = 4;

otter::tcp_options socket_options(chat_limits const& limits) {
  otter::tcp_options o;
  o.nodelay = true;
  o.keepalive = true;
  // A session never waits for its client: above the high mark its send fails at once.
  o.high_watermark = static_cast<std::uint32_t>(
      std::min<std::size_t>(limits.send_queue_bytes, std::size_t{UINT32_MAX}));
  o.low_watermark = o.high_watermark / 2;
  o.send_timeout = otter::duration::zero();
  return o;
}

/// One of those who accept. Everything that it needs is its own.
class acceptor {
 public:
  acceptor(otter::tcp_listener socket, otter::server_ref<connections> counter, otter::pid sessions,
           std::shared_ptr<session_context const> context)
      : socket_{socket}, counter_{counter}, sessions_{sessions}, context_{std::move(context)} {}

  void operator()() {
    for (;;) {
      auto connection = otter::tcp_accept(socket_);
      if (connection)
        serve(*connection);
      else if (connection.error() == otter::tcp_errc::closed)
        return;
      // Anything else is over by itself; descriptors that have run out are waited for.
    }
  }

 private:
  void serve(otter::tcp_socket connection) {
    auto const from = connection.peer_address();
    if (!from) return connection.close();  // gone already
    if (!otter::call(counter_, connections::admit{*from}, otter::infinity))
      return turn_away(connection);
    auto const session = start(connection);
    if (!session) {
      otter::cast(counter_, connections::release{otter::self()});
      return connection.close();
    }
    otter::cast(counter_, connections::hand_over{otter::self(), *session});
    if (auto const given = connection.controlling_process(*session); !given) {
      log.error("a connection cannot be given to its session",
                {{"from", *from}, {"reason", given.error().message()}});
      otter::exit(*session, otter::exit_reason::kill());
      return connection.close();
    }
    otter::send(*session, to_session::begin{});
    log.debug("somebody has connected", {{"from", *from}});
  }

  otter::child_result<otter::pid> start(otter::tcp_socket connection) {
    return otter::dynamic_supervisor::start_child(
        sessions_, {.start = [context = context_,
                              connection]() -> tl::expected<otter::pid, otter::start_error> {
                      return start_session{session_module, "start"}(context, connection);
                    },
                    .restart = otter::restart_type::temporary,
                    .shutdown = context_->settings->limits.close_time + std::chrono::seconds{1}});
  }

  void turn_away(otter::tcp_socket connection) const {
    auto bytes = stream_header_xml(context_->settings->domain,
                                   random_hex(context_->settings->sasl.random, 16), {});
    bytes += stream_error_xml(stream_condition::policy_violation,
                              "too many connections from this address");
    bytes += stream_end_xml;
    static_cast<void>(connection.send(bytes));
    connection.close();
  }

  otter::tcp_listener socket_;
  otter::server_ref<connections> counter_;
  otter::pid sessions_;
  std::shared_ptr<session_context const> context_;
};

}  // namespace

listener::listener(chat_config const& config, std::shared_ptr<session_context const> context,
                   otter::server_ref<connections> counter, otter::pid sessions) {
  auto const wanted = otter::tcp_address::parse(config.listen.host, config.listen.port).value();
  auto opened = otter::tcp_listen(wanted, socket_options(config.limits));
  if (!opened)
    throw std::system_error(opened.error(), fmt::format("cannot listen on {}", to_string(wanted)));
  socket_ = *opened;
  address_ = socket_.local_address().value();
  for (int i = 0; i < acceptors; ++i)
    otter::spawn_link(acceptor{socket_, counter, sessions, context});
  log.info("listening", {{"at", address_}});
}

}  // namespace chat
