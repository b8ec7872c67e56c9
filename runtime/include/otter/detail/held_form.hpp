#pragma once

// otter/detail/held_form.hpp - who can take a value apart whose type has another layout here. The
// room above does it: otter/detail/message_change.hpp.
//
//   otter::detail::held_form              the form of a type, of whatever version of a module
//   otter::detail::answers_of_one_name()  two types that requests of one name are answered with
//   otter::detail::add_forms()            forms of the program itself

#include <otter/detail/module_table.hpp>
#include <otter/type_descriptor.hpp>
#include <span>

namespace otter::detail {

/// The form of one type, from any version of any module of the node that lists it and is mapped,
/// also of one that was purged: types of one key have one layout. The version that it is from stays
/// mapped while this lives. A purge does not wait for it: nobody runs that version's behaviours.
///
/// Ownership: of a count in the version. Threads: its own.
class held_form {
 public:
  /// Empty if nobody lists the type. Called from: a process, or an attached thread. Blocks: never.
  explicit held_form(type_descriptor const& type);
  held_form(held_form const&) = delete;
  held_form& operator=(held_form const&) = delete;
  ~held_form();

  explicit operator bool() const noexcept { return form_ != nullptr; }
  type_form const* operator->() const noexcept { return form_; }

 private:
  type_form const* form_ = nullptr;
  void* version_ = nullptr;  // null: the program's
};

/// Whether some version answers a request with `a`, and some version one of that name with `b`.
/// Called from: as held_form. Blocks: never.
bool answers_of_one_name(type_descriptor const& a, type_descriptor const& b);

/// The program can do that too. Twice is once.
/// Called from: a process. Blocks: never. Throws: std::bad_alloc; error(badarg) if they are of a
/// module, which has OTTER_MODULE for it.
void add_forms(std::span<type_form const> forms);

}  // namespace otter::detail
