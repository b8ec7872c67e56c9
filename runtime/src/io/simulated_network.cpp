// io/simulated_network.cpp - endpoints, and the jobs that carry bytes and events between them.
//
// Everything that takes time is a job of the blocking pool: the simulation runs those inline, each
// at a moment that the seed chooses. An endpoint has one job, out at most once.

#include "io/simulated_network.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "process/process_system.hpp"

namespace otter::rts {
namespace {
constexpr std::size_t window = 16384;  // bytes that one direction holds: on the wire, and unread

/// Who connects to `wanted` comes to who listens at `local`.
bool leads_to(tcp_address const& wanted, tcp_address const& local) noexcept {
  if (wanted.is_local() || local.is_local()) return wanted == local;
  return wanted.port == local.port;
}

constexpr std::size_t longest_datagram = 65507;  // IPv4's

/// A descriptor, or minus an errno, for the trace.
constexpr std::uint64_t number(std::ptrdiff_t n) noexcept { return static_cast<std::uint64_t>(n); }
}  // namespace

struct simulated_network::endpoint final : blocking_job {
  endpoint(simulated_network& n, int number) noexcept : net(n), fd(number) {}
  void run() noexcept override { net.run(*this); }

  simulated_network& net;
  int fd;
  tcp_address local, remote;
  poll_source* source = nullptr;
  std::uint32_t events = 0;                                 // to be told to source
  int peer = 0;                                             // 0: none (any more)
  std::string wire;                                         // sent, not arrived
  std::string unread;                                       // arrived, not received
  std::deque<int> backlog;                                  // listener
  std::deque<std::pair<tcp_address, std::string>> arrived;  // datagrams, with their senders
  int backlog_limit = 0;
  std::int64_t stalled_until_ns = 0;
  int error = 0;  // told once, by receive, send or finish_connect
  bool listening = false, connecting = false, connected = false, datagrams = false;
  bool end_sent = false;  // follows what is on the wire
  bool end_arrived = false;
  bool broken = false;
  bool starved = false;  // a send found no room
  bool closed = false;
  bool job_out = false;
};

/// Tells a port that it is not watched any more, later, as a poller does.
struct simulated_network::release_job final : blocking_job {
  simulated_network* net = nullptr;
  poll_source* source = nullptr;
  release_job* next_release = nullptr;
  void run() noexcept override {
    for (release_job** at = &net->releases_; *at != nullptr; at = &(*at)->next_release) {
      if (*at != this) continue;
      *at = next_release;
      break;
    }
    poll_source& s = *source;
    delete this;
    s.released();
  }
};

/// One datagram under way. Each takes its own time, so they overtake each other.
struct simulated_network::flight final : blocking_job {
  simulated_network* net = nullptr;
  std::uint64_t index = 0;
  tcp_address from, to;
  std::string bytes;
  void run() noexcept override {
    auto const self = std::move(net->flights_[index]);
    net->flights_.erase(index);
    for (auto& [fd, e] : net->endpoints_) {
      if (!e->datagrams || e->closed || !leads_to(to, e->local)) continue;
      std::size_t held = 0;
      for (auto const& waiting : e->arrived) held += waiting.second.size() + 1;
      if (held > window) return;  // there is no room: it is lost
      net->node_.trace("net datagram", number(fd), bytes.size(), bytes);
      e->arrived.emplace_back(from, std::move(bytes));
      net->schedule(*e, EPOLLIN);
      return;
    }
  }
};

simulated_network::simulated_network(scheduler& node) noexcept : node_(node) {}

simulated_network::~simulated_network() {
  while (releases_ != nullptr) delete std::exchange(releases_, releases_->next_release);
}

auto simulated_network::find(int fd) noexcept -> endpoint* {
  auto const at = endpoints_.find(fd);
  return at != endpoints_.end() ? at->second.get() : nullptr;
}

auto simulated_network::make(tcp_address const& local, tcp_address const& remote) -> endpoint& {
  int const fd = ++last_fd_;
  auto& e = *(endpoints_[fd] = std::make_unique<endpoint>(*this, fd));
  e.local = local;
  e.remote = remote;
  return e;
}

/// All of it, or less: at least 1 of at least 1.
std::size_t simulated_network::some_of(std::size_t n) noexcept {
  if (n < 2 || node_.random() % 2 == 0) return n;
  return 1 + static_cast<std::size_t>(node_.random() % n);
}

void simulated_network::schedule(endpoint& e, std::uint32_t events) noexcept {
  e.events |= events;
  if (e.job_out) return;
  e.job_out = true;
  node_.submit_blocking(e);
}

/// Something happens at `e`: what it has sent moves on, and its port hears of what came.
void simulated_network::run(endpoint& e) noexcept {
  // A job runs outside any worker, and ports post notices from ready().
  pool_memory const context(*static_cast<process_system*>(node_.owner()));
  e.job_out = false;
  if (e.connecting)
    arrive_at_listener(e);
  else if (e.peer != 0)
    carry(e);
  if (e.source != nullptr && e.events != 0) {
    // An event may be late: what it tells of may have been seen already.
    std::uint32_t const events = std::exchange(e.events, 0);
    int const fd = e.fd;
    node_.trace("net event", number(fd), events);
    e.source->ready(events);
    endpoint* const still = find(fd);
    if (still != nullptr) forget_if_done(*still);
    return;
  }
  forget_if_done(e);
}

/// The peer of `sender` has taken bytes: a send that found no room may go on.
void simulated_network::room_for(int sender) noexcept {
  endpoint* const e = find(sender);
  if (e != nullptr && e->starved) schedule(*e);
}

void simulated_network::arrive_at_listener(endpoint& e) {
  for (tcp_address const& a : swallowed_)
    if (a == e.remote) return;
  e.connecting = false;
  for (auto& [fd, l] : endpoints_) {
    if (!l->listening || l->closed || !leads_to(e.remote, l->local)) continue;
    if (l->backlog.size() >= static_cast<std::size_t>(std::max(l->backlog_limit, 1))) break;
    endpoint& far = make(e.remote, e.local);
    far.connected = e.connected = true;
    far.peer = e.fd;
    e.peer = far.fd;
    node_.trace("net connected", number(e.fd), number(far.fd));
    l->backlog.push_back(far.fd);
    e.events |= EPOLLOUT;
    schedule(*l, EPOLLIN);
    return;
  }
  node_.trace("net refused", number(e.fd), e.remote.port);
  e.error = e.remote.has_file() ? ENOENT : ECONNREFUSED;
  e.events |= EPOLLERR | EPOLLHUP;
}

void simulated_network::break_connection(endpoint& e) noexcept {
  if (e.broken) return;
  node_.trace("net reset", number(e.fd), e.wire.size());
  e.broken = true;
  e.error = ECONNRESET;
  e.wire.clear();
  e.peer = 0;
  schedule(e, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
}

void simulated_network::carry(endpoint& e) noexcept {
  endpoint* const far = find(e.peer);
  if (resets_per_million_ != 0 && !e.wire.empty() &&
      node_.random() % 1'000'000 < resets_per_million_) {
    if (far != nullptr) break_connection(*far);
    break_connection(e);
    return;
  }
  if (stalls_per_million_ != 0 && !e.wire.empty() && node_.now() < e.stalled_until_ns) {
    schedule(e);  // later
    return;
  }
  if (stalls_per_million_ != 0 && !e.wire.empty() &&
      node_.random() % 1'000'000 < stalls_per_million_) {
    auto const longest = static_cast<std::uint64_t>(longest_stall_.count());
    std::int64_t const ns = 1 + static_cast<std::int64_t>(node_.random() % longest);
    node_.trace("net stall", number(e.fd), static_cast<std::uint64_t>(ns));
    e.stalled_until_ns = node_.now() + ns;
    schedule(e);
    return;
  }
  if (!e.wire.empty()) {
    if (far == nullptr || far->closed) {  // nobody is there: the answer is a reset
      break_connection(e);
      return;
    }
    std::size_t const n = some_of(e.wire.size());
    node_.trace("net carry", number(e.fd), n, std::string_view(e.wire).substr(0, n));
    far->unread.append(e.wire, 0, n);
    e.wire.erase(0, n);
    schedule(*far, EPOLLIN);
    if (!e.wire.empty()) schedule(e);
  }
  if (e.wire.empty() && e.end_sent && far != nullptr && !far->end_arrived) {
    far->end_arrived = true;
    schedule(*far, EPOLLIN | EPOLLRDHUP);
  }
  std::size_t const unread = far != nullptr ? far->unread.size() : 0;
  if (e.starved && e.wire.size() + unread < window) {
    e.starved = false;
    e.events |= EPOLLOUT;
  }
}

void simulated_network::forget_if_done(endpoint& e) noexcept {
  if (!e.closed || e.job_out) return;
  if (e.peer != 0 && (!e.wire.empty() || e.end_sent)) {
    endpoint* const far = find(e.peer);
    if (far != nullptr && !far->closed && (!e.wire.empty() || !far->end_arrived)) {
      schedule(e);  // it has still something to carry
      return;
    }
  }
  endpoints_.erase(e.fd);
}

// --- what ports call ---

int simulated_network::listen(tcp_address const& at, tcp_options const& options) noexcept {
  tcp_address local = at;
  if (local.port == 0 && !local.is_local()) local.port = ++last_port_;
  for (auto const& [fd, e] : endpoints_)
    if (e->listening && !e->closed && leads_to(local, e->local) && !options.reuse_port)
      return -EADDRINUSE;
  endpoint& e = make(local, {});
  e.listening = true;
  e.backlog_limit = options.backlog;
  node_.trace("net listen", number(e.fd), local.port);
  return e.fd;
}

int simulated_network::accept(int listener) noexcept {
  endpoint* const l = find(listener);
  if (l == nullptr) return -EBADF;
  if (l->backlog.empty()) return -EAGAIN;
  int const fd = l->backlog.front();
  l->backlog.pop_front();
  node_.trace("net accept", number(listener), number(fd));
  return fd;
}

int simulated_network::connect(tcp_address const& to, tcp_options const&) noexcept {
  endpoint& e =
      make(to.family == tcp_address::family_type::local ? tcp_address::local({})
                                                        : tcp_address::loopback(++last_port_),
           to);
  e.connecting = true;
  node_.trace("net connect", number(e.fd), to.port);
  schedule(e);
  return e.fd;
}

int simulated_network::finish_connect(int fd) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr) return -EBADF;
  if (e->connected) return 0;
  return e->error != 0 ? -std::exchange(e->error, 0) : -EINPROGRESS;
}

