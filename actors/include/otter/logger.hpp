#pragma once

// otter/logger.hpp - saying what happens, in words and values.
//
//   otter::logger::module_log     how a part of the program logs: debug() ... emergency()
//   otter::logger::start_link()   starts the node's logger with its handlers
//   otter::logger::set_level(), set_module_level()   what is logged at all
//   otter::logger::add_handler(), remove_handler(), add_filter(), ...   while it runs
//   otter::logger::sync()         waits until all is written
//
//     namespace chat { constexpr otter::logger::module_log log{"chat.session"}; ... }
//
//     log.info("somebody has logged in", {{"user", name}, {"sessions", count}});
//
// (In the global namespace it needs another name than `log`, which is the C library's.)
//
// Every node has a log of its own: levels, filters and handlers, and no other node sees them. What
// otter itself has to tell goes there too: crash, supervisor and progress reports, stalls,
// abandoned processes. A node without handlers gives what it would log to node_options::on_event
// as a text, or prints it to stderr.
//
// The logger is a process like any other, to be started before what is to be logged, as the first
// child of the topmost supervisor: so it is the last that stops. A node kills what is left when the
// processes that were started from outside have ended: so the first process stops its tree itself,
// or calls sync(), before it returns.

#include <cstdint>
#include <initializer_list>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/log_event.hpp>
#include <otter/log_handler.hpp>
#include <otter/start.hpp>
#include <otter/type_name.hpp>
#include <source_location>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <vector>

namespace otter {

namespace detail {
class log_keeper;  // the logger's process
}

namespace logger {

/// Events up to this level are logged unless set_level() says something else.
inline constexpr level default_level = level::notice;

/// The name under which a part of the program logs, and what it logs with. A constant: it holds
/// the name, and the node of whoever calls does the rest.
///
/// The functions below check the level first: an event that is not logged costs some nanoseconds,
/// and nothing is printed, copied or allocated for it. They never fail: what cannot be logged for
/// lack of memory is dropped.
///
/// Called from: a process, an attached thread, a job of blocking() or offload(); from any other
/// thread events go to stderr. Blocks: while a handler has too much to do (overload_limits), at
/// most sync_limit, and not where the caller may not wait: so do not log under a mutex that
/// another process needs. Exits: never. Throws: never.
class module_log {
 public:
  /// `name` is a constant, at most 64 bytes; dots make no hierarchy.
  constexpr explicit module_log(std::string_view name) noexcept
      : name_(name.substr(0, 64)), hash_(otter::detail::hash_text(name_)) {}

  [[nodiscard]] constexpr std::string_view name() const noexcept { return name_; }
  /// Whether an event of that level would be logged, for work that only serves to log it.
  [[nodiscard]] bool allows(level at) const noexcept;

  /// `text` is what happened, the same words each time; what differs stands in the fields.
  void log(level at, std::string_view text, std::initializer_list<field> fields = {},
           std::source_location where = std::source_location::current()) const noexcept {
    if (allows(at)) write(at, text, fields, where);
  }
  void emergency(std::string_view text, std::initializer_list<field> fields = {},
                 std::source_location where = std::source_location::current()) const noexcept {
    log(level::emergency, text, fields, where);
  }
  void alert(std::string_view text, std::initializer_list<field> fields = {},
             std::source_location where = std::source_location::current()) const noexcept {
    log(level::alert, text, fields, where);
  }
  void critical(std::string_view text, std::initializer_list<field> fields = {},
                std::source_location where = std::source_location::current()) const noexcept {
    log(level::critical, text, fields, where);
  }
  void error(std::string_view text, std::initializer_list<field> fields = {},
             std::source_location where = std::source_location::current()) const noexcept {
    log(level::error, text, fields, where);
  }
  void warning(std::string_view text, std::initializer_list<field> fields = {},
               std::source_location where = std::source_location::current()) const noexcept {
    log(level::warning, text, fields, where);
  }
  void notice(std::string_view text, std::initializer_list<field> fields = {},
              std::source_location where = std::source_location::current()) const noexcept {
    log(level::notice, text, fields, where);
  }
  void info(std::string_view text, std::initializer_list<field> fields = {},
            std::source_location where = std::source_location::current()) const noexcept {
    log(level::info, text, fields, where);
  }
  void debug(std::string_view text, std::initializer_list<field> fields = {},
             std::source_location where = std::source_location::current()) const noexcept {
    log(level::debug, text, fields, where);
  }

 private:
  void write(level at, std::string_view text, std::initializer_list<field> fields,
             std::source_location const& where) const noexcept;

  std::string_view name_;
  std::uint64_t hash_;
};

// --- the logger's process ---

struct options {
  /// What is logged at all; a module may have a level of its own.
  logger::level level = default_level;
  std::vector<handler_options> handlers = {handler_options{}};
  std::vector<named_filter> filters{};
};

/// Starts the node's logger: a process with the name "logger", which starts the handlers and looks
/// after them. A handler that ends by an error is removed, and the log says so. When the logger
/// stops, each handler first writes what it has.
///
/// Called from: a process, mostly a supervisor. Blocks: until all devices are open. Exits: may.
/// Returns an error: already_started; failed if a device cannot be opened or an id is twice there.
start_result<otter::detail::log_keeper> start_link(options how = {});

/// Waits until the handlers have written what the caller has logged before.
/// Called from: a process, or an attached thread. Blocks: until then; not longer than `limit`.
/// Exits: may. False: the time was over.
bool sync(duration limit = std::chrono::seconds(5));

// --- what is logged ---

/// Both act at once. Called from: a process, an attached thread, a job of blocking().
/// Blocks: never. Exits: never. Throws: error(not_in_process); error(system_limit) when more than
/// 64 modules have a level of their own.
void set_level(level at);
[[nodiscard]] level get_level() noexcept;
/// In place of the level of all: a module may say more than others, or less.
void set_module_level(std::string_view module, level at);
void unset_module_level(std::string_view module);

// --- handlers and filters ---

/// Called from: a process, or an attached thread. Blocks: until the device is open, or has written
/// what it had. Exits: may. Throws: process_exit(noproc) if no logger runs.
/// Returns an error: why the device could not be opened; `already_present` for an id that is there.
tl::expected<void, exit_reason> add_handler(handler_options handler);
/// False: there is none of that id.
bool remove_handler(std::string_view id);

/// Empty: there are no handlers. Threads: as set_level().
[[nodiscard]] std::vector<handler_info> handlers();
/// False: there is no handler of that id.
bool set_handler_level(std::string_view id, level at);
/// A filter for all handlers, or for the one of that id; asked after those that are there. False:
/// there is no such handler, or a filter of that name.
bool add_filter(named_filter added, std::string_view handler = {});
bool remove_filter(std::string_view id, std::string_view handler = {});

}  // namespace logger
}  // namespace otter
