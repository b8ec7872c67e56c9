#pragma once

// stacks/stack.hpp - one stack: where it lies, and what must be remembered while nothing runs on
// it.
//
//   stack_class   the sizes that are kept in slabs, and `exact` for every other
//   stack         one mapped stack with its saved context
//   stack_size()  bytes of a class in this build
//
// Stacks come from a stack_pool (one per worker) and behind it a stack_source (one per node). How
// to run on one: switch.hpp. How deep it was used: depth.hpp. The whole story: doc/stacks.md.

#include <cstddef>
#include <cstdint>

namespace otter::rts {

/// Sizes as reserved, guard page included. Builds with ASan or TSan have frames that are 2 to 4
/// times larger, so there every size is four times what is written here.
enum class stack_class : std::uint8_t {
  small,   ///< 64 KiB
  medium,  ///< 256 KiB
  large,   ///< 1 MiB
  exact,   ///< as many usable bytes as asked for
};
inline constexpr std::size_t stack_class_count = 4;

/// How an overflow of a stack is noticed; see guard.hpp.
enum class guard_kind : std::uint8_t {
  none,        ///< the OS thread's own stack: not ours to guard
  marker,      ///< MADV_GUARD_INSTALL: costs no mapping
  protection,  ///< mprotect: splits the mapping, and those are limited
  canary,      ///< a word that is compared at each switch: noticed late, but noticed
};

/// What a function looks like that is the first on its stack. It never returns.
using stack_entry = void (*)(void* argument) noexcept;

/// Bytes that a stack of class `kind` takes in its slab, guard page included; 0 for `exact`.
std::size_t stack_size(stack_class kind) noexcept;

/// 4 in builds with ASan or TSan, else 1: by how much sizes are larger than asked for.
std::size_t stack_size_factor() noexcept;

/// "small", "medium", "large", "exact".
char const* to_string(stack_class kind) noexcept;

struct stack_slab;
struct stack_access;

/// One mapped stack.
///
/// Ownership: the source owns it for ever and lends it. The object is not on the stack that it
///            describes: it sits in the header block of its slab, so that an overflow cannot damage
///            it, and header blocks are reused but never freed, so that the crash handler may read
///            one at any time.
/// Threads:   one at a time: who took it from a source or pool. A stack with a context belongs to
///            the OS thread on which that context was suspended and must be continued there.
/// Invariant: has_context() while something waits on it or could be started on it; not while it
///            runs, and not while it was never used.
class stack {
 public:
  std::byte* low() const noexcept { return low_; }    ///< lowest usable byte, above the guard
  std::byte* high() const noexcept { return high_; }  ///< one past the highest
  std::size_t size() const noexcept { return static_cast<std::size_t>(high_ - low_); }
  stack_class kind() const noexcept { return kind_; }
  guard_kind guard() const noexcept { return guard_; }

  /// Something can be continued here: a switch_to() will do. Otherwise make_context() comes first.
  bool has_context() const noexcept { return context_ != nullptr; }

  stack* next = nullptr;  ///< for the lists of whoever owns it at the moment
  void* owner = nullptr;  ///< the scheduler's: the worker whose thread frames wait on

  stack(stack const&) = delete;
  stack& operator=(stack const&) = delete;

 protected:
  stack() noexcept = default;
  ~stack() = default;

 private:
  friend struct stack_access;  // this room's own sources

  // Constant between mapping and unmapping.
  std::byte* low_ = nullptr;
  std::byte* high_ = nullptr;
  stack_slab* slab_ = nullptr;
  stack_class kind_ = stack_class::exact;
  guard_kind guard_ = guard_kind::none;
  bool painted_ = false;

  // Belong to the thread that switches.
  void* context_ = nullptr;  // the fcontext; null while running and when never used
  void* thread_ = nullptr;   // names the OS thread that it has run on; null when never used
  void* caught_ = nullptr;   // the two words of __cxa_get_globals()
  unsigned int uncaught_ = 0;
  unsigned int valgrind_id_ = 0;
  std::byte* deepest_ = nullptr;  // lowest stack pointer seen; high_: none yet
  std::byte* left_at_ = nullptr;  // frame of the last switch away
  stack_entry entry_ = nullptr;
  void* argument_ = nullptr;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  void* fiber_ = nullptr;       // ThreadSanitizer's
};

}  // namespace otter::rts
