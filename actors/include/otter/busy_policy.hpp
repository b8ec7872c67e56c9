#pragma once

// otter/busy_policy.hpp - when a server answers `busy` at once, instead of serving a call late.
//
//   otter::busy_policy   the public member `busy` of a gen_server or gen_statem that wants it
//   otter::busy_counts() what the calling server has refused so far
//
//     class store : public otter::gen_server<store> {
//      public:
//       static constexpr otter::busy_policy busy{.max_calls = 100,
//                                                .stale = otter::stale_calls::skip};
//
// A server that falls behind serves ever older calls, until each answer comes too late for its
// caller: it works as hard as it can, and nobody gets anything. With a policy it says no to the
// oldest calls and is on time for the rest. Who is refused gets a reason of kind `busy`, whose text
// has the numbers; whether to ask again, and when, is for the caller to decide.
//
// The member may be static and constant, or one that the constructor sets and callbacks change: it
// is looked at before each call and cast. A server without one pays nothing.
//
// Calls that a gen_statem has postponed wait like those in its mailbox, which are younger: they
// count, and are refused first.
//
// It sees what a mailbox limit (otter/spawn.hpp) does not: which messages are calls, and which
// callers have left. A mailbox limit bounds memory, since senders are refused before they send; so
// a server may have both. When to use what is told in doc/overload.md.

#include <cstdint>
#include <limits>
#include <string>

namespace otter {

/// What becomes of a call whose caller has given up: its time limit is over, or it has ended.
enum class stale_calls : unsigned char {
  serve,  ///< it is served like any other, as in OTP (GC-6)
  skip,   ///< it is not served
  clear,  ///< nor is it served, and all calls that wait behind it are refused: the queue has been
          ///< too long for one caller, so it begins anew. For callers with similar time limits
};

/// What becomes of a cast that is treated while more than max_calls calls wait.
enum class busy_casts : unsigned char { serve, drop };

struct busy_policy {
  /// As long as more calls than this wait behind a call, that call, the oldest, is refused.
  std::uint32_t max_calls = std::numeric_limits<std::uint32_t>::max();
  stale_calls stale = stale_calls::serve;
  busy_casts casts = busy_casts::serve;
};

/// What a server with a policy did not serve, since it runs.
struct busy_count {
  std::uint64_t refused = 0;        ///< calls that were answered `busy`
  std::uint64_t stale = 0;          ///< calls whose callers had left
  std::uint64_t dropped_casts = 0;  ///< casts that were not served

  friend bool operator==(busy_count const&, busy_count const&) noexcept = default;
};

/// The counts of the calling server. sys::get_status() shows them too.
///
/// Called from: a server. Blocks: never. Exits: never. Throws: never.
[[nodiscard]] busy_count busy_counts() noexcept;

}  // namespace otter
