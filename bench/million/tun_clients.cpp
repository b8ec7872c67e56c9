// tun_clients.cpp - the other end without sockets: TCP in user space behind a TUN device, so that
// nearly all memory that goes is the server's. 8 bytes a connection.
//
//     million_tun_clients clients port=7000 counters=FILE most=1000000 outside=net:[1] [lose=N]
//
// Needs a network namespace of its own, other than `outside`, and makes it fit; the server is to be
// started in it after {"ready":true}. See dialogue.hpp for the commands.
//
// It speaks as much TCP as the task needs: an opening, one question of 32 bytes at a time, a reset.
// Nothing is kept that the number of a connection tells: addresses, ports and our own sequence
// numbers. Whatever is not answered within 0.2 s is sent again; lose=N is for tests of that: of
// N packets each way one is lost, but for resets, which nobody answers.

#include <array>
#include <deque>
#include <vector>

#include "dialogue.hpp"
#include "packet.hpp"
#include "tun_device.hpp"

namespace bench {
namespace {

/// Connections 0, 1, 2 ... are 127.1.0.1:1024, 127.1.0.1:1025 ... with 60,000 ports an address.
class numbering {
 public:
  static endpoint of(std::uint32_t number) noexcept {
    return {first_address + number / ports,
            static_cast<std::uint16_t>(first_port + number % ports)};
  }
  /// A number that is too large if the endpoint is none of ours.
  static std::uint64_t number(endpoint e) noexcept {
    if (e.address < first_address || e.port < first_port || e.port >= first_port + ports)
      return UINT64_MAX;
    return std::uint64_t{e.address - first_address} * ports + (e.port - first_port);
  }

 private:
  static constexpr std::uint32_t first_address = 0x7f010001, first_port = 1024, ports = 60'000;
};

class tun_clients {
 public:
  explicit tun_clients(job const& j)
      : counts_(map_counters(j.text("counters", ""))),
        server_{INADDR_LOOPBACK, static_cast<std::uint16_t>(j.number("port", 7000))},
        device_(j.text("outside", "")),
        lose_(j.number("lose", 0)),
        connections_(j.number("most", 1'000'000)) {}

  /// Until the server has accepted them, too.
  std::uint64_t connect(std::uint64_t wanted) {
    wanted = std::min<std::uint64_t>(wanted, connections_.size());
    auto const done = [](connection const& c) { return c.phase != state::opening; };
    std::uint64_t accepted = value(counts_.accepted);
    progress_ = now_ns();
    while ((established_ < wanted || accepted < wanted) && value(counts_.stop) == 0) {
      bool busy = false;
      for (int i = 0; i < batch && begun_ < wanted && begun_ - established_ < answer_window &&
                      begun_ < accepted + accept_window;
           ++i) {
        connections_[begun_].phase = state::opening;
        open(begun_);
        sent(begun_++);
        busy = true;
      }
      if (!turn(busy, done)) break;
      std::uint64_t const now_accepted = value(counts_.accepted);
      if (now_accepted != accepted) progress_ = now_ns();
      accepted = now_accepted;
    }
    under_way_.clear();
    return established_;
  }

  echoes echo(std::uint64_t wanted) {
    echoes result;
    wanted = std::min(wanted, established_);
    ++round_;
    answered_ = wrong_ = 0;
    auto const done = [](connection const& c) { return c.phase != state::asked; };
    progress_ = now_ns();
    while (answered_ + wrong_ < wanted) {
      bool busy = false;
      for (int i = 0; i < batch && result.asked < wanted && under_way_.size() < answer_window;
           ++i) {
        auto const n = static_cast<std::uint32_t>(spread(result.asked++, wanted, established_));
        connection& c = connections_[n];
        if (c.phase == state::idle) {
          c.phase = state::asked;
          c.received = 0;
          ask(n);
          sent(n);
        } else {
          ++wrong_;
        }
        busy = true;
      }
      if (!turn(busy, done)) break;
    }
    under_way_.clear();
    result.answered = answered_;
    result.wrong = wrong_;
    return result;
  }

  std::uint64_t reset() {
    std::uint64_t n = 0;
    for (std::uint32_t i = 0; i < begun_; ++i) {
      connection& c = connections_[i];
      if (c.phase == state::opening || c.phase == state::ended) continue;
      send(i, TH_RST | TH_ACK, next_of(i));
      c.phase = state::ended;
      ++n;
    }
    return n;
  }

 private:
  static constexpr std::uint64_t accept_window = 1024;  // far below the listener's queue
  static constexpr std::uint64_t answer_window = 200;   // an answer is two packets at most
  static_assert(2 * answer_window < tun_device::queue);
  static constexpr int batch = 64;
  static constexpr std::int64_t again_after_ns = 200'000'000;

  enum class state : std::uint8_t { none, opening, idle, asked, ended };
  struct connection {
    std::uint32_t expected = 0;  ///< the next byte of the server
    std::uint16_t answers = 0;
    std::uint8_t received = 0;  ///< of the answer that is under way
    state phase = state::none;
  };
  static_assert(sizeof(connection) == 8);

  // --- what a number tells ---

