#pragma once

// otter/exit_reason.hpp - why a process ended.
//
//   otter::exit_kind      the closed set of kinds
//   otter::exit_reason    a kind and, for some, what goes with it; comparable, printable, copyable
//   otter::process_exit   what otter::exit() throws: catchable, and no std::exception
//
// `normal`, `shutdown` and `shutdown` with something are *normal* ends; everything else is
// *abnormal* and is what supervisors and links act upon. `kill` is the order, `killed` is what is
// left of the process that it was given to.

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <otter/detail/text_formatter.hpp>
#include <otter/type_descriptor.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter {

enum class exit_kind : std::uint8_t {
  normal,            // fell off the end, or said so
  shutdown,          // asked to end by its supervisor
  shutdown_with,     // the same, with a text or a payload
  kill,              // as a reason: somebody's exit(kill), passed along a link
  killed,            // ended by an untrappable kill
  noproc,            // no such process
  noconnection,      // the other node is gone
  timeout,           // no answer in time
  mailbox_full,      // its limit was reached
  calling_self,      // a call to oneself would never be answered
  busy,              // refused: too much is waiting there
  system_limit,      // no memory, no stack, no free slot
  bad_return_value,  // a callback returned what its behaviour does not know
  abandoned,         // did not obey a kill in time
  error,             // an exception left the process
  nocatch,           // a result was thrown where nothing takes it
  user,              // a payload of the program's own
  call_failed,       // a call failed: why, and what was called
};

[[nodiscard]] std::string_view to_string(exit_kind kind) noexcept;

class exit_reason;

namespace rts {
bool print_payload(text_sink& out, const exit_reason& reason);
}

namespace detail {

struct exit_detail;  // immutable, counted; in exit_reason.cpp

template <class T>
concept exit_payload = std::copy_constructible<T> && comparable<T> && printable<T>;

}  // namespace detail

/// Why a process ended.
///
/// Two reasons are equal if kind, type name, text and payload are equal. The place and the
/// backtrace of an error never count. Copies share one immutable detail.
///
/// None of the functions that make a reason fails for lack of memory: what cannot be stored is
/// replaced by a note that says so, and the kind is kept.
///
/// Threads: like shared_ptr. Different copies may be used by different threads.
class exit_reason {
 public:
  /// The longest text that a reason keeps, in bytes; a longer one ends in "...".
  static constexpr std::size_t max_text = 1024;
  /// How deeply nested exceptions and failed calls are told apart.
  static constexpr std::size_t max_depth = 8;

  constexpr exit_reason() noexcept = default;  // normal
  exit_reason(const exit_reason& other) noexcept : detail_{other.detail_}, kind_{other.kind_} {
    if (detail_ != nullptr) retain(detail_);
  }
  exit_reason(exit_reason&& other) noexcept
      : detail_{std::exchange(other.detail_, nullptr)},
        kind_{std::exchange(other.kind_, exit_kind::normal)} {}
  exit_reason& operator=(exit_reason other) noexcept {
    std::swap(detail_, other.detail_);
    std::swap(kind_, other.kind_);
    return *this;
  }
  constexpr ~exit_reason() {
    if (detail_ != nullptr) release(detail_);
  }

  // --- making one ---

