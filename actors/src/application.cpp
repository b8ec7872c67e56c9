// The operations on applications, as their callers see them.

#include <fmt/format.h>

#include <algorithm>
#include <otter/application.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/spawn.hpp>
#include <utility>

#include "application_controller.hpp"
#include "application_master.hpp"

namespace otter {
namespace detail {
namespace {

[[noreturn]] void throw_no_controller(std::string_view what) {
  throw_call_failed({{}, application_controller_name}, what, exit_reason::noproc());
}

/// Throws: process_exit(noproc) if there is no controller.
std::shared_ptr<application_table> table_for(std::string_view what) {
  auto table = find_application_table();
  if (table == nullptr) throw_no_controller(what);
  return table;
}

/// Asks the controller. One that stops everything answers nobody any more, and `name` says what was
/// to be done then.
template <class Request>
reply_t<Request> ask(Request request, std::string_view name) {
  auto const table = table_for(type_name<Request>());
  exit_reason why;
  if (!table->is_shutting_down()) {
    auto answer = try_call(application_controller_name, std::move(request), infinity);
    if (answer) return std::move(*answer);
    why = std::move(answer.error());
  }
  if (table->is_shutting_down())
    return tl::unexpected<application::error>(
        {application::error::kind::shutting_down, std::string(name), {}});
  throw_call_failed({{}, application_controller_name}, type_name<Request>(), std::move(why));
}

}  // namespace

std::optional<application::value> find_application_env(std::string_view application,
                                                       std::string_view key) {
  auto const table = find_application_table();
  return table != nullptr ? table->env(application, key) : std::nullopt;
}

std::optional<application::value> find_own_application_env(std::string_view key) {
  auto const table = find_application_table();
  if (table == nullptr) return std::nullopt;
  auto const own = table->application_of(group_leader());
  if (!own)
    throw otter::error(
        errc::badarg, fmt::format("get_env(\"{}\"): {} belongs to no application; say of which one",
                                  key, self()));
  return table->env(*own, key);
}

void throw_wrong_env_kind(std::string_view key, application::value const& found) {
  throw otter::error(
      errc::badarg, fmt::format("get_env(\"{}\"): it is {}, which is {}, or too large for the type "
                                "that was asked for",
                                key, found, found.kind()));
}

}  // namespace detail

namespace application {

using otter::detail::ask;
using otter::detail::find_application_table;

// --- callbacks ---

tl::expected<void, exit_reason> callbacks::start_phase(std::string_view, environment const&) {
  return {};
}

void callbacks::config_change(environment const&, environment const&,
                              std::vector<std::string> const&) {}

callback_module top_process(child_start start) {
  class only_start final : public callbacks {
   public:
    explicit only_start(child_start const& start) : start_(start) {}
    tl::expected<pid, start_error> start() override { return start_(); }

   private:
    child_start start_;
  };
  return [start = std::move(start)]() -> std::unique_ptr<callbacks> {
    return std::make_unique<only_start>(start);
  };
}

// --- what is told of them ---

std::string to_string(error const& e) {
  auto const said = [&](std::string_view what) {
    return fmt::format("application \"{}\": {}", e.application, what);
  };
  switch (e.what) {
    case error::kind::not_found:
      return said("there is no specification of that name");
    case error::kind::already_loaded:
      return said("already loaded");
    case error::kind::not_loaded:
      return said("not loaded");
    case error::kind::running:
      return said("running; stop it first");
    case error::kind::not_started:
      return said("not started");
    case error::kind::already_started:
      return said("already started");
    case error::kind::start_failed:
      return said(fmt::format("start failed: {}", e.reason));
    case error::kind::invalid:
      return said(e.reason.text());
    case error::kind::shutting_down:
      return said("refused, the node is about to stop");
  }
  return {};
}

std::string to_string(terminated const& t) {
  return fmt::format("application \"{}\" has ended: {}", t.application, t.reason);
}

std::string to_string(node_stopped const& s) {
  return fmt::format("the node was stopped, with status {}", s.status);
}

// --- operations ---

result<void> load(specification spec) {
  auto shared = std::make_shared<specification const>(std::move(spec));
  std::string const name = shared->name;
  return ask(otter::detail::load_application{std::move(shared), {}}, name);
}

result<void> load(std::string_view name) {
  return ask(otter::detail::load_application{nullptr, std::string(name)}, name);
}

result<void> unload(std::string_view name) {
  return ask(otter::detail::unload_application{std::string(name)}, name);
}

result<void> start(std::string_view name, restart_type type) {
  return ask(otter::detail::start_application{std::string(name), type}, name);
}

result<void> ensure_started(std::string_view name, restart_type type) {
  auto started = start(name, type);
  if (!started && started.error().what == error::kind::already_started &&
      started.error().application == name)
    return {};
  return started;
}

result<void> stop(std::string_view name) {
  return ask(otter::detail::stop_application{std::string(name)}, name);
}

void stop_node(int status) {
  otter::detail::table_for("application::stop_node");  // throws if there is nobody to be told
  otter::cast(otter::detail::application_controller_name, otter::detail::stop_whole_node{status});
}

namespace {

/// Starts applications and, before each, what it needs. Threads: the process that asks.
class ordered_start {
 public:
  ordered_start(restart_type type, restart_types types) : type_(type), types_(std::move(types)) {}

