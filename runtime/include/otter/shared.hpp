#pragma once

// otter/shared.hpp - one immutable value for many receivers.
//
//   otter::shared<T>      refers to it; copying copies the reference
//   otter::share(value)   makes one
//
// A message is moved to one receiver. To send a large value to a thousand, share it: they all read
// the same bytes. A receive that takes `const T&` matches it as it matches a T of its own.

#include <atomic>
#include <cstdint>
#include <memory>
#include <otter/reflection.hpp>
#include <type_traits>
#include <utility>

namespace otter {

/// Refers to an immutable T that all copies share.
///
/// Never empty, but for one that was moved from: that may be destroyed and assigned to, no more.
///
/// Ownership: counted by the copies; the last one destroys the value, in whatever process it is.
/// Threads:   copies may be used by different threads: the value is const.
/// Ordering:  [H1] all uses of the value happen before its destruction.
template <class T>
class shared {
  static_assert(std::is_object_v<T> && !std::is_const_v<T> && !std::is_array_v<T>,
                "share a value type: it becomes const by itself");

 public:
  using element_type = T;

  shared(const shared& other) noexcept : block_{other.block_} {
    // Relaxed: whoever copies has a reference, so the count cannot be falling to zero.
    if (block_ != nullptr) block_->count.fetch_add(1, std::memory_order_relaxed);
  }
  shared(shared&& other) noexcept : block_{std::exchange(other.block_, nullptr)} {}
  shared& operator=(shared other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~shared() {
    // [H1] release: our uses come before; acquire: the last one sees everybody's.
    if (block_ != nullptr && block_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete block_;
    }
  }

  [[nodiscard]] const T& get() const noexcept { return block_->value; }
  [[nodiscard]] const T& operator*() const noexcept { return block_->value; }
  [[nodiscard]] const T* operator->() const noexcept { return std::addressof(block_->value); }
  operator const T&() const noexcept { return block_->value; }

  /// By value, and at once if both refer to one.
  friend bool operator==(const shared& a, const shared& b) requires detail::comparable<T> {
    return a.block_ == b.block_ ||
           (a.block_ != nullptr && b.block_ != nullptr && detail::equal_values(*a, *b));
  }

 private:
  template <class Value>
  friend shared<std::remove_cvref_t<Value>> share(Value&& value);

  struct block {
    template <class... Arguments>
    explicit block(Arguments&&... arguments) : value(std::forward<Arguments>(arguments)...) {}

    std::atomic<std::uint32_t> count{1};
    const T value;
  };

  explicit shared(block* made) noexcept : block_{made} {}

  block* block_;
};

/// Moves or copies `value` to where it can be shared.
///
/// Called from: any thread. Blocks: never. Throws: std::bad_alloc, and what moving T throws.
template <class Value>
[[nodiscard]] shared<std::remove_cvref_t<Value>> share(Value&& value) {
  using result = shared<std::remove_cvref_t<Value>>;
  return result{new typename result::block(std::forward<Value>(value))};
}

namespace detail {
/// Whether T is a shared<U>, which is matched as a `const U&`.
template <class T>
inline constexpr bool is_shared = false;
template <class T>
inline constexpr bool is_shared<shared<T>> = true;
}  // namespace detail

}  // namespace otter
