#pragma once

// otter/code.hpp - modules that a running node loads, and whose newest version is called.
//
//   otter::code::load()            loads a module's file; load_binary() the same from memory
//   otter::code::atomic_load()     several modules, all or none
//   otter::code::prepare_loading() the first half of it, which nobody notices; finish_loading() the
//   second; discard() instead of it
//   otter::code::latest<F>         a function of a module: each call goes to the current version
//   otter::code::spawn()           a process that goes on in the newest version, step by step
//   otter::code::purge()           ends the use of the old version; soft_purge() only if nobody
//   uses it
//   otter::code::delete_module()   the current version becomes the old one
//   otter::code::restore_old()     the old version is current again, without a file
//   otter::code::unload()          unmaps purged versions to which nothing refers; purged() lists
//   them, unload_when_purged() does it after each purge
//   otter::code::which(), which_old(), all_loaded(), check_process_code(), check_old_code()
//   otter::code::users(), old_users()   the processes that are of a module, or have a part of it
//
// A module has at most two versions, current and old (CL-1). Who runs in the old one goes on there:
// loading touches no process. A process uses a version while its body is from it - a server whose
// class is in the module, a function spawned there -, while it has a part that is - handlers of a
// gen_event, what a supervisor looks after - or while it is in a call of latest. Closures
// that a module has handed to others are not seen; they stay callable as long as the version is
// mapped, but start nothing of a purged one any more. Unless unload() is called that is for ever.
//
// Each node has modules of its own. All functions here: Called from: a process, or an attached
// thread. Where nothing else is said: Blocks: until it is done. Exits: may.
// Module authors: otter/module.hpp. How it works: runtime/doc/code_loading.md.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <otter/duration.hpp>
#include <otter/error.hpp>
#include <otter/message.hpp>
#include <otter/pid.hpp>
#include <otter/spawn.hpp>
#include <otter/type_descriptor.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter::rts {
struct prepared_access;
}

namespace otter::code {

/// Why a file was not loaded. Nothing has changed then.
enum class load_errc : unsigned char {
  unreadable,       ///< there is no such file, or it cannot be read
  foreign,          ///< no shared object for this kind of machine
  not_a_module,     ///< a shared object, but not one of otter_add_module()
  damaged,          ///< not as it was built: its digest says so
  other_abi,        ///< built against other headers of otter; the text has both stamps
  second_runtime,   ///< would bring a runtime of its own
  unresolved,       ///< needs something that this program does not have
  on_load_failure,  ///< its own on_load() has refused
  named_twice,      ///< atomic_load(): two files of one module
  not_prepared,     ///< finish_loading(): was finished or discarded before
};
[[nodiscard]] std::string_view to_string(load_errc what) noexcept;

struct load_error {
  load_errc what;
  std::string text;  ///< the file, what is wrong with it, what to do; one line
};

template <class T>
using load_result = tl::expected<T, load_error>;

/// One version of a module.
struct module_info {
  std::string name;
  std::string version;
  std::string file;    ///< as it was given to load()
  std::string digest;  ///< SHA-256 of its content
  std::string abi;     ///< the stamp of the headers that it was built against
  std::vector<std::string> functions;
  std::size_t processes = 0;  ///< that use it now
  std::size_t bytes = 0;      ///< of address space that it takes until it is unmapped
};

/// Where something was found that refers to a purged version: an address in its memory.
enum class holder_kind : unsigned char {
  frames,      ///< of a process that waits: functions that it returns to, or what they have at hand
  state,       ///< what a process keeps between two events
  message,     ///< waits to be received
  request,     ///< a call that is owed an answer, or the answer of one
  timer,       ///< a message that is to come
  dictionary,  ///< a value of a process
  monitor,     ///< the tag of a monitor or of a spawn request
  exit_reason,  ///< its payload, wherever the reason is kept
  exception,    ///< on its way in a process that waits
  job,          ///< of offload(), waiting or running
  module,       ///< a variable of another version
  table,        ///< what the room above keeps of it: types and rows of tables
  memory,       ///< anything else that the runtime has made for a process
  busy,         ///< nobody could look: a thread did not come to rest in time
  loader,       ///< nothing refers to it, but the dynamic loader keeps it
};
[[nodiscard]] std::string_view to_string(holder_kind what) noexcept;

/// Why a purged version stays.
struct holder {
  holder_kind what;
  pid process{};          ///< whose it is; a false pid where that is not known, or nobody's
  std::size_t count = 1;  ///< how many of the same
  std::string text;       ///< "3 messages of type sums::report wait for <0.7.0>"
};

/// A version that was purged, and is mapped as long as something refers to it.
struct purged_version {
  module_info version;
  std::vector<holder> held_by;  ///< as unload() saw it last; empty if it has not looked
};

/// What unload() has done with one version.
struct unload_result {
  module_info version;
  bool unmapped = false;
  /// If not, because of whom: longest_list of them at most.
  std::vector<holder> held_by;
  static constexpr std::size_t longest_list = 32;
};

/// What a module has; at least one of the two.
struct loaded_module {
  std::string name;
  std::optional<module_info> current;
  std::optional<module_info> old;
};

/// Loads a private copy of the file, so it may be replaced at once. Its version becomes the current
/// one, the one that was current becomes the old one, and one that was old is purged (CL-1).
/// Loads follow one another. If the caller ends meanwhile, it is loaded all the same.
///
/// The file is checked before anything of it runs; then its constructors of static objects run, on
/// a thread of the pool, and its on_load() in a process. Throws: process_exit if the loading
/// process was killed.
load_result<module_info> load(std::string file);
/// The same with its content; `from` is what module_info::file says.
load_result<module_info> load_binary(std::span<std::byte const> content, std::string from);
/// All become current together, or none (CL-8).
load_result<std::vector<module_info>> atomic_load(std::vector<std::string> files);

/// Modules that have been loaded but for one thing: they are not current, so nobody can call them.
///
/// A name, as a pid is: it may be copied and sent, and keeps nothing alive. What it names belongs
/// to the process that has prepared it, and is discarded when that one ends.
class prepared {
 public:
  prepared() noexcept = default;
  /// In the order of the files.
  [[nodiscard]] std::span<module_info const> modules() const noexcept {
    return modules_ != nullptr ? std::span<module_info const>(*modules_)
                               : std::span<module_info const>();
  }

