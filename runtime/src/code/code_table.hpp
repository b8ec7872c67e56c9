#pragma once

// code/code_table.hpp - the modules of one node, their versions, and which processes use them.
//
//   module_version   one version: its image, its state, its users
//   code_table       finds functions, counts users, changes what is current
//
// A process uses a version by its body, from its start to its end, or by calls, while they last.
// The body is known by its table of virtual functions, which lies in the image of the module that
// the body's class was compiled into: so a process carries no mark, and none that runs no module's
// code pays for it. Not chosen: looking for return addresses on the stacks. Only its own worker may
// look at a stack, so each process of the node would have to be woken for a purge.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <otter/code.hpp>
#include <otter/detail/code_change.hpp>
#include <otter/detail/module_table.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/number_set.hpp"
#include "code/image.hpp"
#include "process/code_watch.hpp"

namespace otter::rts {

class process_system;

/// Ownership: the table's, as long as it lives. Threads: under the table's mutex, but for the
/// image.
struct module_version {
  enum class state : std::uint8_t {
    candidate,  // loaded, its on_load() not yet obeyed
    current,
    old,
    gone,  // purged or refused: nothing of it is started any more
  };
  struct bits_hash {
    static std::uint64_t hash(std::uint64_t bits) noexcept { return detail::mix_bits(bits); }
  };

  explicit module_version(image&& i) : code(std::move(i)) {}

  image code;
  state now = state::candidate;
  number_set<bits_hash> bodies;                // pids, by their bits
  std::map<std::uint64_t, std::size_t> calls;  // how many calls a process is in
  std::map<std::uint64_t, std::size_t> parts;  // how many it has beside its body
  std::vector<code::holder> held_by;           // gone: as the last unload() has seen
  /// Code of it has been handed out, so somebody may keep an address in it.
  bool touched = false;
  // Values may be taken apart or put together by any version that is mapped: forms.cpp. It must
  // stay so meanwhile, and a purge does not mind.
  std::size_t conversions = 0;  // how many are going on
  bool converted = false;       // one has begun or ended since await_removal()
};

/// The inside of a code::prepared.
struct prepared_access {
  static code::prepared make(std::uint64_t number, pid keeper,
                             std::vector<code::module_info> modules);
  static std::uint64_t number(code::prepared const& p) noexcept { return p.number_; }
  static pid keeper(code::prepared const& p) noexcept { return p.keeper_; }
};

/// Ownership: the node's. Threads: any.
/// Invariant: of each name at most one version is current and one is old; users are in those and in
///            candidates only.
class code_table final : public code_watch {
 public:
  explicit code_table(process_system& system) : system_(system) {}

  void spawned(pid who, reactive& body) override;
  void replaced(pid who, reactive& before, reactive& now) override;
  void ended(std::uint64_t bits) noexcept override;

  /// A function of the current version, which `who` uses from now on. Throws: error(undef), which
  /// says whether module, function or types are missing; std::bad_alloc.
  struct found {
    module_version* version;
    detail::module_entry const* entry;
  };
  found enter(pid who, std::string_view module, std::string_view function,
              type_descriptor const& arguments, type_descriptor const* result);
  /// As it, for a version that is known.
  void enter(pid who, module_version& version);
  void leave(pid who, module_version& version) noexcept;

  /// The class `name` of the version that the body is from, or of the current one of a module.
  /// Throws: error(undef); std::bad_alloc.
  detail::module_class class_of(reactive& body, std::string_view name);
  /// Of the version that an address is in; none if it is in no module. The class is null if it is
  /// not listed.
  std::optional<detail::module_class> class_at(void const* code, std::string_view name);
  detail::module_class current_class(std::string_view module, std::string_view name);
  /// Of a candidate in the set.
  detail::module_class prepared_class(std::uint64_t set, std::string_view module,
                                      std::string_view name);

  /// `who` has a part of the version that the address is in; null if it is in no module. Throws:
  /// error(undef) if that was purged; std::bad_alloc.
  module_version* enter_part(pid who, void const* code);
  void leave_part(pid who, module_version const* version) noexcept;

