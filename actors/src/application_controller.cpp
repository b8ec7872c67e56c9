// The process that knows which applications there are, and starts and stops them.

#include "application_controller.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/reactive.hpp>
#include <utility>

#include "application_master.hpp"
#include "child.hpp"
#include "report.hpp"
#include "running_tables.hpp"

namespace otter::detail {

using application::result;
using application::specification;

namespace {

tl::unexpected<application::error> refuse(application::error::kind what, std::string name,
                                          exit_reason reason = {}) {
  return tl::unexpected<application::error>({what, std::move(name), std::move(reason)});
}

std::string_view text_of(restart_type type) noexcept {
  switch (type) {
    case restart_type::permanent:
      return "permanent";
    case restart_type::transient:
      return "transient";
    case restart_type::temporary:
      break;
  }
  return "temporary";
}

/// Whether the node goes down with an application that has ended by itself (APP-8, APP-10).
bool takes_the_node_down(restart_type type, exit_reason const& reason) noexcept {
  if (type == restart_type::transient) return !(reason == exit_kind::normal);
  return type == restart_type::permanent;
}

bool contains(std::vector<spec_ptr> const& all, std::string_view name) {
  return std::any_of(all.begin(), all.end(), [&](spec_ptr const& s) { return s->name == name; });
}

}  // namespace

/// It never waits for an application, but when it ends: then one after the other stops (APP-14).
///
/// Ownership: of the masters, by links. Threads: its own process.
/// Invariant: an application that starts, runs or stops has one entry. Those that run are in the
///            order in which they began to, so that what one needs stands before it.
class application_controller : public gen_server<application_controller> {
 public:
  using accepts = otter::accepts<load_application, unload_application, start_application,
                                 stop_application, replace_configuration, stop_whole_node,
                                 application_began, application_failed, application_ended>;

  explicit application_controller(application::options how)
      : shutdown_timeout_(how.shutdown_timeout),
        shared_(std::make_shared<application_table>(std::move(how.config))),
        table_(shared_) {
    trap_exit(true);
    for (specification& s : how.known)
      known_.push_back(std::make_shared<specification const>(std::move(s)));
  }

  // --- what is asked ---

  result<void> handle_call(load_application m) {
    return m.spec != nullptr ? load(std::move(m.spec)) : load(m.name);
  }

  result<void> handle_call(unload_application const& m) {
    if (find(m.name) != nullptr) return refuse(application::error::kind::running, m.name);
    spec_ptr const spec = table_->find(m.name);
    if (spec == nullptr) return refuse(application::error::kind::not_loaded, m.name);
    std::vector<spec_ptr> with = {spec};
    add_included(*spec, with);
    for (spec_ptr const& s : with)
      if (find(s->name) == nullptr) table_->unload(s->name);
    return {};
  }

  call_outcome<result<void>> handle_call(start_application const& m,
                                         caller<start_application> who) {
    if (auto answer = begin(m, who)) return std::move(*answer);
    return noreply();
  }

  call_outcome<result<void>> handle_call(stop_application const& m, caller<stop_application> who) {
    entry* const e = find(m.name);
    if (e == nullptr || e->now == state::starting)
      return result<void>(refuse(application::error::kind::not_started, m.name));
    if (!e->master) {
      report_stopped(remove(*e));
      return result<void>();
    }
    if (e->now == state::running) otter::exit(e->master, exit_reason::shutdown());
    e->now = state::stopping;
    e->waiting.push_back(who);
    return noreply();
  }

  result<std::vector<application_table::affected>> handle_call(replace_configuration m) {
    for (spec_ptr const& spec : table_->loaded()) {
      std::string const wrong = application_table::wrong_with(m.config, *spec);
      if (!wrong.empty())
        return refuse(application::error::kind::invalid, spec->name, exit_reason::of(wrong));
    }
    return table_->replace_config(std::move(m.config));
  }

  otter::outcome handle_cast(stop_whole_node m) {
    return stop(exit_reason::shutdown(application::node_stopped{m.status}));
  }

  // --- what masters tell ---

  void handle_cast(application_began m) {
    auto const at = of_master(m.master);
    if (at == entries_.end() || at->now != state::starting) return;
    std::rotate(at, at + 1, entries_.end());  // it runs behind those that ran before
    entry& e = entries_.back();
    e.now = state::running;
    table_->began({e.spec, m.master, m.top});
    report_started(e);
    for (from const& who : std::exchange(e.waiting, {})) otter::reply(who, result<void>());
  }
  void handle_cast(application_failed m) { note_end(m.master, std::move(m.why)); }
  void handle_cast(application_ended m) { note_end(m.master, std::move(m.reason)); }

