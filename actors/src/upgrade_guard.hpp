#pragma once

// upgrade_guard.hpp - lets processes go that an upgrade holds, should the one that upgrades end.
//
// It is told of them before they are held. When its upgrader ends in another way than by itself, it
// sends each a resume: everything that the upgrader had sent them is ahead of that.

#include <memory>
#include <otter/pid.hpp>
#include <vector>

namespace otter::detail {

/// Threads: the process that upgrades.
class upgrade_guard {
 public:
  /// Starts it, for the calling process. Throws: as spawn().
  upgrade_guard();
  /// These are about to be held.
  void watch_over(std::vector<pid> processes) const;
  /// None is any more.
  void forget() const;

 private:
  pid guard_;
};

}  // namespace otter::detail
