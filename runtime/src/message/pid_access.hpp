#pragma once

// message/pid_access.hpp - making pids and refs, and taking them apart.
//
//   make_pid(), node_of(), index_of(), generation_of()   the parts of a pid
//   make_ref(), id_of()                                  the parts of a ref
//
// Only the runtime's inside includes this. The layout that it relies on is the one in
// otter/pid.hpp: 28 bits of index below 36 bits of generation.

#include <cstdint>
#include <otter/pid.hpp>
#include <otter/ref.hpp>

namespace otter::rts {

inline constexpr std::uint32_t max_process_index = (std::uint32_t{1} << 28) - 1;
inline constexpr std::uint64_t max_process_generation = (std::uint64_t{1} << 36) - 1;

struct pid_access {
  static constexpr pid make(std::uint32_t node, std::uint64_t bits) noexcept {
    return pid{node, bits};
  }
  static constexpr std::uint32_t node(pid p) noexcept { return p.node_; }
  static constexpr std::uint64_t bits(pid p) noexcept { return p.bits_; }
  static constexpr unsigned index_bits = pid::index_bits;
};

struct ref_access {
  static constexpr ref make(pid owner, std::uint64_t id) noexcept { return ref{owner, id}; }
  static constexpr std::uint64_t id(const ref& r) noexcept { return r.id_; }
};

/// `index` is at most max_process_index; `generation` starts at 1.
[[nodiscard]] constexpr pid make_pid(std::uint32_t node, std::uint32_t index,
                                     std::uint64_t generation) noexcept {
  return pid_access::make(node, (generation << pid_access::index_bits) | index);
}
[[nodiscard]] constexpr std::uint32_t node_of(pid p) noexcept { return pid_access::node(p); }
[[nodiscard]] constexpr std::uint32_t index_of(pid p) noexcept {
  return static_cast<std::uint32_t>(pid_access::bits(p)) & max_process_index;
}
[[nodiscard]] constexpr std::uint64_t generation_of(pid p) noexcept {
  return pid_access::bits(p) >> pid_access::index_bits;
}

/// `id` starts at 1, since 0 names nothing.
[[nodiscard]] constexpr ref make_ref(pid owner, std::uint64_t id) noexcept {
  return ref_access::make(owner, id);
}
[[nodiscard]] constexpr std::uint64_t id_of(const ref& r) noexcept { return ref_access::id(r); }

}  // namespace otter::rts
