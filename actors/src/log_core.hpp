#pragma once

// log_core.hpp - what one node's log is: levels, filters, and the handlers that there are.
//
//   otter::detail::handler_link   what those who log know of one handler
//   otter::detail::log_table      filters and handlers at one moment; never changed
//   otter::detail::log_core       the node's: takes events, and hands them to the handlers
//
// Nothing is formatted and no user's code runs under a lock: an event is handed on with the table
// of that moment.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <otter/detail/node_log.hpp>
#include <otter/gen_server.hpp>
#include <otter/log_event.hpp>
#include <otter/log_handler.hpp>
#include <otter/shared.hpp>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace otter::detail {

// --- what is sent to a handler ---

struct log_record {
  shared<logger::event> what;
};
/// Answered when all records before it are written.
struct log_written {
  using reply = void;
};

/// One handler, seen from those who log.
///
/// Ownership: shared by the table, its copies and the handler. Threads: any.
/// Invariant: queued_ is not below the number of records in the handler's mailbox: it is counted up
///            before a record is sent, and down when it is taken. All numbers are relaxed: they
///            choose between ways of sending, and nothing is read because of them.
struct handler_link {
  std::string id;  // constant, as the limits
  logger::overload_limits limits;
  pid process{};  // constant once it is in a table
  std::atomic<logger::level> level{logger::level::debug};
  std::atomic<std::int64_t> queued{0};
  std::atomic<std::uint64_t> dropped{0};  // by those who log
  std::atomic<std::uint64_t> burst{0};    // by the handler
  std::atomic<std::uint64_t> flushed{0};
  std::atomic<bool> stuck{false};  // somebody has waited in vain, and it has not moved since
};

struct handler_entry {
  std::shared_ptr<handler_link> link;
  std::vector<logger::named_filter> filters;
};

struct log_table {
  std::vector<logger::named_filter> filters;
  std::vector<handler_entry> handlers;
  pid keeper{};

  [[nodiscard]] handler_entry const* find(std::string_view id) const noexcept;
  /// Whether it is a process of the logger: those never wait for one another.
  [[nodiscard]] bool owns(pid process) const noexcept;
};

/// Ownership: of the node; see node_log.hpp.
/// Threads:   any.
/// Invariant: a level of a module that is set is found by every look that begins afterwards.
/// Ordering:  [LM1] count_ shows the slots below it; table_ is guarded by mutex_.
class log_core final : public node_log {
 public:
  static constexpr std::size_t max_modules = 64;

  /// Of the calling thread's node; null: it works for none, or nothing has been set there yet.
  static log_core* current() noexcept { return static_cast<log_core*>(current_node_log()); }
  /// Throws: error(not_in_process) if it works for no node.
  static log_core& here();

  // --- levels ---
  [[nodiscard]] logger::level level() const noexcept {
    return level_.load(std::memory_order_relaxed);
  }
  void set_level(logger::level at) noexcept { level_.store(at, std::memory_order_relaxed); }
  /// Throws: error(system_limit).
  void set_module_level(std::uint64_t module, logger::level at);
  void unset_module_level(std::uint64_t module) noexcept;
  [[nodiscard]] bool allows(std::uint64_t module, logger::level at) const noexcept;

  // --- events ---
  enum class may_wait : bool { no, yes };
  /// Hands it to the handlers; moves from it. False: there are none, and nothing has happened.
  bool dispatch(logger::event& e, may_wait wait) noexcept;
  bool take(node_event const& event) noexcept override;

  // --- the table ---
  [[nodiscard]] std::shared_ptr<log_table const> table() const;
  /// Replaces the table by a changed copy of it; `change` says whether there was anything to
  /// change.
  bool change(std::function<bool(log_table&)> const& change);

 private:
  /// Runs the filters; one that throws is removed.
  bool pass(std::vector<logger::named_filter> const& filters, logger::event const& e,
            std::string_view handler);
  void drop_failed(std::string const& filter, std::string_view handler, exit_reason const& why);
  void deliver(log_table const& table, handler_link& handler, shared<logger::event> const& what,
               may_wait wait);

  struct module_slot {
    std::atomic<std::uint64_t> module{0};  // hash of its name
    std::atomic<std::uint8_t> level{0};    // no_level: it has none of its own
  };
  static constexpr std::uint8_t no_level = 255;

  std::atomic<logger::level> level_;
  std::atomic<std::size_t> count_{0};
  std::array<module_slot, max_modules> modules_;
  mutable std::mutex mutex_;
  std::shared_ptr<log_table const> table_;  // guarded by mutex_; never null

 public:
  log_core();
};

// --- making events ---

/// With what the calling thread says of itself: its process, and the time. Never longer than
/// max_event. Throws: std::bad_alloc; what a field's value throws is told in its place.
logger::event make_log_event(logger::level at, std::string_view module, std::string_view text,
                             std::initializer_list<logger::field> fields = {},
                             std::source_location const* where = nullptr);
/// Cuts what is too long.
void bound_log_event(logger::event& e);

/// The whole event as a text: what happened, and each field behind it or in a line of its own.
std::string log_event_text(logger::event const& e);

/// Logs `e` if its level is logged; without handlers it is handed on as node_event of that kind.
void log_or_report(logger::event& e, node_event::kind kind) noexcept;

/// True in a filter, and while a field's value is printed. What is logged there is dropped.
bool log_runs_user_code() noexcept;

/// The module of what otter itself reports.
inline constexpr std::string_view otter_module = "otter";

}  // namespace otter::detail
