#pragma once

// process/code_watch.hpp - what the room of code is told of processes, once modules are loaded.

#include <cstdint>
#include <otter/pid.hpp>
#include <otter/reactive.hpp>

namespace otter::rts {

/// Ownership: the node's, from the first load on. Threads: any.
class code_watch {
 public:
  virtual ~code_watch() = default;
  /// `who` is about to start with that body, or its start failed and ended() follows.
  /// Throws: std::bad_alloc; error(undef) if the body's code must not be started any more.
  virtual void spawned(pid who, reactive& body) = 0;
  /// The process `who` goes on with another body. Throws: as spawned(); then nothing has changed.
  virtual void replaced(pid who, reactive& before, reactive& now) = 0;
  /// A process that was marked as an owner (process::mark_owner) has ended. In the middle of the
  /// runtime: must not wait.
  virtual void ended(std::uint64_t bits) noexcept = 0;
};

}  // namespace otter::rts
