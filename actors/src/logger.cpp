// The logger of a node: its process, and what others ask of it.

#include <fmt/format.h>

#include <algorithm>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/logger.hpp>
#include <otter/timer.hpp>
#include <utility>

#include "log_core.hpp"
#include "log_handler.hpp"

namespace otter {
namespace detail {

constexpr std::string_view keeper_name = "logger";
/// A worker has five seconds to stop; the handlers together get four of them.
constexpr duration finish_limit = std::chrono::seconds(4);

struct add_log_handler {
  using reply = tl::expected<void, exit_reason>;
  logger::handler_options options;
};
struct remove_log_handler {
  using reply = bool;
  std::string id;
};

/// While it lives, the table is a keeper's.
///
/// Threads: the keeper's. It is destroyed with the keeper's object, however that ends and before
/// anybody hears of it: from then on events go where they go without a logger.
class kept_table {
 public:
  explicit kept_table(logger::options const& how) : core_(log_core::here()) {
    core_.change([&](log_table& t) {
      t = {how.filters, {}, self()};
      return true;
    });
  }
  ~kept_table() {
    try {
      core_.change([](log_table& t) {
        t = {};
        return true;
      });
    } catch (std::bad_alloc const&) {
      // events go to handlers that have ended
    }
  }
  kept_table(kept_table const&) = delete;
  kept_table& operator=(kept_table const&) = delete;

  void add(std::shared_ptr<handler_link> link, std::vector<logger::named_filter> filters) {
    core_.change([&](log_table& t) {
      t.handlers.push_back({std::move(link), std::move(filters)});
      return true;
    });
  }
  /// The handler that `is` says; from now on it gets no events.
  template <class Is>
  std::shared_ptr<handler_link> remove(Is is) {
    std::shared_ptr<handler_link> gone;
    core_.change([&](log_table& t) {
      auto const at = std::find_if(t.handlers.begin(), t.handlers.end(),
                                   [&](handler_entry const& h) { return is(*h.link); });
      if (at == t.handlers.end()) return false;
      gone = at->link;
      t.handlers.erase(at);
      return true;
    });
    return gone;
  }
  log_core& core() noexcept { return core_; }

 private:
  log_core& core_;
};

/// The logger's process.
///
/// Ownership: of the handlers, by links. Threads: its own.
class log_keeper : public gen_server<log_keeper> {
 public:
  using accepts = otter::accepts<add_log_handler, remove_log_handler>;

  explicit log_keeper(logger::options how) : table_(how) {
    trap_exit(true);
    table_.core().set_level(how.level);
    for (logger::handler_options& h : how.handlers)
      if (auto added = add(std::move(h)); !added) throw process_exit(std::move(added.error()));
  }

  tl::expected<void, exit_reason> handle_call(add_log_handler m) {
    return add(std::move(m.options));
  }
  bool handle_call(remove_log_handler m) {
    auto const gone = table_.remove([&](handler_link const& h) { return h.id == m.id; });
    if (!gone) return false;
    finish(*gone, finish_limit);
    return true;
  }

  void handle_info(exited end) {
    auto const gone =
        table_.remove([&](handler_link const& h) { return h.process == end.process; });
    if (!gone) return;  // one that was removed
    logger::event e = make_log_event(logger::level::error, otter_module,
                                     "a handler of the log has failed and is removed",
                                     {{"handler", gone->id}, {"reason", end.reason}});
    log_or_report(e, node_event::kind::report);
  }

  /// What is logged from here on is not the handlers': they write what they have.
  void terminate(exit_reason const&) {
    auto const due = node_clock::now() + finish_limit;
    auto const any = [](handler_link const&) { return true; };
    while (auto const gone = table_.remove(any))
      finish(*gone, std::max(due - node_clock::now(), duration::zero()));
  }

 private:
  tl::expected<void, exit_reason> add(logger::handler_options options) {
    auto const refuse = [](exit_reason why) { return tl::unexpected<exit_reason>(std::move(why)); };
    if (options.id.empty() || !options.open || !options.format)
      return refuse(exit_reason::error("badarg", "a handler needs an id, open and format"));
    if (table_.core().table()->find(options.id) != nullptr)
      return refuse(exit_reason::error(
          "already_present", fmt::format("there is a handler \"{}\" already", options.id)));
    auto link = std::make_shared<handler_link>();
    link->id = options.id;
    link->limits = options.overload;
    link->level.store(options.level, std::memory_order_relaxed);
    auto filters = std::move(options.filters);
    auto started = log_handler::start_link(
        start_options{.spawn = {.label = fmt::format("log handler {}", options.id)}},
        std::move(options), link);
    if (!started) return refuse(started.error().to_reason());
    link->process = *started;
    table_.add(std::move(link), std::move(filters));
    return {};
  }

