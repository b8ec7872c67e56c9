#pragma once

// otter/ref.hpp - the names of things that a process has asked for.
//
//   otter::ref           names one such thing: the family
//   otter::monitor_ref   names one monitor
//   otter::alias_ref     names one alias; it can be sent to
//   otter::timer_ref     names one timer
//   otter::request_id    names one request that was sent and not yet answered
//   otter::from          who called, and which call it was: what a reply needs
//
// A ref is never an integer and never a pointer. Each kind converts to `ref`, and none to
// another kind. Two refs are equal if they name the same thing, whatever their kind says.

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <otter/detail/text_formatter.hpp>
#include <otter/pid.hpp>
#include <string>
#include <type_traits>

namespace otter {

namespace rts {
struct ref_access;
}

/// Names one monitor, alias, call, timer or request of the process that owns it.
///
/// Numbers are handed out by each process for itself, so that making a ref touches no shared
/// memory. No ref returns within a node's life; holding an old one is harmless. A default
/// ref names nothing and is false.
class ref {
 public:
  constexpr ref() noexcept = default;

  /// The process that asked for the thing that this names.
  [[nodiscard]] constexpr pid owner() const noexcept { return owner_; }

  constexpr explicit operator bool() const noexcept { return id_ != 0; }

  friend constexpr bool operator==(const ref&, const ref&) noexcept = default;
  friend constexpr std::strong_ordering operator<=>(const ref&, const ref&) noexcept = default;

 private:
  friend struct rts::ref_access;
  friend struct std::hash<ref>;

  constexpr ref(pid owner, std::uint64_t id) noexcept : owner_{owner}, id_{id} {}

  pid owner_;
  std::uint64_t id_ = 0;  // 0 names nothing
};

/// Names one monitor. See otter/monitor.hpp.
class monitor_ref : public ref {
 public:
  constexpr monitor_ref() noexcept = default;
  constexpr explicit monitor_ref(ref name) noexcept : ref{name} {}
};

/// Names one alias: a destination that delivers to its owner while it is active.
class alias_ref : public ref {
 public:
  constexpr alias_ref() noexcept = default;
  constexpr explicit alias_ref(ref name) noexcept : ref{name} {}
};

/// Names one timer.
class timer_ref : public ref {
 public:
  constexpr timer_ref() noexcept = default;
  constexpr explicit timer_ref(ref name) noexcept : ref{name} {}
};

/// Names one request whose response its sender still expects.
class request_id : public ref {
 public:
  constexpr request_id() noexcept = default;
  constexpr explicit request_id(ref name) noexcept : ref{name} {}
};

/// Who called, and which of its calls this was.
///
/// Handed to a server with each call. A plain value: it may be stored, copied and sent on, and
/// any process may answer with it. The first reply counts, later ones are dropped.
class from {
 public:
  constexpr from() noexcept = default;
  constexpr explicit from(ref call) noexcept : call_{call} {}

  [[nodiscard]] constexpr pid caller() const noexcept { return call_.owner(); }

  /// Names the call. Useful as a key while the reply is outstanding.
  [[nodiscard]] constexpr ref call() const noexcept { return call_; }

  constexpr explicit operator bool() const noexcept { return static_cast<bool>(call_); }

  friend constexpr bool operator==(const from&, const from&) noexcept = default;
  friend constexpr std::strong_ordering operator<=>(const from&, const from&) noexcept = default;

 private:
  ref call_;
};

static_assert(sizeof(ref) == 24 && sizeof(monitor_ref) == 24 && sizeof(from) == 24);
static_assert(std::is_trivially_copyable_v<monitor_ref> && std::is_trivially_copyable_v<from>);

/// `#<node.index.generation>.id`. Called from: any thread. Blocks: never. Throws: std::bad_alloc.
[[nodiscard]] std::string to_string(const ref& name);
[[nodiscard]] std::string to_string(const from& caller);

namespace detail {
/// As pid_text() in otter/pid.hpp.
inline constexpr std::size_t max_ref_text = 80;
std::size_t ref_text(const ref& name, char* out) noexcept;
}  // namespace detail

}  // namespace otter

template <>
struct std::hash<otter::ref> {
  std::size_t operator()(const otter::ref& r) const noexcept {
    return static_cast<std::size_t>(
        otter::detail::mix_bits(std::hash<otter::pid>{}(r.owner_) ^ r.id_));
  }
};

template <std::derived_from<otter::ref> Ref>
struct std::hash<Ref> : std::hash<otter::ref> {};

template <>
struct std::hash<otter::from> {
  std::size_t operator()(const otter::from& f) const noexcept {
    return std::hash<otter::ref>{}(f.call());
  }
};
template <std::derived_from<otter::from> From>
struct std::hash<From> : std::hash<otter::from> {};

template <>
struct fmt::formatter<otter::ref> : otter::detail::text_formatter<otter::ref> {};

template <std::derived_from<otter::ref> Ref>
struct fmt::formatter<Ref> : fmt::formatter<otter::ref> {};

template <>
struct fmt::formatter<otter::from> : otter::detail::text_formatter<otter::from> {};
template <std::derived_from<otter::from> From>
struct fmt::formatter<From> : fmt::formatter<otter::from> {};
