#pragma once

// otter/detail/succession.hpp - one process's way from one version of its class to another, between
// the two modules and the host. Each function of a module is called through a pointer that its own
// code made, and throws nothing but the unwinding token.

#include <cstdint>
#include <memory>
#include <otter/detail/code_change.hpp>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <otter/reactive.hpp>
#include <otter/type_descriptor.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter::detail {

struct plain_value;
struct misfit;
class behaviour_core;

/// A field of the state that is left, as the module describes it that it is from.
struct state_field {
  std::string_view name;
  type_descriptor const* type;
  void* value;
  bool (*to_plain)(void const* from, plain_value& to, misfit& why);
};

/// The present state of a gen_statem that is left.
struct left_machine_state {
  std::string_view name{};                // of a gen_server: empty
  type_descriptor const* type = nullptr;  // null: an enumerator
  void* value = nullptr;
  std::vector<state_field> fields{};  // of that type
};

inline state_field const* find_field(std::vector<state_field> const& fields,
                                     std::string_view name) noexcept {
  for (state_field const& f : fields)
    if (f.name == name) return &f;
  return nullptr;
}

/// What one change is made of. Lives in the process, while it is changed.
class succession {
 public:
  succession(any_message& given, std::string from, std::string to)
      : extra(given), from_version(std::move(from)), to_version(std::move(to)) {}

  any_message& extra;  // what the asker gave for the hook; false if nothing
  std::string from_version;
  std::string to_version;
  std::vector<state_field> fields;
  left_machine_state state;

  [[nodiscard]] state_field const* find(std::string_view name) const noexcept {
    return find_field(fields, name);
  }
  /// At the end, when nothing can fail any more.
  template <class T>
  void will_move(void* from, T& to) {
    static_assert(std::is_nothrow_move_assignable_v<T>,
                  "otter: a field of a state must have a move assignment that does not throw");
    moves_.push_back({from, &to, [](void* source, void* target) noexcept {
                        *static_cast<T*>(target) = std::move(*static_cast<T*>(source));
                      }});
  }
  /// Nothing goes to `to`, or to a part of it.
  template <class T>
  void will_not_move(T const& to) noexcept {
    auto const begin = reinterpret_cast<std::uintptr_t>(&to);
    std::erase_if(moves_, [begin](move const& m) {
      auto const at = reinterpret_cast<std::uintptr_t>(m.to);
      return at >= begin && at - begin < sizeof(T);
    });
  }
  /// Throws: process_exit, an error "code_change" that names field and types.
  [[noreturn]] void refuse(state_field const& field, std::string_view wanted,
                           misfit const& why) const;
  /// The same: the state that is left is none of the new version.
  [[noreturn]] void refuse_state() const;
  void move_all() noexcept {
    for (move const& m : moves_) m.run(m.from, m.to);
  }

 private:
  struct move {
    void* from;
    void* to;
    void (*run)(void* from, void* to) noexcept;
  };
  std::vector<move> moves_;
};

/// A body that is ready to take the place of another one, and what is still to be done then.
class successor {
 public:
  virtual ~successor() = default;
  /// Makes the object of the state, when the fields have been moved there.
  virtual void finish() noexcept = 0;

  reactive_ptr next;
  behaviour_core* core = nullptr;  // of next
};

/// SY-7. Throws: process_exit.
[[noreturn]] void refuse_unsuspended(std::string_view server, std::string_view module);

/// What a module's entry of kind behaviour refers to. Constant, one per class and module.
struct change_class {
  std::string_view kind;  // "gen_server"
  /// Adds the fields of the object's state.
  bool (*describe)(void* object, succession& plan, exit_reason& why);
  bool (*succeed)(succession& plan, std::unique_ptr<successor>& next, exit_reason& why);
};

// --- for a process that changes: code_change.cpp ---

struct code_change_request;

/// Throws: process_exit, an error "code_change".
[[noreturn]] void refuse_change(std::string_view text);
/// Throws: error(undef).
module_class class_to_go_to(code_change_request const& wanted, std::string_view name);
/// All that may fail in the two modules. Throws: process_exit.
std::unique_ptr<successor> prepare_succession(change_class const& old, change_class const& now,
                                              void* object, succession& plan);

}  // namespace otter::detail