  [[nodiscard]] static exit_reason normal() noexcept { return exit_reason{exit_kind::normal}; }
  [[nodiscard]] static exit_reason shutdown() noexcept { return exit_reason{exit_kind::shutdown}; }
  [[nodiscard]] static exit_reason kill() noexcept { return exit_reason{exit_kind::kill}; }
  [[nodiscard]] static exit_reason killed() noexcept { return exit_reason{exit_kind::killed}; }
  [[nodiscard]] static exit_reason noproc() noexcept { return exit_reason{exit_kind::noproc}; }
  [[nodiscard]] static exit_reason noconnection() noexcept {
    return exit_reason{exit_kind::noconnection};
  }
  [[nodiscard]] static exit_reason timeout() noexcept { return exit_reason{exit_kind::timeout}; }
  [[nodiscard]] static exit_reason mailbox_full() noexcept {
    return exit_reason{exit_kind::mailbox_full};
  }
  [[nodiscard]] static exit_reason calling_self() noexcept {
    return exit_reason{exit_kind::calling_self};
  }
  [[nodiscard]] static exit_reason busy() noexcept { return exit_reason{exit_kind::busy}; }
  [[nodiscard]] static exit_reason system_limit() noexcept {
    return exit_reason{exit_kind::system_limit};
  }
  [[nodiscard]] static exit_reason abandoned() noexcept {
    return exit_reason{exit_kind::abandoned};
  }

  /// A normal end with something to say: `shutdown` in a tuple, in OTP.
  [[nodiscard]] static exit_reason shutdown(std::string_view text) noexcept {
    return with_text(exit_kind::shutdown_with, text);
  }
  template <class T>
  requires(!std::convertible_to<T, std::string_view> &&
           detail::exit_payload<std::remove_cvref_t<T>>) [[nodiscard]] static exit_reason
      shutdown(T&& payload) {
    return with_payload(exit_kind::shutdown_with, std::forward<T>(payload));
  }

  [[nodiscard]] static exit_reason system_limit(std::string_view what) noexcept {
    return with_text(exit_kind::system_limit, what);
  }
  /// Refused, with the numbers that decided. Programs compare the kind: the text is for people.
  [[nodiscard]] static exit_reason busy(std::string_view what) noexcept {
    return with_text(exit_kind::busy, what);
  }
  [[nodiscard]] static exit_reason bad_return_value(std::string_view value) noexcept {
    return with_text(exit_kind::bad_return_value, value);
  }
  [[nodiscard]] static exit_reason nocatch(std::string_view value) noexcept {
    return with_text(exit_kind::nocatch, value);
  }

  /// An error that was no exception. `type` and `text` count in comparisons, `place` does not.
  [[nodiscard]] static exit_reason error(std::string_view type, std::string_view text,
                                         std::string_view place = {}) noexcept;

  /// A reason of the program's own: a value that can be copied, compared and printed. A plain
  /// struct can, field by field. Throws: what moving the payload throws.
  template <class T>
  requires(!std::convertible_to<T, std::string_view> &&
           detail::exit_payload<std::remove_cvref_t<T>>) [[nodiscard]] static exit_reason
      of(T&& payload) {
    return with_payload(exit_kind::user, std::forward<T>(payload));
  }
  [[nodiscard]] static exit_reason of(std::string_view text) noexcept {
    return with_text(exit_kind::user, text);
  }

  /// A call failed: `why`, and `called` says what was called. GC-7.
  [[nodiscard]] static exit_reason call_failed(exit_reason why, std::string_view called) noexcept;

  /// What an exception that left a process means for it.
  ///
  /// A process_exit gives the reason that it carries. Anything else is an `error`: its dynamic
  /// type, what() if it has one, and what is nested in it. `place` says where, for people;
  /// `backtrace` is copied.
  [[nodiscard]] static exit_reason from_exception(std::exception_ptr exception,
                                                  std::string_view place = {},
                                                  std::span<void* const> backtrace = {}) noexcept;

  /// The same for the exception that is being handled. Called from: a catch block.
  [[nodiscard]] static exit_reason from_current_exception(
      std::string_view place = {}, std::span<void* const> backtrace = {}) noexcept;

  // --- looking at one ---

  [[nodiscard]] constexpr exit_kind kind() const noexcept { return kind_; }

  /// True for normal, shutdown, and shutdown with something.
  [[nodiscard]] constexpr bool is_normal_exit() const noexcept {
    return kind_ <= exit_kind::shutdown_with;
  }
  [[nodiscard]] constexpr bool abnormal() const noexcept { return !is_normal_exit(); }