 private:
  friend struct rts::prepared_access;
  std::uint64_t number_ = 0;  // 0 names none
  pid keeper_{};
  std::shared_ptr<std::vector<module_info> const> modules_{};
};

/// The first half of atomic_load(): the files are checked and mapped, and their on_load() has run.
/// Whatever can be refused has been asked, and nothing has changed.
load_result<prepared> prepare_loading(std::vector<std::string> files);
/// The second half: all become current together. Refused with not_prepared if `modules` was
/// finished or discarded before; the value names nothing from now on.
load_result<std::vector<module_info>> finish_loading(prepared const& modules);
/// They are not wanted: processes that their on_load() has started are killed. A module of which
/// nothing has run but constructors of static objects is unmapped. Else, and if it was finished or
/// discarded before, nothing happens.
void discard(prepared const& modules);

/// Ends the old version: whoever uses it is killed, and has ended when this returns. True if
/// anybody was (CL-4).
bool purge(std::string_view module);
/// Ends the old version if nobody uses it. False, and nothing has changed, if somebody does.
bool soft_purge(std::string_view module);
/// The current version becomes the old one, and there is no current one. False if there is an old
/// one already, or no current one (CL-5).
bool delete_module(std::string_view module);

/// The old versions become current again and the current ones old, all of them or none, and nobody
/// is killed: the way back from a load. False, and nothing has changed, if one of them has no old
/// version.
bool restore_old(std::vector<std::string> modules);

/// Unmaps the purged versions of `module`, of all modules if it is empty, to which nothing refers
/// any more (CL-11). Nobody is killed and nothing is changed for those that stay; the result says
/// because of whom. For the time of the search no process runs: some milliseconds, with a million
/// messages a second. A process that does not come to a safe point within `limit`, counted for all
/// of them together, stops the search, and everything stays.
///
/// What is found, and what cannot be seen and must therefore not outlive the version:
/// runtime/doc/code_loading.md, "Unmapping a version".
std::vector<unload_result> unload(std::string_view module,
                                  duration limit = std::chrono::seconds(1));
/// Whether each purge is followed by unload(), on this node; false in the beginning. Blocks: never.
void unload_when_purged(bool on);
/// Purged versions that are still mapped, in the order of their loading; of all modules if `module`
/// is empty. Blocks: never.
std::vector<purged_version> purged(std::string_view module);

/// The current version. Blocks: never.
std::optional<module_info> which(std::string_view module);
/// The old version. Blocks: never.
std::optional<module_info> which_old(std::string_view module);
/// By name. Blocks: never.
std::vector<loaded_module> all_loaded();
/// Whether `process` uses the old version, after all that the caller has sent it (CL-6). False of
/// one that has ended.
bool check_process_code(pid process, std::string_view module);
/// Whether there is an old version. Blocks: never.
bool check_old_code(std::string_view module);
/// The processes whose body, or a part of them, is of the current version, in the order of their
/// pids. Blocks: never.
std::vector<pid> users(std::string_view module);
/// The same of the old one. Blocks: never.
std::vector<pid> old_users(std::string_view module);

/// What a process of spawn() does next: a call of a module's function, or nothing, which ends it
/// normally. The function of the module returns it, so that nothing of the version that it ran in
/// is left on the stack, and the call goes to the current one.
class [[nodiscard]] next_call {
 public:
  next_call() noexcept = default;  ///< nothing
  next_call(std::string module, std::string function, any_message arguments) noexcept
      : module_(std::move(module)),
        function_(std::move(function)),
        arguments_(std::move(arguments)) {}
  explicit operator bool() const noexcept { return static_cast<bool>(arguments_); }

