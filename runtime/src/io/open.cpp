// io/open.cpp - ways to a port: listen, accept, connect.

#include <fmt/format.h>

#include <cerrno>
#include <optional>
#include <otter/blocking.hpp>
#include <otter/detail/call.hpp>
#include <vector>

#include "io/entry.hpp"

namespace otter {

using namespace rts;  // this room's own names; the file defines only functions of the public header

namespace {

/// How long accept waits before it says that there are no descriptors: a caller that tries again
/// and again then does not spin.
constexpr std::int64_t exhausted_pause_ns = 100'000'000;
/// How long connect waits at most before it tries a local listener again that had no room.
constexpr std::int64_t longest_pause_ns = 50'000'000;

/// Throws error(badarg) for what no socket could obey.
void check(tcp_options const& o) {
  auto refuse = [](std::string const& text) { throw error(errc::badarg, "tcp_options: " + text); };
  if (o.buffer == 0 || o.buffer > scratch_bytes)
    refuse(fmt::format("buffer is {} bytes; allowed: 1 to {}", o.buffer, scratch_bytes));
  if (o.low_watermark > o.high_watermark)
    refuse(fmt::format("low_watermark {} is above high_watermark {}", o.low_watermark,
                       o.high_watermark));
  if (o.active.mode == active::count && (o.active.by <= 0 || o.active.by > 32767))
    refuse(fmt::format("active_n({}); allowed: 1 to 32767", o.active.by));
  if (o.packet == packet::framer && !o.framer) refuse("packet::framer, and no framer");
  if (o.packet != packet::framer && o.framer) refuse("a framer, and packet is not packet::framer");
  if (o.backlog < 0) refuse(fmt::format("backlog is {}", o.backlog));
  if (o.linger && o.linger->count() < 0) refuse("linger is negative");
  if (o.shed_when_idle && o.shed_when_idle->count() < 0) refuse("shed_when_idle is negative");
  if (o.accept_rate > 1'000'000'000)
    refuse(fmt::format("accept_rate is {}; allowed: up to 1000000000 a second", o.accept_rate));
  if (o.accept_burst != 0 && o.accept_rate == 0) refuse("accept_burst, and no accept_rate");
  static_cast<void>(detail::checked_limit(o.send_timeout));
}

/// Throws error(badarg) for an address that no socket can have.
void check(char const* what, tcp_address const& a) {
  auto refuse = [what](std::string const& text) {
    throw error(errc::badarg, fmt::format("{}: {}", what, text));
  };
  if (a.family == tcp_address::family_type::none) refuse("no address");
  if (!a.is_local()) return;
  bool const abstract = !a.path.empty() && !a.has_file();
  std::size_t const n = a.path.size() - (abstract ? 1 : 0);
  if (n == 0 || n > tcp_address::longest_path)
    refuse(fmt::format(
        "a local name of {} bytes; allowed: 1 to {} (a shorter directory, or an abstract "
        "name?)",
        n, tcp_address::longest_path));
  if (!abstract && a.path.find('\0') != std::string::npos)
    refuse("a zero in the middle of a local name");
}

/// A port around `fd`, owned by the caller; or `error`, and the descriptor is closed.
template <class Name>
tcp_result<Name> make_port(io_state& io, process& self, int fd, port_phase phase,
                           tcp_options const& options, gate_place from = {}) {
  port* const p = io.acquire();
  if (p == nullptr) {
    io.net().close(fd, true);
    return io_failure(tcp_errc::system_limit);
  }
  port_lock lock(p->mutex());
  int why = 0;
  if (!p->begin(io, self, fd, phase, options, why, std::move(from))) {
    io.net().close(fd, true);
    p->release(lock);
    return io_failure(why);
  }
  return port_access::name_of<Name>(*p);
}

/// What a listener's sockets inherit; what the descriptor has, the system has inherited already.
tcp_options inherited(port const& listener) {
  port::settings const& s = listener.set;
  port_tuning const& t = listener.tuning();
  tcp_options o;
  o.active = {s.mode, s.count};
  o.packet = s.packet;
  o.packet_size = t.limits.packet_size;
  if (s.extras) {
    o.framer = s.extras->framer;
    o.tell_busy = s.extras->busy.wanted;
    if (s.extras->shed_after_ns != 0) o.shed_when_idle = duration(s.extras->shed_after_ns);
  }
  o.buffer = t.limits.buffer;
  o.exit_on_close = s.exit_on_close;
  o.show_econnreset = s.show_econnreset;
  o.high_watermark = t.high;
  o.low_watermark = t.low;
  if (t.send_timeout_ns != INT64_MAX) o.send_timeout = duration(t.send_timeout_ns);
  o.send_timeout_close = s.send_timeout_close;
  if (s.reset_on_close) o.linger = duration::zero();
  return o;
}

bool is_exhaustion(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// Waits so long whatever comes; false if `until` was over before. Exits: may.
bool sleep(process& self, wait_limit& until, std::int64_t ns) {
  std::int64_t const now = self.sched().now();
  if (until.due(self) <= now) return false;
  wait_limit pause(std::min(until.due(self), now + ns));
  waiting const mark(self, wait_place::tcp_connect);
  while (self.wait(pause)) {
  }
  return true;
}

/// Whether a listener's gate and the node's memory let a connection in.
accept_gate::answer may_accept(io_state& io, port& listener, std::int64_t now_ns) noexcept {
  accept_gate* const gate = listener.gate();
  if (!io.marks().accepts()) return {false, now_ns + exhausted_pause_ns, nullptr};
  return gate != nullptr ? gate->may_accept(now_ns) : accept_gate::answer{};
}

/// Once for each time that a limit is met. Without the listener's lock.
void report_pause(process& self, char const* what, tcp_listener listener, accept_limits const& l) {
  node_event event;
  event.what = node_event::kind::failure;
  event.process = self.self_pid();
  auto const at = listener.local_address();
  event.text = fmt::format(
      "accepting pauses on {}: {} is reached (max_connections {}, accept_rate {} a second, "
      "accept_burst {}); connections wait in the system's queue",
      at ? to_string(*at) : "a listener", what, l.connections, l.per_second, l.burst);
  self.system().report(std::move(event));
}

void require_alive(process& self, char const* what) {
  if (self.is_dying())
    throw error(errc::exiting, std::string(what) + ": the process is ending, nobody would own it");
}

}  // namespace

tcp_result<tcp_listener> tcp_listen(tcp_address const& address, tcp_options const& options) {
  io_call call("tcp_listen");
  check("tcp_listen", address);
  check(options);
  if (options.permissions && !address.has_file())
    throw error(errc::badarg, "tcp_options: permissions are for a local name with a file");
  if (options.permissions && *options.permissions > 0777)
    throw error(errc::badarg, fmt::format("tcp_options: permissions are {:#o}; allowed: 0 to 0777",
                                          *options.permissions));
  require_alive(call.self, "tcp_listen");
  io_state& io = io_state::of(call.self.system());
  int const fd = io.net().listen(address, options);
  if (fd < 0) return io_failure(-fd);
  return make_port<tcp_listener>(io, call.self, fd, port_phase::listening, options);
}

tcp_result<tcp_socket> tcp_accept(tcp_listener listener, duration limit) {
  io_call call("tcp_accept");
  process& self = call.self;
  wait_limit until(due_after(self, limit));
  require_alive(self, "tcp_accept");
  self.charge(20);
  std::optional<waiting_place> place;
  bool paused = false;
  std::int64_t now = 0;
  for (;;) {
    int fd = -EAGAIN;
    io_state* io = nullptr;
    tcp_options options;
    accept_gate::answer gate;
    accept_limits limits;
    gate_place from;
    marks_of(self, listener);
    {
      held_port p(self, listener);
      if (!p) return io_failure(tcp_errc::closed);
      if (p->phase() != port_phase::listening) return io_failure(tcp_errc::einval);
      io = &io_state::of_existing(self.system());
      now = self.sched().now();
      bool const my_turn = place ? p->waiters.first() == &place->entry() : p->waiters.empty();
      if (my_turn) gate = may_accept(*io, *p, now);
      if (p->gate() != nullptr) limits = p->gate()->limits();
      if (my_turn && gate.open) fd = p->net().accept(p->fd);
      if (fd >= 0) {
        options = inherited(*p);
        from = p->accepted(now);
      }
    }
    if (gate.begins != nullptr) report_pause(self, gate.begins, listener, limits);
    if (fd >= 0) {
      io->replenished();
      return make_port<tcp_socket>(*io, self, fd, port_phase::open, options, std::move(from));
    }
    bool const exhausted = is_exhaustion(-fd);
    if (fd != -EAGAIN && !exhausted) return io_failure(-fd);
    if (exhausted) {
      io->exhausted(-fd, self.self_pid());
      if (paused) return io_failure(-fd);
    }
    if (!place) {
      held_port p(self, listener);
      if (!p) return io_failure(tcp_errc::closed);
      port& at = *p;
      p.lock().unlock();
      place.emplace(self, at, wait_place::tcp_accept);
      p.lock().lock();
      // It may have been closed in between: then the next round finds out.
      if (at.generation() == port_access::generation(listener)) at.waiters.append(place->entry());
      if (!exhausted) continue;  // a connection may have come before we were listed
    }
    if (exhausted) {
      // In place, so that those behind keep waiting; and not woken by the next connection.
      paused = true;
      wait_limit pause(std::min(until.due(self), self.sched().now() + exhausted_pause_ns));
      while (place->wait(pause)) {
        held_port p(self, listener);
        if (!p) return io_failure(tcp_errc::closed);
      }
    } else if (gate.open || gate.until_ns == INT64_MAX) {
      if (!place->wait(until)) return io_failure(tcp_errc::timeout);
    } else {
      wait_limit pause(std::min(until.due(self), gate.until_ns));
      if (!place->wait(pause) && until.is_over(self)) return io_failure(tcp_errc::timeout);
    }
  }
}

tcp_result<tcp_socket> tcp_connect(tcp_address const& address, tcp_options const& options,
                                   duration limit) {
  io_call call("tcp_connect");
  process& self = call.self;
  check("tcp_connect", address);
  if (address.port == 0 && !address.is_local()) throw error(errc::badarg, "tcp_connect: no port");
  check(options);
  wait_limit until(due_after(self, limit));
  require_alive(self, "tcp_connect");
  self.charge(20);
  io_state& io = io_state::of(self.system());
  int fd = io.net().connect(address, options);
  // A local listener whose queue is full: the system says so, and nothing when that has changed.
  for (std::int64_t pause = 1'000'000; fd == -EAGAIN;
       pause = std::min(2 * pause, longest_pause_ns)) {
    if (!sleep(self, until, pause)) return io_failure(tcp_errc::timeout);
    fd = io.net().connect(address, options);
  }
  if (fd < 0) return io_failure(-fd);
  auto made = make_port<tcp_socket>(io, self, fd, port_phase::connecting, options);
  if (!made) return made;
  struct close_unless_kept {
    tcp_socket socket;
    bool kept = false;
    ~close_unless_kept() {
      if (!kept) socket.close();
    }
  } guard{*made};
  port& at = *io.at(port_access::index(*made));
  waiting_place place(self, at, wait_place::tcp_connect);
  {
    held_port p(self, *made);
    if (!p) return io_failure(tcp_errc::closed);
    p->reader = &place.entry();
    place.entry().listed = true;
  }
  for (;;) {
    {
      held_port p(self, *made);
      if (!p) return io_failure(tcp_errc::closed);
      int why = 0;
      if (p->connected(p.lock(), why)) {
        guard.kept = true;
        return made;
      }
      if (why != 0) return io_failure(why);
    }
    if (!place.wait(until)) return io_failure(tcp_errc::timeout);
  }
}

tcp_result<std::vector<tcp_address>> resolve(std::string_view host, std::uint16_t port,
                                             duration limit) {
  if (auto const numeric = tcp_address::parse(host, port)) return std::vector{*numeric};
  io_call call("resolve");
  static_cast<void>(detail::checked_limit(limit));
  network const& net = io_state::of(call.self.system()).net();
  std::string name(host);
  if (name.empty() || name.find('\0') != std::string::npos) return io_failure(tcp_errc::nxdomain);
  std::vector<tcp_address> addresses;
  if (!net.resolver_blocks()) {
    addresses = net.name_resolver()(name, port);
  } else {
    struct job final : detail::offloaded {
      network::resolver resolve;
      std::string name;
      std::uint16_t port;
      detail::envelope_ptr run() override {
        return detail::pack<std::vector<tcp_address>>(detail::signal_kind::reply,
                                                      resolve(name, port));
      }
    };
    auto work = std::make_unique<job>();
    work->resolve = net.name_resolver();
    work->name = std::move(name);
    work->port = port;
    request_id const id = detail::run_offloaded(std::move(work));
    detail::response answer;
    if (detail::wait_response(id, limit, true, answer) != detail::response_state::ready)
      return io_failure(tcp_errc::timeout);
    if (answer.reply)
      addresses = std::move(*static_cast<std::vector<tcp_address>*>(answer.reply->payload()));
  }
  if (addresses.empty()) return io_failure(tcp_errc::nxdomain);
  return addresses;
}

tcp_result<tcp_socket> tcp_connect(std::string_view host, std::uint16_t port,
                                   tcp_options const& options, duration limit) {
  check(options);
  std::int64_t due = INT64_MAX;
  scheduler* clock = nullptr;
  {
    io_call call("tcp_connect");
    due = due_after(call.self, limit);
    clock = &call.self.sched();
  }
  auto const addresses = resolve(host, port, limit);
  if (!addresses) return tl::unexpected(addresses.error());
  tcp_result<tcp_socket> result = io_failure(tcp_errc::nxdomain);
  std::size_t left = addresses->size();
  for (tcp_address const& a : *addresses) {
    // One that does not answer leaves the others their share of the time.
    duration share = infinity;
    if (due != INT64_MAX)
      share =
          duration(std::max<std::int64_t>(due - clock->now(), 0) / static_cast<std::int64_t>(left));
    --left;
    result = tcp_connect(a, options, share);
    if (result || (due != INT64_MAX && clock->now() >= due)) break;
  }
  return result;
}

void tcp_listener::close() const noexcept { close_port(*this, false); }

tcp_result<tcp_listener_statistics> tcp_listener::statistics() const noexcept {
  quiet_io_call call;
  if (call.self == nullptr) return io_failure(tcp_errc::closed);
  held_port p(*call.self, *this);
  if (!p) return io_failure(tcp_errc::closed);
  tcp_listener_statistics s;
  s.accepted = p->counted(port_count::received_packets);
  if (accept_gate const* const gate = p->gate()) {
    s.connections = gate->alive();
    s.times_full = gate->times_full();
    s.times_fast = gate->times_fast();
  }
  return s;
}

tcp_result<tcp_address> tcp_listener::local_address() const noexcept {
  return local_address_of(*this);
}

}  // namespace otter
