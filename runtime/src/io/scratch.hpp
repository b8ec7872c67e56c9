#pragma once

// io/scratch.hpp - buffers that sockets are read into: lent to a worker for one read, or to a
// process for as long as it looks at what came.
//
// A worker keeps two of them warm (one is read into and one decrypted into) in its local_state,
// where nobody else looks: so no lock and no atomic. Refused: one pool for all, which cost two
// locked instructions for each read.

#include <cstddef>

#include "process/process_system.hpp"

namespace otter::rts {

inline constexpr std::size_t scratch_bytes = 65536;

/// `near`: the calling thread's, or null. Throws: std::bad_alloc.
inline char* take_scratch(local_state* near) {
  if (near != nullptr)
    for (auto& warm : near->buffers)
      if (warm) return warm.release();
  return new char[scratch_bytes];
}
inline void keep_scratch(local_state* near, char* buffer) noexcept {
  std::unique_ptr<char[]> owned(buffer);
  if (near == nullptr) return;
  for (auto& place : near->buffers)
    if (!place) return place.swap(owned);
}

/// A buffer for one read, that does not wait.
class borrowed_scratch {
 public:
  /// Throws: std::bad_alloc.
  borrowed_scratch() : near_(here::now().local), buffer_(take_scratch(near_)) {}
  borrowed_scratch(borrowed_scratch const&) = delete;
  borrowed_scratch& operator=(borrowed_scratch const&) = delete;
  ~borrowed_scratch() { keep_scratch(near_, buffer_); }
  char* get() const noexcept { return buffer_; }

 private:
  local_state* near_;
  char* buffer_;
};

}  // namespace otter::rts
