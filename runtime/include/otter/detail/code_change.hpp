#pragma once

// otter/detail/code_change.hpp - what the runtime does for a process that goes on in another
// version of its module. The room above brings its state there: otter/code_change.hpp.
//
//   otter::detail::module_class      a class that a version of a module lists as a behaviour
//   otter::detail::class_of_body()   that of the calling process's body
//   otter::detail::current_class()   that of the same name in the current version
//   otter::detail::prepared_class()  and in one that is prepared, for a trial
//   otter::detail::replace_body()    the process goes on with another body

#include <otter/reactive.hpp>
#include <string>
#include <string_view>

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

}  // namespace otter::detail