  static std::uint32_t first_of(std::uint32_t n) noexcept { return n * 2654435761u; }
  /// Our next byte: behind the SYN and the questions that were answered.
  std::uint32_t next_of(std::uint32_t n) const noexcept {
    return first_of(n) + 1 + connections_[n].answers * static_cast<std::uint32_t>(question::size);
  }

  // --- out ---

  void send(std::uint32_t n, std::uint8_t flags, std::uint32_t sequence,
            std::string_view data = {}) {
    std::array<char, header_bytes + question::size> packet;
    segment s{numbering::of(n), server_};
    s.sequence = sequence;
    s.flags = flags;
    if ((flags & TH_ACK) != 0) s.acknowledged = connections_[n].expected;
    s.data = data;
    if ((flags & TH_RST) == 0 && is_lost()) return;
    device_.write({packet.data(), write_packet(s, packet.data())});
  }
  bool is_lost() noexcept { return lose_ != 0 && ++packets_ % lose_ == 0; }
  void open(std::uint64_t n) {
    auto const number = static_cast<std::uint32_t>(n);
    send(number, TH_SYN, first_of(number));
  }
  void ask(std::uint32_t n) {
    question const q(n, round_);
    send(n, TH_ACK | TH_PUSH, next_of(n), {q.text, q.size});
  }

  // --- in ---

  void hear(segment const& s) {
    std::uint64_t const number = numbering::number(s.to);
    if (number >= begun_ || s.from.port != server_.port) return;
    auto const n = static_cast<std::uint32_t>(number);
    connection& c = connections_[n];
    if (c.phase == state::ended) return;
    if ((s.flags & TH_RST) != 0) return end(c);
    if ((s.flags & TH_SYN) != 0) return opened(n, c, s);
    if (c.phase == state::opening) return;
    if (s.data.empty() && (s.flags & TH_FIN) == 0) return;  // a mere acknowledgement
    if (s.sequence == c.expected) {
      c.expected += static_cast<std::uint32_t>(s.data.size());
      if (!s.data.empty()) heard(n, c, s.data);
      if ((s.flags & TH_FIN) != 0) {
        ++c.expected;
        end(c);
      }
    }
    // What came again, or too early, is answered by what we expect.
    send(n, TH_ACK, sent_of(n, c));
  }
  void opened(std::uint32_t n, connection& c, segment const& s) {
    if ((s.flags & TH_ACK) == 0 || s.acknowledged != first_of(n) + 1) return;
    if (c.phase == state::opening) {
      c.phase = state::idle;
      c.expected = s.sequence + 1;
      ++established_;
      progress_ = now_ns();
    }
    send(n, TH_ACK, sent_of(n, c));  // once more if the first one was lost
  }
  void heard(std::uint32_t n, connection& c, std::string_view data) {
    question const q(n, round_);
    if (c.phase != state::asked || c.received + data.size() > q.size ||
        std::string_view(q.text + c.received, data.size()) != data)
      return end(c);
    c.received = static_cast<std::uint8_t>(c.received + data.size());
    if (c.received < q.size) return;
    c.phase = state::idle;
    ++c.answers;
    ++answered_;
    progress_ = now_ns();
  }
  void end(connection& c) {
    if (c.phase == state::asked) ++wrong_;
    c.phase = state::ended;
  }
  /// What we have sent: with the question that is under way.
  std::uint32_t sent_of(std::uint32_t n, connection const& c) const noexcept {
    return next_of(n) + (c.phase == state::asked ? static_cast<std::uint32_t>(question::size) : 0u);
  }

  // --- time ---

  struct waiting {
    std::uint32_t number;
    std::int64_t since;
  };
  void sent(std::uint64_t n) { under_way_.push_back({static_cast<std::uint32_t>(n), now_ns()}); }

  /// Reads what has come and sends again what was lost. False: nothing has moved for too long.
  template <class Done>
  bool turn(bool busy, Done done) {
    std::array<char, packet_bytes> packet;
    for (int i = 0; i < 2 * batch; ++i) {
      std::size_t const size = device_.read(packet);
      if (size == 0) break;
      busy = true;
      if (is_lost()) continue;
      if (auto const s = read_packet({packet.data(), size})) hear(*s);
    }
    if (!busy) device_.wait(1);
    while (!under_way_.empty()) {
      waiting const first = under_way_.front();
      if (!done(connections_[first.number])) {
        if (now_ns() - first.since < again_after_ns) break;
        again(first.number);
      }
      under_way_.pop_front();
    }
    return now_ns() - progress_ < patience_ns;
  }
  void again(std::uint32_t n) {
    if (connections_[n].phase == state::opening)
      open(n);
    else
      ask(n);
    sent(n);
  }

  counters& counts_;
  endpoint server_;
  tun_device device_;
  std::uint64_t lose_, packets_ = 0;
  std::vector<connection> connections_;  ///< all from the start, so that none takes memory later
  std::deque<waiting> under_way_;        ///< in the order of sending
  std::uint64_t begun_ = 0, established_ = 0, answered_ = 0, wrong_ = 0;
  std::int64_t progress_ = 0;
  unsigned round_ = 0;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::job const job(argc, argv);
  bench::tun_clients clients(job);
  std::printf("{\"ready\":true}\n");
  std::fflush(stdout);
  bench::lead(clients);
}