  /// The payload, if there is one of this type; else null. Lives as long as this reason.
  template <class T>
  [[nodiscard]] const T* get() const noexcept {
    const type_descriptor* type = payload_type();
    return type != nullptr && same_type(*type, descriptor_of<T>())
               ? static_cast<const T*>(payload())
               : nullptr;
  }

  /// The text that goes with it: of `shutdown` and `of` with a text, what() of an error, what was
  /// called of a failed call. Else empty.
  [[nodiscard]] std::string_view text() const noexcept;

  /// The dynamic type of an error's exception, or the type of the payload. Else empty.
  [[nodiscard]] std::string_view type_name() const noexcept;

  /// Why a call failed. For every other kind the reason itself.
  [[nodiscard]] const exit_reason& cause() const noexcept;

  /// Where an error was thrown, if it is known. Never counts in a comparison.
  [[nodiscard]] std::string_view place() const noexcept;
  [[nodiscard]] std::span<void* const> backtrace() const noexcept;

  /// The same for people, with the payload's code no longer needed: a payload is replaced by its
  /// type name and text. For a reason that outlives the module that its payload's type is from.
  [[nodiscard]] exit_reason without_payload() const noexcept;

  friend bool rts::print_payload(text_sink& out, const exit_reason& reason);
  friend struct detail::exit_detail;

  friend bool operator==(const exit_reason& a, const exit_reason& b) noexcept {
    return a.kind_ == b.kind_ && (a.detail_ == b.detail_ || equal(a, b));
  }
  /// Compares the kind and nothing else.
  friend constexpr bool operator==(const exit_reason& reason, exit_kind kind) noexcept {
    return reason.kind_ == kind;
  }

 private:
  constexpr explicit exit_reason(exit_kind kind) noexcept : kind_{kind} {}
  exit_reason(exit_kind kind, detail::exit_detail* detail) noexcept
      : detail_{detail}, kind_{kind} {}

  static exit_reason with_text(exit_kind kind, std::string_view text) noexcept;

  template <class T>
  static exit_reason with_payload(exit_kind kind, T&& payload) {
    using value_type = std::remove_cvref_t<T>;
    value_type copy(std::forward<T>(payload));
    return with_moved(kind, descriptor_of<value_type>(), std::addressof(copy));
  }
  static exit_reason with_moved(exit_kind kind, const type_descriptor& type, void* payload);

  static void retain(detail::exit_detail* detail) noexcept;
  static void release(detail::exit_detail* detail) noexcept;
  static bool equal(const exit_reason& a, const exit_reason& b) noexcept;

  [[nodiscard]] const type_descriptor* payload_type() const noexcept;
  [[nodiscard]] const void* payload() const noexcept;

  detail::exit_detail* detail_ = nullptr;  // null for the kinds that need nothing
  exit_kind kind_ = exit_kind::normal;
};

static_assert(sizeof(exit_reason) <= 16);

/// One line, for people: bounded, and free to improve. Programs compare reasons instead.
///
/// Called from: any thread. Blocks: never. Throws: std::bad_alloc.
[[nodiscard]] std::string to_string(const exit_reason& reason);

/// What otter::exit(reason) throws. It may be caught, and then the process goes on. Not derived
/// from std::exception, so that a handler for errors does not take an end for one.
class [[gnu::visibility("default")]] process_exit {
 public:
  explicit process_exit(exit_reason reason) noexcept : reason_{std::move(reason)} {}

  [[nodiscard]] const exit_reason& reason() const noexcept { return reason_; }

 private:
  exit_reason reason_;
};

}  // namespace otter

template <>
struct fmt::formatter<otter::exit_kind> : otter::detail::text_formatter<otter::exit_kind> {};

template <>
struct fmt::formatter<otter::exit_reason> : otter::detail::text_formatter<otter::exit_reason> {};