  otter::outcome handle_info(exited const& end) {
    auto const at = of_master(end.process);
    if (at == entries_.end()) return noreply();
    entry const gone = remove(*at);
    // A master that was ended before it could see to that itself.
    if (!gone.told) kill_group(gone.master);
    exit_reason const why = gone.told.value_or(end.reason);
    switch (gone.now) {
      case state::starting:
        answer(gone, refuse(application::error::kind::start_failed, gone.spec->name, why));
        break;
      case state::stopping:
        report_stopped(gone);
        answer(gone, {});
        break;
      case state::running:
        report_ended(gone, why);
        if (takes_the_node_down(gone.type, why))
          return stop(exit_reason::shutdown(application::terminated{gone.spec->name, why}));
        break;
    }
    begin_those_that_wait(gone.spec->name);
    return noreply();
  }

  /// All stop, the last one first, each within its time (APP-11).
  void terminate(exit_reason const&) {
    table_->begin_shutdown();
    while (!entries_.empty()) {
      entry const last = remove(entries_.back());
      if (last.master) stop_in_time(last);
      if (last.now == state::starting)
        answer(last, refuse(application::error::kind::shutting_down, last.spec->name));
      else
        answer(last, {});
    }
    for (later const& l : later_)
      otter::reply(l.who,
                   result<void>(refuse(application::error::kind::shutting_down, l.what.name)));
  }

  std::string format_status() const {
    std::string all = "applications:";
    for (entry const& e : entries_) all += fmt::format(" {} ({})", e.spec->name, text_of(e.type));
    return all;
  }

 private:
  enum class state : unsigned char { starting, running, stopping };
  struct entry {
    spec_ptr spec;
    restart_type type;
    pid master;  // none: a library
    state now;
    std::vector<from> waiting;          // for its start, or its stop
    std::optional<exit_reason> told{};  // by its master, about to end: why
  };
  /// A start of an application that stops just now.
  struct later {
    start_application what;
    from who;
  };
  using entries = std::vector<entry>;

  entry* find(std::string_view name) {
    auto const at = std::find_if(entries_.begin(), entries_.end(),
                                 [&](entry const& e) { return e.spec->name == name; });
    return at != entries_.end() ? &*at : nullptr;
  }
  entries::iterator of_master(pid master) {
    // Exit signals from outside are nobody's, and libraries have no master.
    return std::find_if(entries_.begin(), entries_.end(),
                        [&](entry const& e) { return master && e.master == master; });
  }
  entry remove(entry& e) {
    entry gone = std::move(e);
    entries_.erase(entries_.begin() + (&e - entries_.data()));
    table_->ended(gone.spec->name);
    table_->drop_master(gone.master);
    return gone;
  }
  void note_end(pid master, exit_reason why) {
    auto const at = of_master(master);
    if (at != entries_.end()) at->told = std::move(why);
  }
  static void answer(entry const& e, result<void> const& what) {
    for (from const& who : e.waiting) otter::reply(who, what);
  }

  // --- loading ---

  spec_ptr known(std::string_view name) const {
    auto const at = std::find_if(known_.begin(), known_.end(),
                                 [&](spec_ptr const& s) { return s->name == name; });
    return at != known_.end() ? *at : nullptr;
  }

  /// Adds to `all` what `spec` includes, and what that includes. Gives the first that nobody knows.
  std::optional<std::string> add_included(specification const& spec,
                                          std::vector<spec_ptr>& all) const {
    for (std::string const& name : spec.included_applications) {
      if (contains(all, name)) continue;
      spec_ptr included = table_->find(name);
      if (included == nullptr) included = known(name);
      if (included == nullptr) return name;
      all.push_back(included);
      if (auto missing = add_included(*included, all)) return missing;
    }
    return std::nullopt;
  }

  result<void> load(std::string_view name) {
    spec_ptr spec = known(name);
    if (spec == nullptr && table_->find(name) == nullptr)
      return refuse(application::error::kind::not_found, std::string(name));
    return load(spec != nullptr ? std::move(spec) : table_->find(name));
  }

  result<void> load(spec_ptr spec) {
    if (table_->find(spec->name) != nullptr)
      return refuse(application::error::kind::already_loaded, spec->name);
    std::vector<spec_ptr> with = {std::move(spec)};
    if (auto missing = add_included(*with.front(), with))
      return refuse(application::error::kind::not_found, std::move(*missing));
    std::erase_if(with, [&](spec_ptr const& s) { return table_->find(s->name) != nullptr; });
    for (spec_ptr const& s : with) {
      if (std::string const wrong = wrong_with(*s); !wrong.empty())
        return refuse(application::error::kind::invalid, s->name, exit_reason::of(wrong));
    }
    for (spec_ptr& s : with) table_->load(std::move(s));
    return {};
  }

