#pragma once

// secret.hpp - a string that must not be seen: a password, or a key derived from one.
//
// It is wiped when it goes, never copied by accident, and prints as `<secret>`. The bytes live on
// the heap only, because a moved-from std::string keeps a short text in its own body.

#include <cstddef>
#include <cstring>
#include <memory>
#include <ostream>
#include <string_view>
#include <utility>

namespace chat {

/// Overwrites `size` bytes so that the compiler cannot leave it out. Throws: never.
inline void wipe(void* bytes, std::size_t size) noexcept {
  auto volatile* at = static_cast<unsigned char volatile*>(bytes);
  for (std::size_t i = 0; i < size; ++i) at[i] = 0;
}

class secret {
 public:
  using otter_sensitive = void;  // so do otter's logs and traces

  secret() = default;
  explicit secret(std::string_view bytes) : secret(bytes.size()) {
    if (size_ != 0) std::memcpy(bytes_.get(), bytes.data(), size_);
  }
  /// `size` zero bytes, to be filled through data().
  explicit secret(std::size_t size) : bytes_{std::make_unique<char[]>(size)}, size_{size} {}

  secret(secret&& other) noexcept
      : bytes_{std::move(other.bytes_)}, size_{std::exchange(other.size_, 0)} {}
  secret& operator=(secret&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  secret(secret const&) = delete;
  secret& operator=(secret const&) = delete;
  ~secret() {
    if (bytes_) wipe(bytes_.get(), size_);
  }

  [[nodiscard]] secret copy() const { return secret{view()}; }
  [[nodiscard]] char* data() noexcept { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.get(), size_}; }

  friend std::ostream& operator<<(std::ostream& out, secret const&) { return out << "<secret>"; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace chat
