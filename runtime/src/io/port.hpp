#pragma once

// io/port.hpp - one socket or listener: who owns it, what it is up to, what waits in it.
//
// The story of a connection is told in doc/io.md. The sources:
//
//   port.cpp     birth, owner, readiness, close, end     input.cpp   reading and framing
//   output.cpp   sending and flushing                    socket.cpp  the public functions
//   port_tls.cpp what TLS does to both
//   busy.cpp     what it tells of its queue, and of being idle
//
// Refused: a port that its owner alone touches, without a lock. Sending, closing and accepting by
// others, and the poller on another core, would each need a signal and an answer; a lock of one
// uncontended exchange beside every system call costs a hundredth of it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <otter/tcp.hpp>
#include <otter/udp.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "io/framing.hpp"
#include "io/port_aside.hpp"
#include "io/port_extras.hpp"
#include "io/small_mutex.hpp"
#include "io/waiter.hpp"
#include "poller/poller.hpp"
#include "process/notice.hpp"
#include "process/process.hpp"

namespace otter::rts {

class io_state;
class network;
class process;
class tls_stream;

enum class port_phase : std::uint8_t {
  free,        ///< in the table, nobody's
  connecting,  ///< a connection is being made
  listening,
  handshaking,  ///< a process makes it a TLS connection; nobody else may send or receive
  open,
  ended,     ///< the peer or an error has ended it; its name is good until the owner knows
  flushing,  ///< the name is void; what was queued is still being sent
  closed,    ///< the name is void, the descriptor closed; kept by what cannot let go yet
};

/// Ends a stream where its type is known: ports need not see it.
struct end_tls {
  void operator()(tls_stream* s) const noexcept;
};
using tls_ptr = std::unique_ptr<tls_stream, end_tls>;

/// What only a busy connection has, or one with TLS.
struct port_buffers {
  std::string in;  ///< came and was not delivered, from in_at on
  std::size_t in_at = 0;
  std::size_t scanned = 0;  ///< so far behind in_at there is no packet's end
  std::string out;          ///< accepted and not sent, from out_at on
  std::size_t out_at = 0;
  tls_ptr tls;             ///< set: `in` is decrypted, `out` encrypted
  output_account account;  ///< of queued() at the node

  std::string_view input() const noexcept { return std::string_view(in).substr(in_at); }
  std::size_t queued() const noexcept { return out.size() - out_at; }
};

/// Ownership: the table has the block for ever; a *life* of it goes from open to release(), which
///            gives the block back when the last of descriptor, poller, owner's list, notice in
///            flight and pin has let go. In between, the owner is one process, or (handing over)
///            the notice on its way to the next one.
/// Threads:   everything is guarded by mutex_, except `direct`, lent_ and the resource's links,
/// which
///            are the owner's, and what the poller keeps in poll_source. owner_, generation_ and
///            hint_ are written under the lock, and read by expect() and end_read() without. No
///            lock of another port is taken under it, nothing suspended. A notice may be posted
///            under it: a push takes only locks under which nobody wants a port's, and who refuses
///            a notice waits for ours, so whoever posts need not look whether it has come back
///            meanwhile.
/// Invariant: generation_ grows when the name becomes void: a name with another one is never
///            obeyed. polled_ is true from watch() to released(); while it is, the poller may call
///            ready(), so the block is not given back. Waiters are listed only while the name is
///            good.
/// Ordering:  the lock's [S1]. in_flight() is the notice's own and is read under the lock: a notice
///            that comes back later finds phase closed and calls release() itself.
class port final : public notice, public resource, public poll_source {
  port_phase phase_ = port_phase::free;  // fills a gap

 public:
  explicit port(std::uint32_t index) noexcept : index_(index) {}

  // --- for the table ---
  std::uint32_t table_next = 0;
  std::uint32_t index() const noexcept { return index_; }

  small_mutex& mutex() noexcept { return mutex_; }

  // --- notice, resource, poll_source ---
  void expand(process& owner, message_sink& sink) noexcept override;
  void refused() noexcept override;
  void owner_died() noexcept override;
  void ready(std::uint32_t events) noexcept override;
  void expect() const noexcept override;
  void released() noexcept override;

