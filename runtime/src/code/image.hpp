#pragma once

// code/image.hpp - one version of a module in memory.
//
//   checked_file   a private copy of a module's file, checked
//   image          that in memory, to the end of the OS process or until it is unmapped
//
// The dynamic loader knows a library by its path, its soname and its inode: the same file loaded
// twice would be one library. So each load has a file of its own, and what is checked is what is
// loaded, whatever happens to the original meanwhile.

#include <cstddef>
#include <cstdint>
#include <otter/code.hpp>
#include <otter/detail/module_table.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "code/module_file.hpp"

namespace otter::rts {

/// A private copy of a module's file that has been checked. Nobody can change it any more.
///
/// Ownership: of the copy's descriptor. Threads: one at a time.
class checked_file {
 public:
  /// Called from: a thread that may wait for the disk. Throws: std::bad_alloc.
  static code::load_result<checked_file> read(std::string file);
  static code::load_result<checked_file> read(std::span<std::byte const> content, std::string file);

  checked_file(checked_file&& other) noexcept
      : copy_(std::exchange(other.copy_, -1)),
        file_(std::move(other.file_)),
        description_(std::move(other.description_)) {}
  checked_file& operator=(checked_file&&) = delete;
  ~checked_file();

  [[nodiscard]] int copy() const noexcept { return copy_; }
  [[nodiscard]] std::string const& file() const noexcept { return file_; }
  [[nodiscard]] module_description const& description() const noexcept { return description_; }

 private:
  /// `fill(memory)` puts the content there; false with errno.
  template <class Fill>
  static code::load_result<checked_file> make(std::uint64_t size, std::string file, Fill&& fill);
  checked_file(int copy, std::string file) noexcept : copy_(copy), file_(std::move(file)) {}

  int copy_;
  std::string file_;
  module_description description_;
};

/// Ownership: the mapping is nobody's and stays, once code of it may have been handed on, until
///            somebody has seen that nothing refers to it and calls unmap().
/// Threads:   constant after map().
class image {
 public:
  /// Runs the constructors of its static objects.
  /// Called from: a thread that may wait for the disk. Throws: std::bad_alloc.
  static code::load_result<image> map(checked_file&& file);
  /// The destructors of its static objects run, and it goes. Nobody has an address in it. False:
  /// the dynamic loader keeps it all the same. With AddressSanitizer nothing comes to its place any
  /// more, so that each access there is reported. Called from: a thread that may wait.
  bool unmap() noexcept;

  [[nodiscard]] module_description const& description() const noexcept { return description_; }
  [[nodiscard]] detail::module_table const& table() const noexcept { return *table_; }
  [[nodiscard]] std::string const& file() const noexcept { return file_; }
  /// Whether code or constants of it are there.
  [[nodiscard]] bool contains(void const* address) const noexcept {
    auto const* const p = static_cast<std::byte const*>(address);
    return begin_ <= p && p < end_;
  }
  /// All of it. Other things may lie between its parts, but nothing does.
  [[nodiscard]] std::span<std::byte const> memory() const noexcept { return {begin_, end_}; }
  /// What of it can be written.
  [[nodiscard]] std::vector<std::span<std::byte const>> const& variables() const noexcept {
    return variables_;
  }

 private:
  explicit image(checked_file&& file) : file_(file.file()), description_(file.description()) {}

  std::string file_;
  module_description description_;
  std::string name_;  // by which the dynamic loader knows it
  void* handle_ = nullptr;
  detail::module_table const* table_ = nullptr;
  std::byte const* begin_ = nullptr;  // whole pages
  std::byte const* end_ = nullptr;
  std::vector<std::span<std::byte const>> variables_;
};

/// A name under which the dynamic loader has never seen anything: that of a descriptor comes back
/// when it is closed, and a library that is there already would be given for it. The same file by
/// another spelling, different for each inode: `/proc/self/fd//.///7`. Throws: std::bad_alloc.
std::string unique_path(int descriptor, std::uint64_t inode);

}  // namespace otter::rts
