#pragma once

// otter/upgrade.hpp - the modules of a running node go to their next versions, all of them or none.
//
//   otter::upgrade::plan       which modules, from what to what, and what needs what
//   otter::upgrade::check()    whether it would work: nobody notices
//   otter::upgrade::apply()    the same, then it is done; what fails takes everything back
//   otter::upgrade::report     what happened, and how long processes were held; to_string()
//
//     otter::upgrade::plan const next{.modules = {{.name = "greeter", .file = "greeter-2.so",
//                                                  .from = {"1"}, .to = "2"}}};
//     auto const report = otter::upgrade::apply(next);
//     std::puts(to_string(report).c_str());
//
// A plan comes out of a TOML file by otter/upgrade_toml.hpp, and from outside of the node by
// otter/admin.hpp. One process is brought to another version by otter/sys.hpp; what its class has
// to say to that: otter/code_change.hpp. How it works: runtime/doc/code_loading.md, "Plans".

#include <cstddef>
#include <functional>
#include <otter/duration.hpp>
#include <otter/gen.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter::upgrade {

enum class mode_type : unsigned char {
  /// The module is loaded, then each process is held, changed and let go by itself, while the
  /// others serve: for versions that understand each other.
  one_by_one,
  /// All its processes are held, then it is loaded, all are changed, and all are let go (CL-13).
  /// Modules that stand behind one another, both like that, the later one depending on the earlier
  /// one, are held and loaded together.
  together,
};

/// Loading purges the version that is old already.
enum class purge_type : unsigned char {
  soft,    ///< the plan is refused if a process still uses that
  brutal,  ///< such processes are killed
};

/// A module that must be there first: one of the plan, which then comes first, or one that is
/// loaded.
struct need {
  std::string module;
  std::string version{};  ///< empty: any
};

struct module_step {
  std::string name;
  std::string file;
  std::vector<std::string> from{};  ///< one of these is current; empty: any, or none is loaded
  std::string to;
  /// For the hooks of its classes that take it, as a std::string: `code_change(old, now, extra)`.
  std::string extra{};
  std::vector<need> depends_on{};
  mode_type mode = mode_type::one_by_one;
  purge_type purge = purge_type::soft;
};

struct plan {
  std::string application{};  ///< for people
  /// They go in this order, but for those that depend on later ones.
  std::vector<module_step> modules{};
};

struct options {
  /// So long each process has to answer. One that does not is left out, and the report says so
  /// (CL-14). One by one, it goes to the new version by itself when it comes to its messages.
  duration limit = default_call_limit;
  /// So many processes are asked at once.
  std::size_t window = 256;
  /// So many processes of each module, spread over all of them, try on copies whether they could
  /// change, before anything does: sys::check_code_change(). 0: none.
  std::size_t trial_sample = 1000;
  /// Called with a line for each step, in the process that upgrades, which waits for it.
  std::function<void(std::string_view line)> progress{};
};

/// How long processes were held: from the end of their last event in the old version to the moment
/// when they could take the next one.
struct pause_times {
  duration p50{};
  duration p99{};
  duration max{};
};

/// What became of one module.
struct module_report {
  enum class state_type : unsigned char {
    untouched,  ///< nothing was done
    checked,    ///< check(): it would go
    changed,
    restored,  ///< the version that was current before is so again
    refused,   ///< it went wrong here; whatever was done to it was taken back
  };
  std::string name;
  std::string from{};  ///< empty: it was not loaded
  std::string to{};
  state_type state = state_type::untouched;
  std::size_t tried = 0;       ///< that have tried it on copies
  std::size_t processes = 0;   ///< that were brought to the new version; check(): that would be
  std::size_t restored = 0;    ///< of those, brought back
  std::size_t unanswered = 0;  ///< left out, since they did not answer
  std::size_t ended = 0;       ///< meanwhile
  pause_times pause{};
  duration took{};
};

struct report {
  std::string application{};
  bool done = false;                    ///< applied; check(): nothing speaks against it
  std::vector<std::string> refusals{};  ///< why not; a line each
  /// What else is to be known: who was left out, who could not be brought back. A line each, 20 for
  /// a module at most.
  std::vector<std::string> notes{};
  std::vector<module_report> modules{};  ///< in the order in which they go
  duration took{};
};

[[nodiscard]] std::string_view to_string(module_report::state_type state) noexcept;
/// A table, and the lines below it; without a line break at the end.
[[nodiscard]] std::string to_string(report const& what);

/// Whether `plan` could be applied now: its files can be loaded, each has the module and the
/// version that the plan says, what is current is what it comes from, and what it needs is there.
/// The files are in memory afterwards, but not current.
///
/// Both functions: Called from: a process, or an attached thread. Blocks: until it is done. Exits:
/// may; what was begun goes on. Throws: error(badarg) for options out of range; std::bad_alloc.
[[nodiscard]] report check(plan const& plan, options const& how = {});

/// Checks it, then does it, module by module in their order. Which processes are changed: those
/// whose body is of the module, also those that start meanwhile. When one refuses, or a file, then
/// all that were changed go back, and the versions that were current are so again. No process stays
/// suspended, even if the one that upgrades is killed.
///
/// There is one upgrade at a time on a node, in a process with the name `upgrade_server`; a second
/// one is refused.
[[nodiscard]] report apply(plan const& plan, options const& how = {});

}  // namespace otter::upgrade