  // --- under the lock; port.cpp ---
  /// Starts a life, in the process that becomes the owner. False: the poller refused (`error`);
  /// then the descriptor is still the caller's.
  bool begin(io_state& io, process& owner, int descriptor, port_phase phase,
             tcp_options const& options, int& error, gate_place from = {}) noexcept;
  std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_relaxed); }
  port_phase phase() const noexcept { return phase_; }
  pid owner() const noexcept;
  bool is_owned_by(process const& p) const noexcept {
    return owner_.load(std::memory_order_relaxed) == p.bits();
  }
  /// The calling process uses the port: if it has been made the owner, it takes it up now.
  void adopt(process& self) noexcept {
    if (!owned_) [[unlikely]]
      take_up(self);
  }
  /// Voids the name and ends the connection. `self`: the calling process if there is one.
  void close(port_lock& lock, wakes& woken, process* self, bool reset) noexcept;
  /// Posts the notice to the owner; if the next owner has died before it was one, closes the port.
  void tell_owner(port_lock& lock) noexcept;
  /// Gives the block back if nobody holds it; then the lock is released.
  void release(port_lock& lock) noexcept;
  void hand_over(port_lock& lock, process& from, pid to, active_mode resume) noexcept;
  /// For a transfer: nothing is posted or delivered from here on. Gives what to resume with.
  active_mode hold_still() noexcept;
  /// For the owner, before its first safe point: a new connection is passive for a while. As above.
  active_mode hold_back() noexcept;
  bool connected(port_lock& lock, int& error) noexcept;

  // --- under the lock; input.cpp ---
  tcp_result<void> set_active(port_lock& lock, active_mode mode, process& self) noexcept;
  /// False: no memory, and nothing has changed.
  bool set_packet(otter::packet mode, std::uint32_t packet_size) noexcept {
    port_tuning t = tuning();
    t.limits.packet_size = packet_size;
    if (!tune(t)) return false;
    set.packet = mode;
    if (buffers_) buffers_->scanned = 0;
    return true;
  }
  /// `extras`: for a port that has none. Gives back what it replaces, to be let go of when the lock
  /// is. False: as above.
  bool set_framer(std::shared_ptr<tcp_framer const>& framer, extras_ptr& extras,
                  std::uint32_t packet_size) noexcept {
    if (!set_packet(otter::packet::framer, packet_size)) return false;
    if (!set.extras) set.extras = std::move(extras);
    set.extras->framer.swap(framer);
    return true;
  }
  /// The outcome of a receive, or nothing: it must wait.
  std::optional<tcp_result<tcp_bytes>> try_recv(std::size_t length, wakes& woken);
  std::optional<tcp_result<std::size_t>> try_recv_some(std::span<std::byte> into, wakes& woken);
  /// The port of a datagram socket, from its beginning on.
  void carry_datagrams() noexcept { datagrams_ = true; }
  std::optional<tcp_result<udp_datagram>> try_recv_from();
  /// Why a receive may not begin.
  std::error_code receive_refused(waiter const* mine) const noexcept;
  /// Fills `scratch` with what the owner has not used and what has come.
  void lend(port_lock& lock, wakes& woken, process& self, char* scratch,
            detail::lent_input& out) noexcept;
  void take_back(port_lock& lock, process const& self, std::string_view rest) noexcept;
  /// The owner has used all that it was lent; without the lock. False: take_back() is to look.
  ///
  /// While the name is good and it owns the port, the block serves nobody else and lent_ is its
  /// own: it cannot give the port away meanwhile, and who else closes it leaves it in its list. An
  /// event that sets hint_ after this look is told by ready(), as it always is.
  bool end_read(process const& self, std::uint64_t generation) noexcept {
    if (this->generation() != generation || !is_owned_by(self) || hint_) return false;
    lent_ = false;
    return true;
  }

  // --- under the lock; output.cpp ---
  bool may_send() const noexcept {
    return phase_ == port_phase::open && !write_shut_ && !shutdown_due_;
  }
  /// Why not.
  std::error_code send_refused() const noexcept;
  /// The next send has to wait: too much is queued here, or in the node and something here.
  bool congested(wakes& woken) noexcept { return (congested_ || buffers_) && is_congested(woken); }
  tcp_result<void> write(std::string_view data, wakes& woken) noexcept;
  void flush(wakes& woken) noexcept;
  void shutdown_write(wakes& woken) noexcept;
  std::size_t queued() const noexcept { return buffers_ ? buffers_->queued() : 0; }

  // --- under the lock; port_tls.cpp ---
  tls_stream* tls() const noexcept { return buffers_ ? buffers_->tls.get() : nullptr; }
  /// The connection is the handshake's from now on, and `who` its reader; gives it what had been
  /// read ahead. Or says why not.
  std::error_code begin_handshake(process const& self, waiter& who, std::string& ahead) noexcept;
  struct wire_input {
    std::size_t n = 0;
    std::error_code ended;
  };
  /// What has come, for the handshake. Neither: it must wait.
  wire_input handshake_input(char* into, std::size_t room, wakes& woken) noexcept;
  /// What the handshake says, into the socket or the queue.
  tcp_result<void> send_wire(std::string_view data, wakes& woken) noexcept;
  /// The connection is open again, and `stream` between it and the user.
  /// Throws: std::bad_alloc, and has done nothing.
  void end_handshake(tls_ptr stream);

  // --- under the lock; of a listener ---
  accept_gate* gate() const noexcept { return set.extras ? set.extras->gate.get() : nullptr; }
  /// A connection was accepted: its place at the gate.
  gate_place accepted(std::int64_t now_ns) noexcept {
    count(port_count::received_packets);
    if (gate() == nullptr) return {};
    gate()->accepted(now_ns);
    return gate_place(set.extras->gate);
  }

  // --- under the lock; busy.cpp ---
  /// It has been idle for long enough: closes it, as the peer would. False if not.
  bool shed(port_lock& lock, std::int64_t now_ns, wakes& woken) noexcept;
  /// Without the lock: for the notice of the queue, and for who has to post it.
  void tell_of_queue(process& owner, message_sink& sink) noexcept;
  void post_busy() noexcept;
  void busy_refused() noexcept;

  // --- who waits; under the lock ---
  waiter* reader = nullptr;  ///< in recv or connect
  waiter_list waiters;       ///< listener: in accept. Else: in send
  bool hint() const noexcept { return hint_; }
  void no_hint() noexcept { hint_ = false; }
  /// The next of `waiters` can go on.
  void wake_next(wakes& woken) noexcept {
    if (waiters.first() != nullptr) woken.add(*waiters.first());
  }

  /// What is set by tcp_options and does not concern the descriptor; with tuning(). Under the lock.
  struct settings {
    extras_ptr extras;
    std::int16_t count = 0;
    otter::active mode = otter::active::off;
    otter::packet packet = otter::packet::raw;
    bool exit_on_close = true;
    bool show_econnreset = false;
    bool send_timeout_close = false;
    bool reset_on_close = false;
  };
  settings set;

  // --- under the lock; what stands elsewhere when it is not as usual ---
  port_tuning const& tuning() const noexcept { return aside_ ? aside_->tuning : usual_tuning; }
  /// False: no memory, and nothing has changed.
  bool tune(port_tuning const& t) noexcept {
    if (t == tuning()) return true;
    if (!aside_) aside_.reset(new (std::nothrow) port_aside);
    if (aside_) aside_->tuning = t;
    return aside_ != nullptr;
  }
  void count(port_count what, std::uint64_t n = 1) noexcept { counts_.add(what, n, aside_); }
  std::uint64_t counted(port_count what) const noexcept {
    return counts_.total(what, aside_.get());
  }

  network& net() const noexcept;

 private:
  enum class got : unsigned char { bytes, nothing, end };

  bool wants_notice() const noexcept;
  void take_up(process& self) noexcept;
  port_buffers& buffers() {
    return buffers_ ? *buffers_ : *(buffers_ = std::make_unique<port_buffers>());
  }
  void trim_buffers() noexcept;
  void close_descriptor(bool reset, wakes& woken) noexcept;
  void become_closed() noexcept;
  extras_ptr extras_of(tcp_options const& options, gate_place from);
  void leave_the_idle() noexcept;

  // busy.cpp
  void set_congested(bool on, wakes& woken) noexcept;
  bool is_congested(wakes& woken) noexcept;
  void note_activity() noexcept;

  // input.cpp
  std::ptrdiff_t read_wire(char* into, std::size_t room) noexcept;
  void follow_owner() noexcept;
  void drop_input() noexcept;
  got read(char* into, std::size_t room, std::size_t& n, wakes& woken) noexcept;
  void input_ended(int error, wakes& woken) noexcept;
  void keep(std::string_view came);
  packet_cut cut(std::string_view stream, std::size_t seen) const noexcept;
  void refuse_input(packet_cut::kind why, wakes& woken) noexcept;
  bool delivers() const noexcept;  // in one of the modes that send messages
  struct delivered {
    std::size_t bytes = 0;
    packet_cut::kind at = packet_cut::kind::packet;
    bool is_refused() const noexcept {
      return at == packet_cut::kind::too_long || at == packet_cut::kind::malformed;
    }
  };
  delivered deliver_from(std::string_view stream, message_sink& sink);
  void deliver_kept(message_sink& sink, wakes& woken);
  void deliver(message_sink& sink, wakes& woken) noexcept;
  void append_packet(std::string_view packet, message_sink& sink);
  void count_down() noexcept;
  std::optional<tcp_result<udp_datagram>> take_datagram(char* scratch);  // udp.cpp
  void deliver_datagrams(message_sink& sink) noexcept;                   // udp.cpp
  bool report_end(port_lock& lock, process& owner, message_sink& sink, wakes& woken) noexcept;
  std::error_code end_reason() noexcept;
  tcp_bytes take_input(packet_cut const& what);

  // port_tls.cpp
  got read_tls(char* into, std::size_t room, std::size_t& n, wakes& woken) noexcept;
  tcp_result<void> write_tls(std::string_view data, wakes& woken) noexcept;
  bool send_said(wakes& woken) noexcept;
  void say_farewell(wakes& woken) noexcept;

  // output.cpp
  tcp_result<void> write_bytes(std::string_view data, wakes& woken) noexcept;
  tcp_result<void> send_rest(std::string_view data, std::ptrdiff_t n, wakes& woken) noexcept;
  tcp_result<void> queue_output(std::string_view data, wakes& woken) noexcept;
  tcp_result<void> write_failed(int error, wakes& woken) noexcept;
  void drop_output(wakes& woken) noexcept;
  void output_drained(wakes& woken) noexcept;
  void account_output() noexcept;

  friend struct port_access;
  friend class held_port;

  aside_ptr aside_;
  port_counts counts_;
  std::uint32_t const index_;
  small_mutex mutex_;
  io_state* io_ = nullptr;
  std::atomic<std::uint64_t> generation_{1};
  std::atomic<std::uint64_t> owner_{0};  // bits of its pid; it is of this node
  std::unique_ptr<port_buffers> buffers_;
  std::int32_t error_ = 0;  // why input ended; 0: the peer's end of sending
  std::uint16_t pins_ = 0;  // who is about to post the notice of the queue
  // All in one word, which the lock allows.
  bool polled_ : 1 = false;
  bool owned_ : 1 = false;    // in the owner's list of resources
  bool strayed_ : 1 = false;  // the last read was not where its events come
  bool hung_up_ : 1 = false;  // a short read does not mean that there is nothing more
  bool input_ended_ : 1 = false;
  bool end_told_ : 1 = false;      // the owner, or a receive, has heard of it
  bool passive_due_ : 1 = false;   // tcp_passive is to be sent
  bool congested_ : 1 = false;     // senders wait
  bool shutdown_due_ : 1 = false;  // once the queue is empty
  bool write_shut_ : 1 = false;
  bool datagrams_ : 1 = false;  // udp.cpp
};
static_assert(sizeof(port) == 216, "with a million connections each word counts");

/// What error_ stands for: an errno, a tcp_errc, or a tls_errc.
std::error_code code_of(int error) noexcept;

struct port_access {
  template <class Name>
  static Name name(std::uint32_t node, std::uint32_t index, std::uint64_t generation) noexcept {
    Name n;
    n.node_ = node;
    n.index_ = index;
    n.generation_ = generation;
    return n;
  }
  static std::uint32_t node(detail::port_name n) noexcept { return n.node_; }
  static std::uint32_t index(detail::port_name n) noexcept { return n.index_; }
  static std::uint64_t generation(detail::port_name n) noexcept { return n.generation_; }
  template <class Name>
  static Name name_of(port const& p) noexcept;
};

}  // namespace otter::rts
