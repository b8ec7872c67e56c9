#pragma once

// io/port_extras.hpp - what few ports have: a framer, the limits of a listener, notices of a busy
// queue, a time after which they may be shed. One pointer in each port stands for all of it.

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <otter/tcp.hpp>

#include "io/accept_gate.hpp"
#include "io/overload.hpp"
#include "process/notice.hpp"

namespace otter::rts {

class port;

/// Tells the owner that the queue has passed its high mark, or is below the low one again: a notice
/// of its own, since a reactive owner gets the port's as an event. What it tells is what is so when
/// the owner comes to it.
class busy_notice final : public notice {
 public:
  explicit busy_notice(port& p) noexcept : port_(p) {}
  void expand(process& owner, message_sink& sink) noexcept override;
  void refused() noexcept override;

  bool wanted = false;
  bool told_busy = false;

 private:
  port& port_;
};

/// Under the port's lock; the notice as every notice.
struct port_extras {
  explicit port_extras(port& p) noexcept : busy(p) {}

  std::shared_ptr<tcp_framer const> framer;  // in the mode packet::framer, and perhaps after it
  std::shared_ptr<accept_gate> gate;         // a listener's
  gate_place from;                           // a connection's place at its listener's gate
  busy_notice busy;
  std::int64_t shed_after_ns = 0;  // 0: never
  std::int64_t active_ns = 0;      // when something was received or sent last
  std::optional<node_marks::place> listed;
};
using extras_ptr = std::unique_ptr<port_extras>;

}  // namespace otter::rts
