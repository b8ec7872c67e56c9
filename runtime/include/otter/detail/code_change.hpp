#pragma once

// otter/detail/code_change.hpp - what the runtime does for a process that goes on in another
// version of its module. The room above brings its state there: otter/code_change.hpp.
//
//   otter::detail::module_class      a class that a version of a module lists as a behaviour
//   otter::detail::class_of_body()   that of the calling process's body
//   otter::detail::current_class()   that of the same name in the current version
//   otter::detail::prepared_class()  and in one that is prepared, for a trial
//   otter::detail::replace_body()    the process goes on with another body
//   otter::detail::class_of_part()   that of something that a process has beside its body
//   otter::detail::part_use          by which it uses that version too

#include <optional>
#include <otter/pid.hpp>
#include <otter/reactive.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter::code {
class prepared;
}

namespace otter::detail {

struct module_class {
  void const* behaviour;  // module_entry::behaviour
  std::string module;
  std::string version;
};

/// Called from: the process. Blocks: never. Throws: error(undef) if the body is of no module, or
/// its module does not list the class.
module_class class_of_body(std::string_view name);
/// Called from: a process. Blocks: never. Throws: error(undef).
module_class current_class(std::string_view module, std::string_view name);
/// The class stays callable, whatever becomes of the set.
/// Called from: a process. Blocks: never. Throws: error(undef), also if the set is no more.
module_class prepared_class(code::prepared const& set, std::string_view module,
                            std::string_view name);

/// A body that another one has replaced. Its functions may still be on the stack: it is destroyed
/// when the event has been handled, with the message that holds this, by the runtime.
class retired_body {
 public:
  retired_body() noexcept = default;
  explicit retired_body(reactive_ptr body) noexcept : body_(std::move(body)) {}
  retired_body(retired_body&&) noexcept = default;
  retired_body& operator=(retired_body&&) noexcept = default;
  ~retired_body();

 private:
  reactive_ptr body_;
};

/// `next` takes the place of the calling process's body, or of the innermost one of those that wrap
/// one another; from now on the process uses the version that `next` is from, and not the other
/// one. Everything else of the process is as it was.
///
/// Called from: the process, in an event. Blocks: never.
/// Throws: std::bad_alloc; error(undef) if that version was purged; then nothing has changed.
retired_body replace_body(reactive_ptr next);

/// Of the version that `code` is an address in; none if it is in no module. Its `behaviour` is null
/// if the class is not listed. Called from: a process. Blocks: never.
std::optional<module_class> class_of_part(void const* code, std::string_view name);

/// The address of the code of an object with virtual functions: their table, its first word.
template <class T>
void const* code_of_object(T const& object) noexcept {
  static_assert(std::is_polymorphic_v<T>);
  return *static_cast<void const* const*>(dynamic_cast<void const*>(&object));
}

/// Something that a module has made for a process whose body is not of it: a handler, a list of
/// children. While it lives, the process uses that version, as by its body.
///
/// Ownership: of one place among the version's users. Threads: the process's.
class part_use {
 public:
  /// None.
  part_use() noexcept = default;
  /// Of the module that `code` is an address in, if it is in one. Called from: the process.
  /// Throws: error(undef) if that version was purged; std::bad_alloc.
  explicit part_use(void const* code);
  part_use(part_use&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), version_(other.version_), who_(other.who_) {}
  part_use& operator=(part_use&& other) noexcept {
    std::swap(table_, other.table_);
    std::swap(version_, other.version_);
    std::swap(who_, other.who_);
    return *this;
  }
  ~part_use();

 private:
  void* table_ = nullptr;
  void* version_ = nullptr;
  pid who_{};
};

}  // namespace otter::detail