std::ptrdiff_t simulated_network::receive(int fd, void* into, std::size_t size) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr) return -EBADF;
  if (!e->unread.empty()) {
    std::size_t const n = std::min(e->unread.size(), size);
    std::memcpy(into, e->unread.data(), n);
    e->unread.erase(0, n);
    room_for(e->peer);
    node_.trace("net receive", number(fd), n, {static_cast<char const*>(into), n});
    return static_cast<std::ptrdiff_t>(n);
  }
  std::ptrdiff_t const nothing = e->error != 0                 ? -std::exchange(e->error, 0)
                                 : e->end_arrived || e->broken ? 0
                                                               : -EAGAIN;
  node_.trace("net receives nothing", number(fd), number(nothing));
  return nothing;
}

std::ptrdiff_t simulated_network::send(int fd, void const* data, std::size_t size) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr) return -EBADF;
  if (e->error != 0 || e->broken || e->end_sent || e->peer == 0) {
    int const why = e->error != 0 ? -std::exchange(e->error, 0) : -EPIPE;
    node_.trace("net sends nothing", number(fd), number(why));
    return why;
  }
  endpoint const* const far = find(e->peer);
  std::size_t const held = e->wire.size() + (far != nullptr ? far->unread.size() : 0);
  if (held >= window) {
    e->starved = true;
    node_.trace("net sends nothing", number(fd), number(-EAGAIN));
    return -EAGAIN;
  }
  std::size_t const n = some_of(std::min(size, window - held));
  e->wire.append(static_cast<char const*>(data), n);
  node_.trace("net send", number(fd), n, {static_cast<char const*>(data), n});
  schedule(*e);
  return static_cast<std::ptrdiff_t>(n);
}