  std::string wrong_with(specification const& spec) const {
    if (spec.name.empty()) return "its name is empty";
    for (std::string const& name : spec.registered) {
      std::string const owner = table_->owner_of_name(name);
      if (!owner.empty())
        return fmt::format("it registers the name \"{}\", and so does application \"{}\"", name,
                           owner);
    }
    return table_->wrong_with_config(spec);
  }

  // --- starting ---

  /// Begins a start. The answer, if it is known already.
  std::optional<result<void>> begin(start_application const& m, from who) {
    if (entry* const e = find(m.name)) {
      if (e->now == state::running)
        return refuse(application::error::kind::already_started, m.name);
      if (e->now == state::starting)
        e->waiting.push_back(who);
      else
        later_.push_back({m, who});
      return std::nullopt;
    }
    if (table_->find(m.name) == nullptr) {
      if (auto loaded = load(m.name); !loaded) return loaded;
    }
    spec_ptr const spec = table_->find(m.name);
    if (auto missing = missing_need(*spec))
      return refuse(application::error::kind::not_started, std::move(*missing));
    if (!spec->mod) {
      entries_.push_back({spec, m.type, {}, state::running, {}});
      table_->began({spec, {}, {}});
      report_started(entries_.back());
      return result<void>();
    }
    std::vector<spec_ptr> included = {spec};
    add_included(*spec, included);
    included.erase(included.begin());
    entries_.push_back({spec, m.type, {}, state::starting, {who}});
    entries_.back().master = spawn_application_master({spec, std::move(included), self(), shared_});
    return std::nullopt;
  }

  /// The first application that does not run and should.
  std::optional<std::string> missing_need(specification const& spec) {
    auto const& optional = spec.optional_applications;
    for (std::string const& need : spec.applications) {
      if (std::find(optional.begin(), optional.end(), need) != optional.end()) continue;
      entry const* const e = find(need);
      if (e == nullptr || e->now != state::running) return need;
    }
    return std::nullopt;
  }

  void begin_those_that_wait(std::string_view name) {
    for (later& l : std::exchange(later_, {})) {
      if (l.what.name != name)
        later_.push_back(std::move(l));
      else if (auto answer = begin(l.what, l.who))
        otter::reply(l.who, std::move(*answer));
    }
  }

  // --- stopping ---

  void stop_in_time(entry const& e) {
    exit_reason const why = stop_child(e.master, shutdown_timeout_, child_type::supervisor);
    if (why.is_normal_exit()) return report_stopped(e);
    kill_group(e.master);
    table_->note_killed(e.spec->name);
    report_application(e.spec->name,
                       fmt::format("it has not stopped within {} s, and was killed",
                                   std::chrono::duration<double>(shutdown_timeout_).count()),
                       why);
  }

  // --- reports (LOG-6) ---

  static void report(entry const& e, logger::level at, node_event::kind kind, std::string text,
                     facts more) noexcept {
    if (!wants_report(at)) return;
    defer_exit while_reporting;
    try {
      facts all = {{"application", e.spec->name}, {"type", std::string(text_of(e.type))}};
      for (logger::named_value& v : more) all.push_back(std::move(v));
      log_report(at, fmt::format("application \"{}\" {}", e.spec->name, text), std::move(all),
                 kind);
    } catch (std::exception const&) {
      // no memory for a report: it goes on without it
    }
  }
  static void report_started(entry const& e) {
    facts more = {{"vsn", e.spec->vsn}};
    if (e.master) more.push_back({"pid", to_string(e.master)});
    report(e, logger::level::info, node_event::kind::progress,
           fmt::format("has started, {}", text_of(e.type)), std::move(more));
  }
  static void report_stopped(entry const& e) {
    report(e, logger::level::notice, node_event::kind::progress,
           fmt::format("has been stopped, {}", text_of(e.type)),
           {{"exited", std::string("stopped")}});
  }
  static void report_ended(entry const& e, exit_reason const& why) {
    bool const fatal = takes_the_node_down(e.type, why);
    report(e, fatal ? logger::level::error : logger::level::notice,
           fatal ? node_event::kind::failure : node_event::kind::report,
           fmt::format("has ended by itself, {}{}: {}", text_of(e.type),
                       fatal ? ", and so all applications stop" : "", why),
           {{"exited", to_string(why)}});
  }

  duration const shutdown_timeout_;
  std::shared_ptr<application_table> const shared_;
  published<application_table> table_;
  std::vector<spec_ptr> known_;
  entries entries_;
  std::vector<later> later_;
};

}  // namespace otter::detail

namespace otter::application {

start_result<otter::detail::application_controller> start_link(options how) {
  how.shutdown_timeout = otter::detail::checked_limit(how.shutdown_timeout);
  return otter::detail::application_controller::start_link(
      start_options{.name = std::string(otter::detail::application_controller_name)},
      std::move(how));
}

}  // namespace otter::application