  // --- for values of types that have changed: forms.cpp ---
  struct found_form {
    detail::type_form const* form = nullptr;
    module_version* version = nullptr;  // null: the program's
  };
  /// Whoever lists that type; the version that does stays mapped until let_go().
  found_form hold_form(type_descriptor const& type);
  void let_go(module_version& version) noexcept;
  bool answers_of_one_name(type_descriptor const& a, type_descriptor const& b);
  /// Throws: std::bad_alloc; error(badarg).
  void add_forms(std::span<detail::type_form const> forms);

  // --- for whoever changes the table, one at a time: code.cpp ---
  module_version& add(image&& code);
  /// Keeps candidates as a set, under a number that is not 0.
  std::uint64_t keep(std::vector<module_version*> candidates);
  /// The set is the caller's now, and nobody else's. Empty if somebody has taken it before.
  std::vector<module_version*> take(std::uint64_t set);
  /// A candidate leaves the table, to be unmapped, if nothing of it has run but constructors of
  /// static objects; else null.
  std::unique_ptr<module_version> remove_untouched(module_version& candidate);
  /// Whoever uses it, in the order of their pids. If nobody does, it is gone from now on.
  std::vector<pid> users_or_end(module_version& version);
  /// The versions, which must be candidates, become current, those that were become old. None has
  /// both a current and an old one.
  void make_current(std::vector<module_version*> const& versions);
  /// False if there is an old one already, or no current one.
  bool make_old(std::string_view module);
  /// Current and old change places, in all of them or none: false if one has no old one.
  bool restore_old(std::vector<std::string> const& modules);

  /// Those that are gone and still mapped, in the order of their loading; of all modules if
  /// `module` is empty.
  std::vector<module_version*> purged(std::string_view module);
  std::vector<code::purged_version> describe_purged(std::string_view module);
  void note_holders(module_version& version, std::vector<code::holder> const& who);
  /// Who refers to them is going to be looked for.
  void await_removal(std::vector<module_version*> const& versions);
  /// It is about to be unmapped: from now on the table does not know it. Null if a value was
  /// converted by it since await_removal(), which may have left an address behind.
  std::unique_ptr<module_version> remove(module_version& version);
  /// Whether each purge tries to unmap. Any thread.
  std::atomic<bool> unloads_purged{false};
  /// Its variables, of each version that is mapped. The table must not change meanwhile, as it does
  /// not while nobody else is at work and all workers rest.
  template <class F>
  void each_mapped(F&& f) {
    std::lock_guard lock(mutex_);
    for (auto const& v : versions_) f(*v);
  }

  module_version* find(std::string_view module, module_version::state which);
  std::optional<code::module_info> info(std::string_view module, module_version::state which);
  code::module_info info(module_version const& version);
  std::vector<code::loaded_module> all();
  /// Whether the process uses the old version.
  bool uses_old(std::string_view module, std::uint64_t bits);
  /// The processes whose body, or a part of them, is of it, in the order of their pids.
  std::vector<pid> users(std::string_view module, module_version::state which);

 private:
  struct slot {
    module_version* current = nullptr;
    module_version* old = nullptr;
  };
  module_version* find_locked(std::string_view module, module_version::state which);
  std::unique_ptr<module_version> remove_locked(module_version const& version);
  static bool used_by(module_version const& v, std::uint64_t bits) noexcept;
  static code::module_info info_of(module_version const& v);
  /// In order, each once.
  static std::vector<std::uint64_t> bodies_and_parts_of(module_version const& v);
  std::vector<pid> pids_of(std::vector<std::uint64_t> const& bits) const;
  void enter_locked(pid who, module_version& version);
  module_version* version_at(void const* code) const noexcept;
  module_version* version_of(reactive& body) const noexcept;
  void use_body(pid who, module_version* version);

  process_system& system_;
  std::mutex mutex_;
  // --- guarded by mutex_ ---
  std::map<std::string, slot, std::less<>> slots_;
  /// All that are mapped, in the order of loading: bodies of those that are gone are known too.
  std::vector<std::unique_ptr<module_version>> versions_;
  std::map<std::uint64_t, std::vector<module_version*>> sets_;
  std::uint64_t last_set_ = 0;
  std::vector<std::span<detail::type_form const>> of_program_;
};

/// What a function's types are called in messages.
std::string signature_text(std::string_view name, type_descriptor const& arguments,
                           type_descriptor const* result);

}  // namespace otter::rts