  /// Events that are in its mailbox come before this; it answers when all is written.
  static void finish(handler_link const& handler, duration limit) {
    // One that does not come to it in time is killed: its device is stuck.
    if (!try_call(handler.process, log_finish{}, limit)) {
      unlink(handler.process);
      otter::exit(handler.process, exit_reason::kill());
    }
  }

  kept_table table_;
};

}  // namespace detail

namespace logger {

using otter::detail::handler_entry;
using otter::detail::log_core;
using otter::detail::log_table;

// --- logging ---

bool module_log::allows(level at) const noexcept {
  log_core const* const core = log_core::current();
  return core != nullptr ? core->allows(hash_, at) : at <= default_level;
}

void module_log::write(level at, std::string_view text, std::initializer_list<field> fields,
                       std::source_location const& where) const noexcept {
  if (otter::detail::log_runs_user_code()) return;
  try {
    event e = otter::detail::make_log_event(at, name_, text, fields, &where);
    log_core* const core = log_core::current();
    if (core != nullptr && core->dispatch(e, log_core::may_wait::yes)) return;
    otter::detail::hand_on({node_event::kind::report, e.process, otter::detail::log_event_text(e)},
                           false);
  } catch (std::exception const&) {
    // no memory: an event less
  }
}

bool sync(duration limit) {
  log_core* const core = log_core::current();
  if (core == nullptr) return true;
  auto const begin = node_clock::now();
  bool all = true;
  for (handler_entry const& h : core->table()->handlers) {
    duration const left = limit == infinity
                              ? infinity
                              : std::max(limit - (node_clock::now() - begin), duration::zero());
    if (!try_call(h.link->process, otter::detail::log_written{}, left)) all = false;
  }
  return all;
}

// --- the process ---

start_result<otter::detail::log_keeper> start_link(options how) {
  return otter::detail::log_keeper::start_link(
      start_options{.name = std::string(otter::detail::keeper_name)}, std::move(how));
}

tl::expected<void, exit_reason> add_handler(handler_options handler) {
  return call(otter::detail::keeper_name, otter::detail::add_log_handler{std::move(handler)},
              infinity);
}
bool remove_handler(std::string_view id) {
  return call(otter::detail::keeper_name, otter::detail::remove_log_handler{std::string(id)},
              infinity);
}

// --- settings ---

void set_level(level at) { log_core::here().set_level(at); }
level get_level() noexcept {
  log_core const* const core = log_core::current();
  return core != nullptr ? core->level() : default_level;
}
void set_module_level(std::string_view module, level at) {
  log_core::here().set_module_level(otter::detail::hash_text(module.substr(0, 64)), at);
}
void unset_module_level(std::string_view module) {
  log_core::here().unset_module_level(otter::detail::hash_text(module.substr(0, 64)));
}

std::vector<handler_info> handlers() {
  std::vector<handler_info> all;
  log_core const* const core = log_core::current();
  if (core == nullptr) return all;
  for (handler_entry const& h : core->table()->handlers) {
    auto const now = [](auto const& n) { return n.load(std::memory_order_relaxed); };
    all.push_back({h.link->id, now(h.link->level), h.link->process,
                   static_cast<std::uint64_t>(std::max<std::int64_t>(0, now(h.link->queued))),
                   now(h.link->dropped), now(h.link->burst), now(h.link->flushed)});
  }
  return all;
}

bool set_handler_level(std::string_view id, level at) {
  auto const table = log_core::here().table();
  handler_entry const* const h = table->find(id);
  if (h == nullptr) return false;
  h->link->level.store(at, std::memory_order_relaxed);
  return true;
}

namespace {

/// The filters of a handler, or of all; null if there is no such handler.
std::vector<named_filter>* filters_of(log_table& t, std::string_view handler) {
  if (handler.empty()) return &t.filters;
  for (handler_entry& h : t.handlers)
    if (h.link->id == handler) return &h.filters;
  return nullptr;
}

}  // namespace

bool add_filter(named_filter added, std::string_view handler) {
  return log_core::here().change([&](log_table& t) {
    auto* const filters = filters_of(t, handler);
    if (filters == nullptr || !added.judge) return false;
    for (named_filter const& f : *filters)
      if (f.id == added.id) return false;
    filters->push_back(added);
    return true;
  });
}

bool remove_filter(std::string_view id, std::string_view handler) {
  return log_core::here().change([&](log_table& t) {
    auto* const filters = filters_of(t, handler);
    return filters != nullptr &&
           std::erase_if(*filters, [&](named_filter const& f) { return f.id == id; }) != 0;
  });
}

}  // namespace logger
}  // namespace otter