  [[nodiscard]] std::string const& module() const noexcept { return module_; }
  [[nodiscard]] std::string const& function() const noexcept { return function_; }
  any_message& arguments() noexcept { return arguments_; }

 private:
  std::string module_;
  std::string function_;
  any_message arguments_;  // a tuple
};

}  // namespace otter::code

namespace otter::detail {
/// Calls the current version's function; see module_entry::run.
void call_latest(std::string_view module, std::string_view function,
                 type_descriptor const& arguments_type, void* arguments,
                 type_descriptor const* result_type, void* result);
reactive_ptr make_stepping_body(code::next_call first);
}  // namespace otter::detail

namespace otter::code {

template <class Signature>
class latest;

/// The function `function` of `module`, whatever version is current when it is called: Erlang's
/// fully qualified call (CL-2). It names the function, and holds nothing.
///
///     otter::code::latest<int(int)> const twice("sums", "twice");
///     int n = twice(21);
template <class Result, class... Args>
class latest<Result(Args...)> {
 public:
  latest(std::string module, std::string function)
      : module_(std::move(module)), function_(std::move(function)) {}

  /// Runs it in the calling process, which uses that version until the call ends.
  ///
  /// Throws: error(undef) if there is no current version, no such function, or one with other
  /// types. What leaves the function becomes a reason at the module's border: process_exit with it
  /// is thrown here, and an exception has been reported as a crash.
  Result operator()(Args... args) const {
    std::tuple<std::decay_t<Args>...> given(std::forward<Args>(args)...);
    auto const& type = descriptor_of<decltype(given)>();
    if constexpr (std::is_void_v<Result>) {
      detail::call_latest(module_, function_, type, &given, nullptr, nullptr);
    } else {
      alignas(Result) std::byte memory[sizeof(Result)];
      detail::call_latest(module_, function_, type, &given, &descriptor_of<Result>(), memory);
      struct owner {
        Result& value;
        ~owner() { std::destroy_at(&value); }
      } const made{*std::launder(reinterpret_cast<Result*>(memory))};
      return std::move(made.value);
    }
  }

  /// The call, to be made next: see next_call. Throws: std::bad_alloc; error(not_in_process).
  next_call with(Args... args) const requires std::is_same_v<Result, next_call> {
    using tuple = std::tuple<std::decay_t<Args>...>;
    return {module_, function_, any_message::of(tuple(std::forward<Args>(args)...))};
  }

 private:
  std::string module_;
  std::string function_;
};

/// Starts a process that makes `first`, then the call that this returns, and so on. Between two of
/// them it uses no version, and so comes to the newest one:
///
///     otter::code::next_call tick(int n) {       // in the module "clock"
///       otter::receive(...);
///       return otter::code::latest<otter::code::next_call(int)>("clock", "tick").with(n + 1);
///     }
///     otter::code::spawn({}, otter::code::latest<otter::code::next_call(int)>("clock",
///     "tick").with(0));
///
/// Blocks: never. Throws: as otter::spawn().
inline spawned spawn(spawn_options const& options, next_call first) {
  return detail::spawn_body(options, detail::make_stepping_body(std::move(first)));
}

}  // namespace otter::code