bool simulated_network::now_and_then(std::uint32_t per_million) noexcept {
  return per_million != 0 && node_.random() % 1'000'000 < per_million;
}

int simulated_network::open_datagrams(tcp_address const& at, udp_options const& o) noexcept {
  tcp_address local = at;
  if (local.port == 0) local.port = ++last_port_;
  for (auto const& [fd, e] : endpoints_)
    if (e->datagrams && !e->closed && leads_to(local, e->local) && !o.reuse_port)
      return -EADDRINUSE;
  endpoint& e = make(local, {});
  e.datagrams = true;
  node_.trace("net datagrams", number(e.fd), local.port);
  return e.fd;
}

std::ptrdiff_t simulated_network::receive_from(int fd, void* into, std::size_t size,
                                               tcp_address& from) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr) return -EBADF;
  if (e->arrived.empty()) return -EAGAIN;
  auto const first = std::move(e->arrived.front());
  e->arrived.pop_front();
  from = first.first;
  std::memcpy(into, first.second.data(), std::min(size, first.second.size()));
  node_.trace("net receive", number(fd), first.second.size(), first.second);
  return static_cast<std::ptrdiff_t>(first.second.size());
}

std::ptrdiff_t simulated_network::send_to(int fd, std::string_view data,
                                          tcp_address const& to) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr) return -EBADF;
  if (data.size() > longest_datagram) return -EMSGSIZE;
  int const copies = now_and_then(lost_per_million_)      ? 0
                     : now_and_then(doubled_per_million_) ? 2
                                                          : 1;
  node_.trace("net send to", number(fd), static_cast<std::uint64_t>(copies), data);
  for (int i = 0; i < copies; ++i) {
    auto f = std::make_unique<flight>();
    f->net = this;
    f->index = ++last_flight_;
    f->from = e->local;
    f->to = to;
    f->bytes = data;
    node_.submit_blocking(*f);
    flights_.emplace(f->index, std::move(f));
  }
  return static_cast<std::ptrdiff_t>(data.size());
}

