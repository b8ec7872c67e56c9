#pragma once

// otter/application.hpp - parts of a program that are started, configured and stopped as one.
//
//   otter::application::specification   what an application is: name, needs, environment
//   otter::application::callbacks       how it starts and stops: a class of the program's own
//   otter::application::start_link()    starts the node's application controller
//   otter::application::load(), unload()            makes it known, or forgets it
//   otter::application::start(), ensure_all_started(), stop()
//   otter::application::which_applications(), ...   what there is
//   otter::application::get_env(), set_env(), ...   what the operator has decided
//   otter::application::stop_node()                 all of them stop, in order
//
//     otter::application::specification const shop{
//         .name = "shop",
//         .applications = {"store"},
//         .env = {{"port", 8080}},
//         .mod = otter::application::top_process([] { return shop_supervisor(); })};
//
//     int main(int argc, char** argv) {
//       return otter::application::run_main(
//           argc, argv, {.known = {store, shop}, .start = {"shop"}});
//     }
//
// run_main() is a whole main(): it starts what is named and what that needs, takes the environment
// from a file and the command line, and stops all in order at SIGTERM; see
// otter/application_main.hpp. A program that has a node of its own calls start_link(), and the
// functions below.
//
// A running application is a process, its *master*, below the controller. It starts the application
// by the callbacks, so that the top process is linked to it, and it is the group leader of
// whatever process comes of that: this is what "a process of the application" means. When the
// application has stopped, no such process is left.
//
//     controller -- master of store -- top supervisor -- ...
//                `- master of shop  -- top supervisor -- ...
//
// What must come back when it breaks is below the application's top supervisor. An application is
// not started again: when one ends by itself, its restart_type says what that means for the rest.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <otter/application_env.hpp>
#include <otter/child_spec.hpp>
#include <otter/detail/text_formatter.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace otter {

namespace detail {
class application_controller;  // its process

std::optional<application::value> find_application_env(std::string_view application,
                                                       std::string_view key);
/// Of the caller's application. Throws: error(badarg) if it belongs to none.
std::optional<application::value> find_own_application_env(std::string_view key);
[[noreturn]] void throw_wrong_env_kind(std::string_view key, application::value const& found);
}  // namespace detail

namespace application {

// --- what an application is ---

/// How one application is started and stopped. An object is made for each start, in the
/// application's master, and lives until it has stopped: what start() finds out and stop() needs
/// are members of it. All functions are called there, one at a time, and may block.
///
/// An exception is a failed start in start() and start_phase(). In the others it is reported, and
/// the application stops all the same.
class callbacks {
 public:
  callbacks() = default;
  callbacks(callbacks const&) = delete;
  callbacks& operator=(callbacks const&) = delete;
  virtual ~callbacks() = default;

