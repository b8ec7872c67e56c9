#pragma once

// otter/detail/kin.hpp - who started whom: what OTP keeps as $ancestors.
//
//   otter::detail::ancestry   a process's ancestors, the nearest first; shared, one word
//   otter::detail::kin        a body that knows its own
//   otter::detail::origin     what a starter hands to a body

#include <cstdint>
#include <otter/duration.hpp>
#include <otter/pid.hpp>
#include <otter/reactive.hpp>
#include <otter/ref.hpp>
#include <string>
#include <utility>
#include <vector>

namespace otter {
struct debug_options;
}

namespace otter::detail {

struct ancestor;  // immutable, counted; in kin.cpp

/// A list that children share: one entry for each process that ever started another.
///
/// Threads: as shared_ptr.
class ancestry {
 public:
  constexpr ancestry() noexcept = default;
  ancestry(ancestry const& other) noexcept;
  ancestry(ancestry&& other) noexcept : nearest_(std::exchange(other.nearest_, nullptr)) {}
  ancestry& operator=(ancestry other) noexcept {
    std::swap(nearest_, other.nearest_);
    return *this;
  }
  ~ancestry();

  /// `process`, by its name if it has one, in front of `above`. Throws: std::bad_alloc.
  static ancestry of(pid process, std::string name, ancestry above);

  explicit operator bool() const noexcept { return nearest_ != nullptr; }
  /// Names, or pids as text; the nearest first, 32 at most.
  [[nodiscard]] std::vector<std::string> list() const;
  /// Those of the nearest one. Only if there is one.
  [[nodiscard]] ancestry const& above() const noexcept;

 private:
  ancestor* nearest_ = nullptr;
};

/// A body that knows its ancestors; its upper_part() gives it. Threads: its own process.
class kin {
 public:
  explicit kin(ancestry ancestors) noexcept : nearest_(std::move(ancestors)) {}
  [[nodiscard]] ancestry const& ancestors() const noexcept {
    return has_children_ ? nearest_.above() : nearest_;
  }
  /// What its children have as theirs. Called from: the process. Throws: std::bad_alloc.
  ancestry const& ancestors_of_children();

 protected:
  ~kin() = default;
  /// For a body that was made by another process than the one that starts it.
  void descend_from(ancestry ancestors) noexcept {
    nearest_ = std::move(ancestors);
    has_children_ = false;
  }
  /// For a body that takes the place of another one.
  void take_family_of(kin& before) noexcept {
    nearest_ = std::move(before.nearest_);
    has_children_ = before.has_children_;
  }

 private:
  // One word, since a million servers have no child: once there is one, what its ancestors are. Our
  // own are above that.
  ancestry nearest_;
  bool has_children_ = false;
};

/// The calling process's body, without the one that gives it a name in a registry; may be null.
reactive* current_inner_body() noexcept;
/// That, if it is such a one.
kin* current_kin() noexcept;
/// What a child that is started now has as ancestors. Called from: a process, or an attached
/// thread. Throws: std::bad_alloc.
ancestry ancestors_of_a_child();

/// What a starter hands to the body of what it starts.
struct origin {
  pid parent{};         // whose exit ends it too; none if not linked to a starter
  alias_ref starter{};  // who waits for its start_ack; none: nobody does
  ancestry ancestors{};
  duration hibernate_after = infinity;
  /// Copied by a body that can be debugged, if it says anything. Lives as long as the start; null:
  /// nothing is said.
  debug_options const* debug = nullptr;
};

}  // namespace otter::detail