  result<void> start_with_needs(std::string const& name) {
    if (runs(name)) return {};
    if (std::find(path_.begin(), path_.end(), name) != path_.end()) return refuse_circle(name);
    auto loaded = load(name);
    if (!loaded && loaded.error().what != error::kind::already_loaded) return loaded;
    std::optional<specification> const spec = get_spec(name);
    if (!spec) return tl::unexpected<error>({error::kind::not_loaded, name, {}});  // just unloaded
    path_.push_back(name);
    for (std::string const& need : needs_of(*spec)) {
      auto started = start_with_needs(need);
      if (!started && !may_be_absent(*spec, need, started.error())) return started;
    }
    path_.pop_back();
    auto const own = types_.find(name);
    auto started = application::start(name, own != types_.end() ? own->second : type_);
    if (started)
      started_.push_back(name);
    else if (started.error().what == error::kind::already_started)
      return {};  // by somebody else, meanwhile
    return started;
  }

  /// Those that it has started, the last one first.
  void take_back() {
    for (auto name = started_.rbegin(); name != started_.rend(); ++name)
      static_cast<void>(application::stop(*name));  // one that has ended meanwhile is stopped
  }
  std::vector<std::string> take_started() { return std::move(started_); }

 private:
  static bool runs(std::string_view name) {
    auto const table = find_application_table();
    return table != nullptr && table->find_running(name).has_value();
  }
  static std::vector<std::string> needs_of(specification const& spec) {
    std::vector<std::string> all = spec.applications;
    for (std::string const& more : spec.optional_applications)
      if (std::find(all.begin(), all.end(), more) == all.end()) all.push_back(more);
    return all;
  }
  static bool may_be_absent(specification const& spec, std::string const& need, error const& why) {
    auto const& optional = spec.optional_applications;
    return why.what == error::kind::not_found && why.application == need &&
           std::find(optional.begin(), optional.end(), need) != optional.end();
  }
  result<void> refuse_circle(std::string const& name) const {
    auto const begin = std::find(path_.begin(), path_.end(), name);
    return tl::unexpected<error>(
        {error::kind::invalid, name,
         exit_reason::of(fmt::format("it needs itself: {} -> {}",
                                     fmt::join(begin, path_.end(), " -> "), name))});
  }

  restart_type type_;
  restart_types types_;
  std::vector<std::string> path_;  // each needs the next
  std::vector<std::string> started_;
};

}  // namespace

result<std::vector<std::string>> ensure_all_started(std::vector<std::string> const& names,
                                                    restart_type type, restart_types types) {
  ordered_start all(type, std::move(types));
  for (std::string const& name : names) {
    if (auto started = all.start_with_needs(name); !started) {
      all.take_back();
      return tl::unexpected<error>(std::move(started.error()));
    }
  }
  return all.take_started();
}

result<std::vector<std::string>> ensure_all_started(std::string_view name, restart_type type) {
  return ensure_all_started(std::vector<std::string>{std::string(name)}, type);
}

// --- looking ---

namespace {
info info_of(specification const& spec) { return {spec.name, spec.description, spec.vsn}; }
}  // namespace

std::vector<info> which_applications() {
  std::vector<info> all;
  if (auto const table = find_application_table())
    for (auto const& r : table->all_running()) all.push_back(info_of(*r.spec));
  return all;
}

std::vector<info> loaded_applications() {
  std::vector<info> all;
  if (auto const table = find_application_table())
    for (auto const& spec : table->loaded()) all.push_back(info_of(*spec));
  return all;
}

std::optional<specification> get_spec(std::string_view name) {
  auto const table = find_application_table();
  auto const spec = table != nullptr ? table->find(name) : nullptr;
  if (spec == nullptr) return std::nullopt;
  return *spec;
}

std::optional<std::string> get_application(pid process) {
  auto const table = find_application_table();
  if (table == nullptr) return std::nullopt;
  auto const leader = process_info<pid>(process, info_item::group_leader);
  return leader ? table->application_of(*leader) : std::nullopt;
}

std::optional<std::string> get_application() {
  auto const table = find_application_table();
  return table != nullptr ? table->application_of(group_leader()) : std::nullopt;
}

pid get_supervisor(std::string_view name) {
  auto const table = find_application_table();
  if (table == nullptr) return {};
  auto const running = table->find_running(name);
  return running ? running->top : pid{};
}

// --- the environment ---

environment get_all_env(std::string_view application) {
  auto const table = find_application_table();
  return table != nullptr ? table->all_env(application) : environment{};
}

void set_env(std::string_view application, std::string_view key, value what, persistence how) {
  otter::detail::table_for("application::set_env")->set_env(application, key, std::move(what), how);
}

void unset_env(std::string_view application, std::string_view key, persistence how) {
  otter::detail::table_for("application::unset_env")->set_env(application, key, std::nullopt, how);
}

result<void> change_config(configuration config) {
  auto affected = ask(otter::detail::replace_configuration{std::move(config)}, "");
  if (!affected) return tl::unexpected<error>(std::move(affected.error()));
  result<void> all;
  for (auto& a : *affected) {
    auto const done = try_call(a.master, otter::detail::env_changed{std::move(a.change)}, infinity);
    // One that has ended meanwhile needs no new values.
    if (done && !*done && all)
      all = tl::unexpected<error>({error::kind::start_failed, a.application, done->error()});
  }
  return all;
}

}  // namespace application
}  // namespace otter
