#pragma once

// otter/application_main.hpp - a whole main() for a program that is made of applications.
//
//   otter::application::run_main()         runs a node with applications until it is told to stop
//   otter::application::main_options       which applications, and where the configuration is from
//   otter::application::program            the applications as a file describes them
//   otter::application::exit_...           what run_main() returns, and so what a shell sees
//   otter::application::read_arguments()   the configuration in a command line, for a program that
//                                          has a main() of its own
//
//     int main(int argc, char** argv) {
//       return otter::application::run_main(
//           argc, argv, {.known = {store, shop}, .start = {"shop"},
//                        .read_config = otter::application::read_toml_file});
//     }
//
//     $ shop --config shop.toml --shop.port=8081
//     $ kill $!                                     # SIGTERM: all applications stop, in order
//
// What an application finds by get_env() is what its specification says, unless the file says
// something else, unless the command line does.

#include <functional>
#include <otter/application.hpp>
#include <otter/application_env.hpp>
#include <otter/child_spec.hpp>
#include <otter/duration.hpp>
#include <otter/node.hpp>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace otter::application {

// --- what run_main() returns; the names are those of sysexits.h where it has one ---

/// All applications have stopped in order: because of SIGTERM, SIGINT or stop_node().
inline constexpr int exit_stopped = 0;
/// The command line is wrong; nothing was started. EX_USAGE.
inline constexpr int exit_usage = 64;
/// An application could not be started; those that were have been stopped in order. EX_UNAVAILABLE.
inline constexpr int exit_not_started = 69;
// 70 is otter::exit_given_up: threads were lost to processes that do not end. EX_SOFTWARE.
/// An application has ended by itself that the node cannot be without, see start(); the others have
/// been stopped in order. EX_TEMPFAIL: whoever looks after the program may start it again.
inline constexpr int exit_terminated = 75;
/// The configuration or the program's description cannot be read, or has a value of the wrong kind.
/// EX_CONFIG.
inline constexpr int exit_config = 78;
/// Something did not stop within its time, and was killed. As that of timeout(1).
inline constexpr int exit_killed = 124;

/// Applications, and which of them are started, with what types: what read_program_file() gives.
struct program {
  std::vector<specification> known{};
  std::vector<std::string> start{};
  restart_types types{};
};

struct main_options {
  /// Reads more applications, before anything else is done: read_program_file(), or a function of
  /// the program's own. It gets `known`, and what it gives is added to what stands here. What it
  /// throws ends the program with its text and exit_config. Empty: there are no more.
  std::function<program(std::vector<specification> const& known)> read_program{};
  /// All that there is: what is to be started, what that needs, and what it includes.
  std::vector<specification> known{};
  /// Which of them to start, in that order; what they need is started before them.
  std::vector<std::string> start{};
  /// What it means when one of them ends: see start().
  restart_type type = restart_type::permanent;
  /// The same for those to which it means something else.
  restart_types types{};
  /// Counts less than what the file and the command line say.
  configuration config{};
  /// Reads the file that `--config FILE` names; read_toml_file(), or one of the program's own. What
  /// it throws ends the program with its text and exit_config. Empty: there is no such option.
  std::function<configuration(std::string const& file)> read_config{};
  /// How long each application may take to stop before it is killed.
  duration shutdown_timeout = std::chrono::seconds(10);
  node_options node{.crash_report = true};
};

/// Runs a node, starts the applications, and waits. SIGTERM and SIGINT stop all of them in order,
/// also while they still start; from then on both do what they do by default, so that a second
/// Ctrl-C ends the program at once. stop_node() stops them too, and says what is returned; and so
/// does the end of an application that is permanent. In any case this function returns, with the
/// status to exit with, and nothing of the node is left.
///
/// What it has to say goes to stderr, a line for each problem.
///
/// Called from: main(), while the program has no other threads: the two signals are blocked in this
/// thread, and in those that it starts, until the first has come or it returns. Blocks: as said.
/// Throws: as node's constructor.
int run_main(main_options how);
/// The same with what the command line says: `--config FILE`, and `--APPLICATION.KEY=VALUE` for
/// each value that is to be another; `--help` prints the options and all values that specifications
/// have, and returns 0. Anything else is exit_usage.
int run_main(int argc, char const* const* argv, main_options how);

/// A command line, as run_main() reads it.
struct arguments {
  configuration config{};           ///< of `--APPLICATION.KEY=VALUE`
  std::string file{};               ///< of `--config FILE`
  bool help = false;                ///< `--help`
  std::vector<std::string> rest{};  ///< what is none of these, in its order
};

/// `--APPLICATION.KEY=VALUE`, or `--APPLICATION.KEY VALUE`, is a value of the kind that the
/// specification has for it; where that has none, a number if it looks like one.
///
/// Called from: any thread. Returns an error: a sentence: an application that is not among `known`,
/// a value of the wrong kind, or an option without its value.
[[nodiscard]] tl::expected<arguments, std::string> read_arguments(
    std::vector<std::string> const& all, std::vector<specification> const& known);

}  // namespace otter::application
