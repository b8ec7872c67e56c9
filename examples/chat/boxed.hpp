#pragma once

// boxed.hpp - a value on the heap, or none: for the parts of a session that few sessions have.
//
// Unlike a std::unique_ptr, whose type says nothing about what it points to, it shows its content
// to otter's layout digest: a session goes on in another version of its module with what is in the
// box only if that is laid out the same in both.

#include <memory>
#include <utility>

namespace chat {

template <class T>
class boxed {
 public:
  boxed() noexcept = default;

  [[nodiscard]] explicit operator bool() const noexcept { return value_ != nullptr; }
  T& operator*() const noexcept { return *value_; }
  T* operator->() const noexcept { return value_.get(); }

  /// A new value, made of its defaults. Throws: std::bad_alloc.
  T& fill() { return *(value_ = std::make_unique<T>()); }
  void clear() noexcept { value_.reset(); }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace chat