  /// Starts the application's processes and returns the topmost, which is linked to the caller: a
  /// start_link() sees to that. No process, or `ignored`, is a failed start.
  virtual tl::expected<pid, start_error> start() = 0;
  /// One phase of specification::start_phases, after start(). An error: the application stops, and
  /// its start has failed with it.
  virtual tl::expected<void, exit_reason> start_phase(std::string_view phase,
                                                      environment const& args);
  /// The application is about to stop; its processes still run, unless the topmost has ended by
  /// itself.
  virtual void prep_stop() {}
  /// The application has stopped: none of its processes is left but the caller.
  virtual void stop() {}
  /// change_config() has given the application another environment: values that differ, values that
  /// were not there before, and names of those that are gone.
  virtual void config_change(environment const& changed, environment const& added,
                             std::vector<std::string> const& removed);
};

/// Makes the callbacks. What OTP gives to start/2 as arguments is what the function captures.
using callback_module = std::function<std::unique_ptr<callbacks>()>;

/// Callbacks of a class of the program's own, made of copies of `args`.
template <class Callbacks, class... Args>
callback_module module_of(Args... args) {
  return [=]() -> std::unique_ptr<callbacks> { return std::make_unique<Callbacks>(args...); };
}
/// Callbacks that have nothing to say but how the topmost process starts.
[[nodiscard]] callback_module top_process(child_start start);

/// A step of a start that comes after start(): for what must not begin before everything is there.
struct start_phase {
  std::string phase;
  environment args{};
};

struct specification {
  std::string name{};
  std::string description{};           ///< for people
  std::string vsn{};                   ///< its version, for people
  std::vector<std::string> modules{};  ///< for people, as long as no code is loaded
  /// Names that its processes register. Two loaded applications cannot have the same.
  std::vector<std::string> registered{};
  /// What must run before it starts.
  std::vector<std::string> applications{};
  /// The same, if there is such an application at all: one that does not run is no obstacle.
  std::vector<std::string> optional_applications{};
  /// Loaded with it, and started by it: their processes belong to it. Their start_phase() is called
  /// in each phase that both name, after its own.
  std::vector<std::string> included_applications{};
  /// Every name that can be configured, with the value that counts if nobody says more. A
  /// configuration must have values of the same kind.
  environment env{};
  /// Empty: a library. Such an application is running once it is started, and nothing runs.
  callback_module mod{};
  std::vector<start_phase> start_phases{};
};

// --- errors ---

/// Why an operation on an application was refused.
struct error {
  enum class kind : unsigned char {
    not_found,        ///< nobody has given a specification of that name
    already_loaded,   ///< it is known already
    not_loaded,       ///< it is not known
    running,          ///< what runs cannot be unloaded
    not_started,      ///< it does not run: the application itself, or what it needs
    already_started,  ///< it runs
    start_failed,     ///< see `reason`
    invalid,          ///< the specification or the configuration: `reason` says what is wrong
    shutting_down,    ///< the node is about to stop
  };
  kind what = kind::not_found;
  std::string application{};  ///< which one it is about
  exit_reason reason{};
  friend bool operator==(error const&, error const&) noexcept = default;
};

[[nodiscard]] std::string to_string(error const& e);

template <class T>
using result = tl::expected<T, error>;

/// The reason of a controller, within `shutdown`, that ended because an application did (APP-8).
struct terminated {
  std::string application;
  exit_reason reason;
  friend bool operator==(terminated const&, terminated const&) = default;
};
std::string to_string(terminated const& t);

/// The reason of a controller, within `shutdown`, that stop_node() has stopped.
struct node_stopped {
  int status;
  friend bool operator==(node_stopped const&, node_stopped const&) = default;
};
std::string to_string(node_stopped const& s);

// --- the controller ---

struct options {
  /// What load() and start() find by name.
  std::vector<specification> known{};
  /// Counts more than what specifications say.
  configuration config{};
  /// When the node stops: how long each application may take before it is killed.
  duration shutdown_timeout = std::chrono::seconds(10);
};

/// Starts the node's application controller: a process with the name "application_controller". When
/// it stops, by otter::stop(), stop_node() or its parent's end, it first stops all applications,
/// the one that was started last first, each within shutdown_timeout; one that takes longer is
/// killed (APP-11). So the process that starts it waits for its end, and does not just end itself:
/// a node kills what is left when the processes that were started from outside have ended.
///
/// Called from: a process. Blocks: for its start. Exits: may.
/// Returns an error: already_started.
start_result<otter::detail::application_controller> start_link(options how = {});

// All operations below are called from a process or an attached thread of a node with a controller,
// and may exit. load(), unload(), the starts, stop(), change_config() and stop_node() throw
// process_exit(noproc) if there is none; the others give nothing then. None of them is to be called
// by stop() or prep_stop() while the node stops, but those that only look.

/// Makes a specification known, with what it includes; nothing is started (APP-2).
/// Blocks: for the controller's answer.
/// Returns an error: already_loaded; not_found: something that it includes; invalid: an empty name,
/// a registered one that another application claims, or a configured value of the wrong kind.
result<void> load(specification spec);
/// The same for one of options::known.
result<void> load(std::string_view name);
/// Forgets it, and what it includes; and what set_env() has set, unless persistent.
/// Returns an error: running; not_loaded.
result<void> unload(std::string_view name);

/// Starts an application, which is loaded if need be, and returns when it runs. What it needs is
/// not started: that is ensure_all_started().
///
/// `type` says what happens if it ends by itself (APP-8): permanent: all applications stop, and the
/// controller ends. transient: the same, unless its reason is normal; a supervisor that gives up
/// ends with shutdown, so that this differs from permanent for few. temporary: it is reported.
///
/// Blocks: until it runs or has failed, and nobody else meanwhile: the controller goes on serving.
/// Returns an error: not_found, invalid; not_started: the application that it needs;
/// already_started; start_failed; shutting_down. Two that start the same one at the same time get
/// the same answer.
result<void> start(std::string_view name, restart_type type = restart_type::temporary);
/// As start(); one that runs already is no error.
result<void> ensure_started(std::string_view name, restart_type type = restart_type::temporary);
/// For applications whose ends do not all mean the same.
using restart_types = std::map<std::string, restart_type, std::less<>>;
/// Starts an application, and before it all that it needs and does not run yet. Returns those that
/// it has started, in their order. If one of them fails, those are stopped again (APP-4). Those
/// that `types` names are started with that type, whoever needs them.
/// Returns an error: as start(); invalid also if applications need each other in a circle.
result<std::vector<std::string>> ensure_all_started(std::vector<std::string> const& names,
                                                    restart_type type = restart_type::temporary,
                                                    restart_types types = {});
result<std::vector<std::string>> ensure_all_started(std::string_view name,
                                                    restart_type type = restart_type::temporary);

/// Stops an application: prep_stop(), then its processes from the top, as a supervisor is stopped;
/// what is left of them is killed; then stop(). It stays loaded. No other application stops because
/// of it, whatever its type, also none that needs it (APP-7, APP-9).
///
/// Blocks: until it has stopped; without limit. Not to be called by its own processes.
/// Returns an error: not_started.
result<void> stop(std::string_view name);

/// Asks the controller to end: all applications stop in order. run_main() then returns `status`.
/// Blocks: never.
void stop_node(int status = 0);

// --- looking ---

/// A name, and what its specification says for people.
struct info {
  std::string name;
  std::string description;
  std::string vsn;
  friend bool operator==(info const&, info const&) = default;
};
/// Those that run, in the order of their starts. Blocks: never; exits: never, as the next two.
[[nodiscard]] std::vector<info> which_applications();
/// In the order of their names.
[[nodiscard]] std::vector<info> loaded_applications();
/// Nothing: it is not loaded.
[[nodiscard]] std::optional<specification> get_spec(std::string_view name);
/// The application that a process belongs to, by its group leader (APP-13). Nothing: to none, or it
/// does not live. Blocks: for the answer of another process.
[[nodiscard]] std::optional<std::string> get_application(pid process);
/// The same of the caller. Blocks: never. Exits: never.
[[nodiscard]] std::optional<std::string> get_application();
/// The topmost process of a running application; none if it does not run, or is a library.
/// Blocks: never. Exits: never.
[[nodiscard]] pid get_supervisor(std::string_view name);

// --- the environment ---

/// What counts for an application: what set_env() has said, else the configuration, else the
/// specification (APP-12). Nothing: none of them says anything. Asks no process.
///
///     int const port = otter::application::get_env<int>("shop", "port").value_or(80);
///
/// Blocks: never. Exits: never. Throws: otter::error(badarg): it is there and is no `T`.
template <class T = value>
std::optional<T> get_env(std::string_view application, std::string_view key);
/// The same of the application that the caller belongs to. Throws also if it belongs to none.
template <class T = value>
std::optional<T> get_env(std::string_view key);
/// All that counts for it. Blocks: never. Exits: never.
[[nodiscard]] environment get_all_env(std::string_view application);

/// Whether what is set outlives unload().
enum class persistence : bool { no, yes };
/// Sets a value for all who ask from now on, whether or not the application is loaded; nobody is
/// told. Blocks: never. Exits: never. Throws: process_exit(noproc) without a controller.
void set_env(std::string_view application, std::string_view key, value what,
             persistence how = persistence::no);
/// From now on there is no such value, whatever the configuration says.
void unset_env(std::string_view application, std::string_view key,
               persistence how = persistence::no);

/// Replaces the configuration, and calls config_change() of each running application for which
/// something has changed by it; returns when all have returned.
/// Blocks: until then. Returns an error: invalid: a value of the wrong kind; nothing has changed
/// then. start_failed: a config_change() that threw; the others have been called.
result<void> change_config(configuration config);

}  // namespace application

// --- bodies ---

namespace detail {
template <class T>
std::optional<T> typed_env(std::optional<application::value> found, std::string_view key) {
  if (!found) return std::nullopt;
  std::optional<T> typed = found->as<T>();
  if (!typed) throw_wrong_env_kind(key, *found);
  return typed;
}
}  // namespace detail

namespace application {
template <class T>
std::optional<T> get_env(std::string_view application, std::string_view key) {
  return otter::detail::typed_env<T>(otter::detail::find_application_env(application, key), key);
}
template <class T>
std::optional<T> get_env(std::string_view key) {
  return otter::detail::typed_env<T>(otter::detail::find_own_application_env(key), key);
}
}  // namespace application

}  // namespace otter

template <>
struct fmt::formatter<otter::application::error>
    : otter::detail::text_formatter<otter::application::error> {};

template <>
struct fmt::formatter<otter::application::terminated>
    : otter::detail::text_formatter<otter::application::terminated> {};

template <>
struct fmt::formatter<otter::application::node_stopped>
    : otter::detail::text_formatter<otter::application::node_stopped> {};
