#pragma once

// io/discard.hpp - dropping what has come and nobody will read, for every kind of network.

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace otter::rts {

/// `receive(into, size, flags)` gives bytes, 0 at the end, or minus an errno; it does not wait.
/// Bounded: a peer that goes on sending gets its reset after all.
template <class Receive>
void discard_what_came(Receive receive) noexcept {
  // MSG_TRUNC on a stream drops bytes without copying them.
  constexpr std::size_t piece = std::size_t{1} << 20;
  std::ptrdiff_t n = 1;
  for (int i = 0; i < 16 && n > 0; ++i) n = receive(nullptr, piece, int{MSG_TRUNC});
  if (n != -EFAULT) return;
  // Local sockets cannot drop bytes unseen. What they hold is bounded by the peer's send buffer.
  std::array<char, 4096> copied;
  for (int i = 0; i < 256; ++i)
    if (receive(copied.data(), copied.size(), 0) <= 0) return;
}

}  // namespace otter::rts
