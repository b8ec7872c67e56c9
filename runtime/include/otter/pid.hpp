#pragma once

// otter/pid.hpp - the name of one process.
//
//   otter::pid   names one process; a value of 16 bytes that keeps nothing alive
//
// A pid is no pointer: the process may have ended, and sending to it then does
// nothing. To learn of the end, see otter/monitor.hpp.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <otter/detail/text_formatter.hpp>
#include <string>
#include <type_traits>

namespace otter {

namespace rts {
struct pid_access;  // the runtime's inside, which alone makes pids and takes them apart
}

/// Names one process, alive or not.
///
/// Made by spawning only. No pid returns within a node's life, so an old one is
/// harmless. A default pid names no process and is false; sending to it does
/// nothing, monitoring it answers `noproc`. The order of pids is by value and
/// means nothing.
class pid {
 public:
  constexpr pid() noexcept = default;

  /// True if this names a process, whether or not it still lives.
  constexpr explicit operator bool() const noexcept { return bits_ != 0; }

  friend constexpr bool operator==(const pid&, const pid&) noexcept = default;
  friend constexpr std::strong_ordering operator<=>(const pid&, const pid&) noexcept = default;

 private:
  friend struct rts::pid_access;
  friend struct std::hash<pid>;

  // The low 28 bits are the slot in the node's process table, the other 36 the
  // generation of that slot: the 64 bits that Erlang's wire has for a process.
  static constexpr unsigned index_bits = 28;

  constexpr pid(std::uint32_t node, std::uint64_t bits) noexcept : node_{node}, bits_{bits} {}

  std::uint32_t node_ = 0;  // index in the directory of live nodes; 0 is no node
  std::uint64_t bits_ = 0;  // generations start at 1, so 0 names no process
};

static_assert(sizeof(pid) == 16 && std::is_trivially_copyable_v<pid>);

/// `<node.index.generation>`, as in log lines. Called from: any thread. Blocks: never.
/// Throws: std::bad_alloc.
[[nodiscard]] std::string to_string(pid process);

namespace detail {
/// Writes the text of `process` to `out`, which holds at least max_pid_text characters, and
/// gives its length. Not terminated by a zero.
inline constexpr std::size_t max_pid_text = 48;
std::size_t pid_text(pid process, char* out) noexcept;

/// The finishing step of splitmix64: spreads bits that differ little over a whole hash.
constexpr std::uint64_t mix_bits(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9U;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebU;
  x ^= x >> 31;
  return x;
}
}  // namespace detail

}  // namespace otter

template <>
struct std::hash<otter::pid> {
  std::size_t operator()(const otter::pid& p) const noexcept {
    return static_cast<std::size_t>(
        otter::detail::mix_bits(p.bits_ + (std::uint64_t{p.node_} << 56)));
  }
};

template <>
struct fmt::formatter<otter::pid> : otter::detail::text_formatter<otter::pid> {};