void simulated_network::shutdown_write(int fd) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr || e->end_sent) return;
  node_.trace("net shutdown", number(fd), e->wire.size());
  e->end_sent = true;
  schedule(*e);
}

void simulated_network::discard_input(int fd) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr || e->unread.empty()) return;
  node_.trace("net discard", number(fd), e->unread.size(), e->unread);
  e->unread.clear();
  room_for(e->peer);
}

void simulated_network::close(int fd, bool reset) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr || e->closed) return;
  node_.trace("net close", number(fd), reset ? 1 : 0, e->unread);
  e->closed = true;
  for (int waiting : std::exchange(e->backlog, {})) close(waiting, true);
  endpoint* const far = find(e->peer);
  if (reset || !e->unread.empty()) {
    if (far != nullptr) break_connection(*far);
    e->wire.clear();
    e->peer = 0;
  } else {
    e->end_sent = true;
  }
  schedule(*e);
}

int simulated_network::local_address(int fd, tcp_address& out) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr) return -EBADF;
  out = e->local;
  return 0;
}
int simulated_network::peer_address(int fd, tcp_address& out) noexcept {
  endpoint* const e = find(fd);
  if (e == nullptr) return -EBADF;
  if (!e->connected) return -ENOTCONN;
  out = e->remote;
  return 0;
}

int simulated_network::watch(poll_source& source) noexcept {
  endpoint* const e = find(source.fd);
  if (e == nullptr) return -EBADF;
  e->source = &source;
  std::uint32_t now = 0;
  if (e->connected) now |= EPOLLOUT;
  if (!e->unread.empty() || !e->backlog.empty() || !e->arrived.empty()) now |= EPOLLIN;
  if (e->end_arrived || e->broken) now |= EPOLLIN | EPOLLRDHUP;
  if (now != 0) schedule(*e, now);
  return 0;
}

bool simulated_network::unwatch(poll_source& source) noexcept {
  endpoint* const e = find(source.fd);
  if (e != nullptr) e->source = nullptr;
  auto* const job = new release_job;
  job->net = this;
  job->source = &source;
  job->next_release = releases_;
  releases_ = job;
  node_.submit_blocking(*job);
  return false;
}

network::resolver simulated_network::name_resolver() const noexcept {
  return [](std::string const& host, std::uint16_t port) {
    return is_localhost(host) ? loopbacks(port) : std::vector<tcp_address>{};
  };
}

std::unique_ptr<network> make_simulated_network(scheduler& node) {
  return std::make_unique<simulated_network>(node);
}

}  // namespace otter::rts
