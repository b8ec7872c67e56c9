#include "log_core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/logger.hpp>
#include <otter/spawn.hpp>
#include <utility>

namespace otter::detail {
namespace {

/// True while a user's code runs for an event: what it logs itself would come back to it, and is
/// dropped. Such code runs under no_suspend, so that nobody else meets the flag on this thread.
thread_local bool in_user_code = false;

class user_code_of_log {
 public:
  user_code_of_log() noexcept : before_(std::exchange(in_user_code, true)) {}
  ~user_code_of_log() { in_user_code = before_; }
  user_code_of_log(user_code_of_log const&) = delete;
  user_code_of_log& operator=(user_code_of_log const&) = delete;

 private:
  no_suspend guard_;
  bool before_;
};

std::string cut(std::string_view text, std::size_t limit) {
  text_sink out(limit);
  out.put(text);
  return std::move(out).take();
}

std::string_view file_of(std::source_location const* where) noexcept {
  if (where == nullptr) return {};
  std::string_view const path = where->file_name();
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::size_t size_of(logger::named_value const& v) noexcept {
  auto const* text = std::get_if<std::string>(&v.what);
  return v.name.size() + (text != nullptr ? text->size() : sizeof(std::int64_t));
}

/// Adds a field while there is room; `left` is what remains of max_event.
void add_field(logger::event& e, logger::named_value&& v, std::size_t& left) {
  std::size_t const size = size_of(v);
  left -= std::min(left, size);
  e.fields.push_back(std::move(v));
}

bool has_room(logger::event const& e, std::size_t left) noexcept {
  return e.fields.size() < logger::max_fields && left > 64;
}

}  // namespace

// --- making events ---

logger::event make_log_event(logger::level at, std::string_view module, std::string_view text,
                             std::initializer_list<logger::field> fields,
                             std::source_location const* where) {
  logger::event e;
  e.level = at;
  e.module = cut(module, 64);
  e.text = cut(text, logger::max_text);
  e.process = logging_process();
  e.time = system_time();
  e.file = cut(file_of(where), 64);
  e.line = where != nullptr ? where->line() : 0;
  std::size_t left = logger::max_event - e.text.size();
  e.fields.reserve(std::min(fields.size(), logger::max_fields));
  user_code_of_log guard;
  for (logger::field const& f : fields) {
    if (!has_room(e, left)) break;
    logger::named_value v{cut(f.name(), 64), false};
    try {
      v.what = f.read(std::min(logger::max_text, left));
    } catch (std::bad_alloc const&) {
      throw;
    } catch (...) {
      v.what = std::string("<cannot be printed: an exception>");
    }
    add_field(e, std::move(v), left);
  }
  return e;
}

void bound_log_event(logger::event& e) {
  e.text = cut(e.text, logger::max_text);
  std::size_t left = logger::max_event - e.text.size();
  std::vector<logger::named_value> all = std::exchange(e.fields, {});
  e.fields.reserve(std::min(all.size(), logger::max_fields));
  for (logger::named_value& v : all) {
    if (!has_room(e, left)) break;
    if (auto* text = std::get_if<std::string>(&v.what))
      *text = cut(*text, std::min(logger::max_text, left));
    add_field(e, std::move(v), left);
  }
}

// --- levels ---

log_core::log_core() : level_(logger::default_level), table_(std::make_shared<log_table>()) {}

log_core& log_core::here() {
  node_log* const log =
      make_node_log([]() -> std::unique_ptr<node_log> { return std::make_unique<log_core>(); });
  if (log == nullptr)
    throw error(errc::not_in_process,
                "the logger of which node? use an attached_thread, or call it in a process");
  return static_cast<log_core&>(*log);
}

void log_core::set_module_level(std::uint64_t module, logger::level at) {
  std::lock_guard lock(mutex_);
  std::size_t const count = count_.load(std::memory_order_relaxed);  // changed under the mutex only
  module_slot* free = nullptr;
  for (std::size_t i = 0; i != count; ++i) {
    if (modules_[i].module.load(std::memory_order_relaxed) != module) continue;
    free = &modules_[i];
    break;
  }
  if (free == nullptr) {
    if (count == max_modules)
      throw error(
          errc::system_limit,
          fmt::format("{} modules have a level of their own, which is the most", max_modules));
    modules_[count].module.store(module, std::memory_order_relaxed);
    modules_[count].level.store(static_cast<std::uint8_t>(at), std::memory_order_relaxed);
    count_.store(count + 1, std::memory_order_release);  // [LM1]
    return;
  }
  free->level.store(static_cast<std::uint8_t>(at), std::memory_order_relaxed);
}

void log_core::unset_module_level(std::uint64_t module) noexcept {
  std::lock_guard lock(mutex_);
  std::size_t const count = count_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i != count; ++i)  // its slot stays: it may come again
    if (modules_[i].module.load(std::memory_order_relaxed) == module)
      modules_[i].level.store(no_level, std::memory_order_relaxed);
}

bool log_core::allows(std::uint64_t module, logger::level at) const noexcept {
  std::size_t const count = count_.load(std::memory_order_acquire);  // [LM1]
  for (std::size_t i = 0; i != count; ++i) {
    if (modules_[i].module.load(std::memory_order_relaxed) != module) continue;
    std::uint8_t const own = modules_[i].level.load(std::memory_order_relaxed);
    if (own != no_level) return static_cast<std::uint8_t>(at) <= own;
    break;
  }
  return at <= level();
}

// --- the table ---

handler_entry const* log_table::find(std::string_view id) const noexcept {
  for (handler_entry const& h : handlers)
    if (h.link->id == id) return &h;
  return nullptr;
}

bool log_table::owns(pid process) const noexcept {
  return process == keeper ||
         std::any_of(handlers.begin(), handlers.end(),
                     [&](handler_entry const& h) { return h.link->process == process; });
}

std::shared_ptr<log_table const> log_core::table() const {
  std::lock_guard lock(mutex_);
  return table_;
}

bool log_core::change(std::function<bool(log_table&)> const& change) {
  std::shared_ptr<log_table const> old;  // destroyed without the lock: filters are a user's
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<log_table>(*table_);
  if (!change(*next)) return false;
  old = std::exchange(table_, std::move(next));
  return true;
}

// --- events ---

bool log_core::dispatch(logger::event& e, may_wait wait) noexcept {
  try {
    auto const now = table();
    if (now->handlers.empty()) return false;
    if (in_user_code || !pass(now->filters, e, {})) return true;
    shared<logger::event> const what = share(std::move(e));
    for (handler_entry const& h : now->handlers) {
      // What a handler logs does not come back to it, or a device that logs would never end.
      if (what->level > h.link->level.load(std::memory_order_relaxed) ||
          (what->process && what->process == h.link->process) ||
          !pass(h.filters, *what, h.link->id))
        continue;
      deliver(*now, *h.link, what, wait);
    }
  } catch (std::exception const&) {
    // no memory: an event less
  }
  return true;
}

bool log_core::pass(std::vector<logger::named_filter> const& filters, logger::event const& e,
                    std::string_view handler) {
  for (logger::named_filter const& f : filters) {
    exit_reason why;
    try {
      user_code_of_log guard;
      switch (f.judge(e)) {
        case logger::verdict::log:
          return true;
        case logger::verdict::stop:
          return false;
        case logger::verdict::ignore:
          continue;
      }
    } catch (...) {
      why = exit_reason::from_current_exception("filter");
    }
    drop_failed(f.id, handler, why);
  }
  return true;
}

void log_core::drop_failed(std::string const& filter, std::string_view handler,
                           exit_reason const& why) {
  bool const gone = change([&](log_table& t) {
    auto const remove = [&](std::vector<logger::named_filter>& from) {
      return std::erase_if(from, [&](logger::named_filter const& f) { return f.id == filter; }) !=
             0;
    };
    if (handler.empty()) return remove(t.filters);
    for (handler_entry& h : t.handlers)
      if (h.link->id == handler) return remove(h.filters);
    return false;
  });
  if (!gone) return;  // somebody else has removed it, and says so
  logger::event e = make_log_event(logger::level::error, otter_module,
                                   "a filter of the log has failed and is removed",
                                   {{"filter", filter}, {"handler", handler}, {"reason", why}});
  log_or_report(e, node_event::kind::report);
}

void log_core::deliver(log_table const& table, handler_link& handler,
                       shared<logger::event> const& what, may_wait wait) {
  auto const queued = handler.queued.fetch_add(1, std::memory_order_relaxed);
  if (queued >= handler.limits.drop_mode_qlen) {
    handler.queued.fetch_sub(1, std::memory_order_relaxed);
    handler.dropped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  try {
    post(handler.process, log_record{what});
  } catch (...) {
    handler.queued.fetch_sub(1, std::memory_order_relaxed);
    handler.dropped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (wait == may_wait::no || queued < handler.limits.sync_mode_qlen ||
      handler.stuck.load(std::memory_order_relaxed) || !detail::may_wait() || table.owns(self()))
    return;
  try {
    // The record is on its way whatever happens here; a late answer costs nothing.
    defer_exit guard;
    auto const done = try_call(handler.process, log_written{}, handler.limits.sync_limit);
    if (!done && done.error() == exit_kind::timeout)
      handler.stuck.store(true, std::memory_order_relaxed);
  } catch (std::exception const&) {
    // not here, then
  } catch (process_exit const&) {
    // it ends when it has logged
  }
}

bool log_runs_user_code() noexcept { return in_user_code; }

namespace {

logger::level level_of(node_event::kind kind) noexcept {
  switch (kind) {
    case node_event::kind::crash:
    case node_event::kind::process_abandoned:
    case node_event::kind::failure:
      return logger::level::error;
    case node_event::kind::stall:
    case node_event::kind::large_heap:
    case node_event::kind::long_queue:
    case node_event::kind::report:
      return logger::level::warning;
    case node_event::kind::code:
      return logger::level::notice;
    case node_event::kind::progress:
      return logger::level::info;
  }
  return logger::level::warning;
}

char const* name_of(node_event::kind kind) noexcept {
  switch (kind) {
    case node_event::kind::crash:
      return "crash";
    case node_event::kind::process_abandoned:
      return "process_abandoned";
    case node_event::kind::failure:
      return "failure";
    case node_event::kind::stall:
      return "stall";
    case node_event::kind::large_heap:
      return "large_heap";
    case node_event::kind::long_queue:
      return "long_queue";
    case node_event::kind::progress:
      return "progress";
    case node_event::kind::code:
      return "code";
    case node_event::kind::report:
      break;
  }
  return "report";
}

}  // namespace

/// What the runtime itself tells. It may be in the middle of a death or hold the process table's
/// attention: nobody is made to wait.
bool log_core::take(node_event const& event) noexcept {
  try {
    if (in_user_code || table()->handlers.empty()) return false;
    logger::level const at = level_of(event.what);
    if (!allows(hash_text(otter_module), at)) return true;
    // The first line is what happened, the rest details: a backtrace, a state.
    std::size_t const end = event.text.find('\n');
    std::string what = event.text.substr(0, end);
    if (event.what == node_event::kind::crash) what = "a process has crashed: " + what;
    logger::event e = make_log_event(at, otter_module, what);
    e.is_report = true;
    if (event.process) e.process = event.process;
    e.fields.push_back({"kind", std::string(name_of(event.what))});
    if (end != std::string::npos) e.fields.push_back({"details", event.text.substr(end + 1)});
    bound_log_event(e);
    return dispatch(e, may_wait::no);
  } catch (std::exception const&) {
    return false;
  }
}

void log_or_report(logger::event& e, node_event::kind kind) noexcept {
  log_core* const core = log_core::current();
  bool const wanted = core != nullptr ? core->allows(hash_text(e.module), e.level)
                                      : e.level <= logger::default_level;
  try {
    // The text is made before the handlers have the event.
    node_event event{kind, e.process, log_event_text(e)};
    bool const taken = wanted && core != nullptr && core->dispatch(e, log_core::may_wait::yes);
    hand_on(std::move(event), taken || !wanted);
  } catch (std::exception const&) {
    // no memory: an event less
  }
}

}  // namespace otter::detail
