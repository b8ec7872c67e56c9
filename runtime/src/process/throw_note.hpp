#pragma once

// process/throw_note.hpp - the frames of the last exception that a throw_probe saw on a worker.

#include <array>
#include <cstddef>

namespace otter::rts {

/// Between the note and its use destructors run, and whatever they do: another exception may be
/// noted. So it says whose it is, and who does not find his own goes without.
///
/// Threads: those that run on the worker.
struct throw_note {
  static constexpr std::size_t most = 32;

  void const* object = nullptr;  ///< the exception, or what it points to; null: nothing is noted
  std::size_t depth = 0;
  std::array<void*, most> frames{};
};

}  // namespace otter::rts
