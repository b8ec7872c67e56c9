// The public functions of otter/code.hpp.
//
// Whatever changes a table of modules is done by a process of its own that is registered as
// code_server while it works: the name is the lock, and it is free again however that process ends.
// So a caller may be killed in the middle, and the load goes on. The steps are those of
// doc/code_loading.md.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <otter/blocking.hpp>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>

#include "code/code_table.hpp"
#include "code/unload.hpp"
#include "message/exit_detail.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter {
namespace rts {

namespace {

using code::load_errc;
using code::load_error;
using code::load_result;
using code::module_info;
using state = module_version::state;

constexpr char const* server_name = "code_server";

/// Of the calling process's node; null if nothing was ever loaded there.
code_table* table_if_any() {
  runtime_entry entry;
  refuse_abandoned(entry);
  return static_cast<code_table*>(here::in_process(entry).system->code().get());
}
code_table& table() {
  runtime_entry entry;
  refuse_abandoned(entry);
  return static_cast<code_table&>(
      here::in_process(entry).system->code().make([]() -> std::unique_ptr<code_watch> {
        return std::make_unique<code_table>(*here::now().system);
      }));
}

void report(node_event::kind what, std::string text) noexcept {
  runtime_entry entry;
  here const at = here::now(entry);
  if (at.system != nullptr && !entry.refused())
    at.system->report({what, at.self != nullptr ? at.self->self_pid() : pid{}, std::move(text)});
}

// --- one after the other ---

struct begin_work {
  alias_ref answer_to;
};
template <class Result>
struct work_done {
  alias_ref answer_to;
  Result result;
};

void wait_for_end(pid process) {
  monitor_ref const watch = monitor(process);
  receive_from(watch, when([&](down const& d) { return d.ref == watch; }, [](down const&) {}));
}

/// Runs `work()` in a process, when nobody else is at work; its value.
template <class Work>
auto one_at_a_time(Work work) {
  using result = decltype(work());
  for (;;) {
    spawned server;
    try {
      server =
          spawn(spawn_options{.monitor = alias_mode::reply_demonitor, .name = server_name}, [work] {
            receive([&](begin_work b) {
              otter::send(b.answer_to, work_done<result>{b.answer_to, work()});
            });
          });
    } catch (error const& e) {
      if (e.code() != errc::badarg) throw;
      if (pid const other = whereis(server_name)) wait_for_end(other);
      continue;
    }
    alias_ref const answer_to(server.ref);
    otter::send(server.process, begin_work{answer_to});
    return receive_from(server.ref,
                        when([&](work_done<result> const& d) { return d.answer_to == answer_to; },
                             [](work_done<result> d) { return std::move(d.result); }),
                        when([&](down const& d) { return d.ref == server.ref; },
                             [](down d) -> result { throw process_exit(std::move(d.reason)); }));
  }
}

// --- the end of a version's use ---

/// Kills whoever uses it, and waits for them: again and again, since those that are being killed
/// may start others. Then the version is gone. True if there was anybody.
bool end_users(code_table& modules, module_version& version) {
  bool any = false;
  for (;;) {
    std::vector<pid> const users = modules.users_or_end(version);
    if (users.empty()) return any;
    any = true;
    std::vector<monitor_ref> watched;
    for (pid const p : users) {
      watched.push_back(monitor(p));
      otter::exit(p, exit_reason::kill());
    }
    for (monitor_ref const w : watched)
      receive_from(w, when([&](down const& d) { return d.ref == w; }, [](down const&) {}));
  }
}

std::string title_of(module_version const& v) {
  return fmt::format("module {} {}", v.code.description().name, v.code.description().version);
}

/// What is done by itself, if that is wanted. Of what it says the table keeps a note.
void after_purge(code_table& modules, std::string module) {
  if (modules.unloads_purged.load(std::memory_order_relaxed))
    unload_purged(modules, module, std::chrono::seconds(1));
}

bool purge_old(code_table& modules, module_version& old) {
  bool const any = end_users(modules, old);
  report(node_event::kind::code, fmt::format("{} is purged{}", title_of(old),
                                             any ? "; processes that used it were killed" : ""));
  after_purge(modules, old.code.description().name);
  return any;
}

// --- loading ---

/// A file, or what is in it.
struct source {
  std::string file;
  std::shared_ptr<std::vector<std::byte> const> content{};
};

std::vector<source> sources_of(std::vector<std::string> files) {
  std::vector<source> all;
  for (std::string& f : files) all.push_back({std::move(f)});
  return all;
}

/// Checks them all, then maps them all. Called from: the pool.
load_result<std::vector<image>> open_all(std::vector<source> const& sources) {
  std::vector<checked_file> files;
  for (source const& s : sources) {
    auto checked = s.content ? checked_file::read(*s.content, s.file) : checked_file::read(s.file);
    if (!checked) return tl::unexpected(std::move(checked.error()));
    std::string const& name = checked->description().name;
    for (checked_file const& before : files)
      if (before.description().name == name)
        return tl::unexpected(
            load_error{load_errc::named_twice,
                       fmt::format("{}: module {} is in {} too", s.file, name, before.file())});
    files.push_back(std::move(*checked));
  }
  std::vector<image> images;
  for (checked_file& f : files) {
    auto mapped = image::map(std::move(f));
    if (!mapped) {
      for (image& before : images) before.unmap();
      return tl::unexpected(std::move(mapped.error()));
    }
    images.push_back(std::move(*mapped));
  }
  return images;
}

/// While it lives, the calling process uses a version.
class use {
 public:
  use(code_table& modules, module_version& version) noexcept
      : modules_(modules), version_(version) {}
  use(use const&) = delete;
  use& operator=(use const&) = delete;
  ~use() {
    // One that was given up has left already, and the table may have ended with its node.
    runtime_entry entry;
    if (!entry.refused()) modules_.leave(who_, version_);
  }

 private:
  code_table& modules_;
  module_version& version_;
  pid const who_ = self();
};

/// What on_load() says: a reason that is not normal is a refusal.
exit_reason run_on_load(code_table& modules, module_version& version,
                        detail::module_entry const& entry) {
  spawned const process = spawn(
      spawn_options{.monitor = alias_mode::none, .label = title_of(version) + " on_load"}, [&] {
        modules.enter(self(), version);
        use const in_use(modules, version);
        std::tuple<> nothing;
        bool accepts = true;
        exit_reason why;
        switch (entry.run(&nothing, entry.result != nullptr ? &accepts : nullptr, why)) {
          case detail::module_call_end::returned:
            if (!accepts) throw process_exit(exit_reason::of("it returned false"));
            return;
          default:
            throw process_exit(std::move(why));
        }
      });
  return receive_from(process.ref, when([&](down const& d) { return d.ref == process.ref; },
                                        [](down d) { return d.reason; }));
}

/// code_loading.md, steps 3 and 4.
std::optional<load_error> try_out(code_table& modules, module_version& version) {
  detail::module_table const& table = version.code.table();
  for (std::size_t i = 0; i < table.count; ++i) {
    detail::module_entry const& e = table.entries[i];
    if (e.what != detail::module_entry::kind::on_load) continue;
    exit_reason const why = run_on_load(modules, version, e);
    if (why == exit_kind::normal) continue;
    return load_error{
        load_errc::on_load_failure,
        fmt::format("{}: {} refused in on_load: {}", version.code.file(), title_of(version), why)};
  }
  return std::nullopt;
}

/// Candidates that are not to become current. Nobody else knows them.
void discard_all(code_table& modules, std::vector<module_version*> const& candidates) {
  for (module_version* v : candidates) {
    if (auto const unused = modules.remove_untouched(*v))
      blocking([&] { unused->code.unmap(); });
    else
      end_users(modules, *v);
  }
}

/// code_loading.md, steps 1 to 4.
load_result<std::vector<module_version*>> prepare_all(std::vector<source> const& sources) {
  detail::exit_detail::keep_list();
  auto images = blocking([&] { return open_all(sources); });
  if (!images) return tl::unexpected(std::move(images.error()));
  code_table& modules = table();
  std::vector<module_version*> candidates;
  for (image& i : *images) candidates.push_back(&modules.add(std::move(i)));
  for (module_version* v : candidates) {
    auto refused = try_out(modules, *v);
    if (!refused) continue;
    discard_all(modules, candidates);
    return tl::unexpected(std::move(*refused));
  }
  return candidates;
}

/// code_loading.md, steps 5 and 6.
std::vector<module_info> finish_all(std::vector<module_version*> const& versions) {
  code_table& modules = table();
  for (module_version* v : versions) {
    std::string const& name = v->code.description().name;
    module_version* const old = modules.find(name, state::old);
    // One that was deleted may stay beside the new one.
    if (old != nullptr && modules.find(name, state::current) != nullptr) purge_old(modules, *old);
  }
  modules.make_current(versions);
  std::vector<module_info> result;
  for (module_version* v : versions) {
    module_version const* const old = modules.find(v->code.description().name, state::old);
    report(
        node_event::kind::code,
        fmt::format("{} is loaded from {}{}", title_of(*v), v->code.file(),
                    old != nullptr ? fmt::format(", {} is old now", old->code.description().version)
                                   : std::string()));
    result.push_back(*modules.info(v->code.description().name, state::current));
  }
  return result;
}

load_result<std::vector<module_info>> load_all(std::vector<source> const& sources) {
  auto candidates = prepare_all(sources);
  if (!candidates) return tl::unexpected(std::move(candidates.error()));
  return finish_all(*candidates);
}

/// Does `work()`, which loads, alone; a refusal is reported.
template <class Work>
auto load_reported(Work work) {
  auto loaded = one_at_a_time(std::move(work));
  if (!loaded) report(node_event::kind::report, fmt::format("not loaded: {}", loaded.error().text));
  return loaded;
}

// --- what is prepared ---

/// The set is no more.
struct dismiss {};

/// The body of the process that keeps a set: it discards it when `owner` has ended, or the set is
/// still there when it is dismissed.
void keep_set(std::uint64_t set, pid owner) {
  monitor_ref const watch = monitor(owner);
  receive([](dismiss) {}, when([&](down const& d) { return d.ref == watch; }, [](down const&) {}));
  code_table& modules = table();
  discard_all(modules, modules.take(set));
}

load_result<code::prepared> prepare(std::vector<source> const& sources, pid owner) {
  auto candidates = prepare_all(sources);
  if (!candidates) return tl::unexpected(std::move(candidates.error()));
  code_table& modules = table();
  std::vector<module_info> infos;
  for (module_version const* v : *candidates) {
    report(node_event::kind::code,
           fmt::format("{} is prepared from {}", title_of(*v), v->code.file()));
    infos.push_back(modules.info(*v));
  }
  std::uint64_t const set = modules.keep(std::move(*candidates));
  try {
    pid const keeper = otter::spawn(spawn_options{.label = "prepared modules"},
                                    [set, owner] { keep_set(set, owner); });
    return prepared_access::make(set, keeper, std::move(infos));
  } catch (error const&) {
    discard_all(modules, modules.take(set));
    throw;
  }
}

load_result<std::vector<module_info>> finish(code::prepared const& p) {
  code_table* const modules = table_if_any();
  auto const versions = modules != nullptr ? modules->take(prepared_access::number(p))
                                           : std::vector<module_version*>{};
  if (versions.empty())
    return tl::unexpected(
        load_error{load_errc::not_prepared,
                   fmt::format("{} modules are prepared no more: they were finished or discarded, "
                               "or who had prepared them has ended",
                               p.modules().size())});
  otter::send(prepared_access::keeper(p), dismiss{});
  return finish_all(versions);
}

load_result<std::vector<module_info>> load_these(std::vector<source> sources) {
  return load_reported([sources = std::move(sources)] { return load_all(sources); });
}

load_result<module_info> load_one(source s) {
  auto loaded = load_these({std::move(s)});
  if (!loaded) return tl::unexpected(std::move(loaded.error()));
  return std::move(loaded->front());
}

// --- calls ---

/// The body of code::spawn().
class stepping_body final : public reactive {
 public:
  explicit stepping_body(code::next_call first) noexcept : next_(std::move(first)) {}

  void start() override {
    while (next_) {
      code::next_call now = std::move(next_);
      alignas(code::next_call) std::byte memory[sizeof(code::next_call)];
      detail::call_latest(now.module(), now.function(), *now.arguments().type(),
                          now.arguments().envelope()->payload(), &descriptor_of<code::next_call>(),
                          memory);
      auto* const made = std::launder(reinterpret_cast<code::next_call*>(memory));
      next_ = std::move(*made);
      std::destroy_at(made);
    }
    stop(exit_reason::normal());
  }
  void handle(event&) override {}
  std::string_view initial_call() const noexcept override { return "code::spawn"; }

 private:
  code::next_call next_;
};

}  // namespace

code::prepared prepared_access::make(std::uint64_t number, pid keeper,
                                     std::vector<code::module_info> modules) {
  code::prepared p;
  p.number_ = number;
  p.keeper_ = keeper;
  p.modules_ = std::make_shared<std::vector<code::module_info> const>(std::move(modules));
  return p;
}

}  // namespace rts

reactive_ptr detail::make_stepping_body(code::next_call first) {
  return make_reactive<rts::stepping_body>(std::move(first));
}

void detail::call_latest(std::string_view module, std::string_view function,
                         type_descriptor const& arguments_type, void* arguments,
                         type_descriptor const* result_type, void* result) {
  rts::code_table* const modules = rts::table_if_any();
  if (modules == nullptr)
    throw error(errc::undef, fmt::format("{}:{}: no module is loaded", module, function));
  checkpoint();
  rts::code_table::found const at =
      modules->enter(self(), module, function, arguments_type, result_type);
  exit_reason why;
  module_call_end end;
  {
    rts::use const in_use(*modules, *at.version);
    end = at.entry->run(arguments, result, why);
    if (end == module_call_end::crashed)
      rts::report(node_event::kind::crash,
                  fmt::format("{}: {} failed: {}", rts::title_of(*at.version), function, why));
  }
  if (end == module_call_end::returned) return;
  throw process_exit(std::move(why));
}

namespace code {

using rts::code_table;
using rts::module_version;
using rts::table_if_any;
using state = module_version::state;

std::string_view to_string(load_errc what) noexcept {
  switch (what) {
    case load_errc::unreadable:
      return "unreadable";
    case load_errc::foreign:
      return "foreign";
    case load_errc::not_a_module:
      return "not_a_module";
    case load_errc::damaged:
      return "damaged";
    case load_errc::other_abi:
      return "other_abi";
    case load_errc::second_runtime:
      return "second_runtime";
    case load_errc::unresolved:
      return "unresolved";
    case load_errc::on_load_failure:
      return "on_load_failure";
    case load_errc::named_twice:
      return "named_twice";
    case load_errc::not_prepared:
      return "not_prepared";
  }
  return "?";
}

load_result<module_info> load(std::string file) { return rts::load_one({std::move(file)}); }

load_result<module_info> load_binary(std::span<std::byte const> content, std::string from) {
  return rts::load_one({std::move(from), std::make_shared<std::vector<std::byte> const>(
                                             content.begin(), content.end())});
}

load_result<std::vector<module_info>> atomic_load(std::vector<std::string> files) {
  return rts::load_these(rts::sources_of(std::move(files)));
}

load_result<prepared> prepare_loading(std::vector<std::string> files) {
  return rts::load_reported([sources = rts::sources_of(std::move(files)), owner = self()] {
    return rts::prepare(sources, owner);
  });
}

load_result<std::vector<module_info>> finish_loading(prepared const& modules) {
  return rts::load_reported([modules] { return rts::finish(modules); });
}

void discard(prepared const& modules) {
  pid const keeper = rts::prepared_access::keeper(modules);
  if (!keeper) return;
  monitor_ref const watch = monitor(keeper);
  otter::send(keeper, rts::dismiss{});
  receive_from(watch, when([&](down const& d) { return d.ref == watch; }, [](down const&) {}));
}

bool purge(std::string_view module) {
  return rts::one_at_a_time([name = std::string(module)] {
    code_table* const modules = table_if_any();
    module_version* const old = modules != nullptr ? modules->find(name, state::old) : nullptr;
    return old != nullptr && rts::purge_old(*modules, *old);
  });
}

bool soft_purge(std::string_view module) {
  return rts::one_at_a_time([name = std::string(module)] {
    code_table* const modules = table_if_any();
    module_version* const old = modules != nullptr ? modules->find(name, state::old) : nullptr;
    if (old == nullptr) return true;
    if (!modules->users_or_end(*old).empty()) return false;
    rts::report(node_event::kind::code, fmt::format("{} is purged", rts::title_of(*old)));
    rts::after_purge(*modules, name);
    return true;
  });
}

bool delete_module(std::string_view module) {
  return rts::one_at_a_time([name = std::string(module)] {
    code_table* const modules = table_if_any();
    if (modules == nullptr || !modules->make_old(name)) return false;
    rts::report(node_event::kind::code,
                fmt::format("{} is old now, and none is current",
                            rts::title_of(*modules->find(name, state::old))));
    return true;
  });
}

bool restore_old(std::vector<std::string> modules) {
  return rts::one_at_a_time([names = std::move(modules)] {
    code_table* const table = table_if_any();
    if (table == nullptr || !table->restore_old(names)) return false;
    for (std::string const& name : names)
      rts::report(
          node_event::kind::code,
          fmt::format("{} is current again", rts::title_of(*table->find(name, state::current))));
    return true;
  });
}

std::vector<unload_result> unload(std::string_view module, duration limit) {
  duration const checked = detail::checked_limit(limit);
  return rts::one_at_a_time([name = std::string(module), checked] {
    code_table* const modules = table_if_any();
    return modules != nullptr ? rts::unload_purged(*modules, name, checked)
                              : std::vector<unload_result>{};
  });
}

void unload_when_purged(bool on) {
  rts::table().unloads_purged.store(on, std::memory_order_relaxed);
}

std::vector<purged_version> purged(std::string_view module) {
  code_table* const modules = table_if_any();
  return modules != nullptr ? modules->describe_purged(module) : std::vector<purged_version>{};
}

std::optional<module_info> which(std::string_view module) {
  code_table* const modules = table_if_any();
  return modules != nullptr ? modules->info(module, state::current) : std::nullopt;
}

std::optional<module_info> which_old(std::string_view module) {
  code_table* const modules = table_if_any();
  return modules != nullptr ? modules->info(module, state::old) : std::nullopt;
}

std::vector<loaded_module> all_loaded() {
  code_table* const modules = table_if_any();
  return modules != nullptr ? modules->all() : std::vector<loaded_module>{};
}

bool check_process_code(pid process, std::string_view module) {
  code_table* const modules = table_if_any();
  // The question whether it lives is a signal, behind all that was sent to it before.
  return modules != nullptr && is_alive(process) &&
         modules->uses_old(module, rts::pid_access::bits(process));
}

bool check_old_code(std::string_view module) { return which_old(module).has_value(); }

std::vector<pid> users(std::string_view module) {
  code_table* const modules = table_if_any();
  return modules != nullptr ? modules->users(module, state::current) : std::vector<pid>{};
}

std::vector<pid> old_users(std::string_view module) {
  code_table* const modules = table_if_any();
  return modules != nullptr ? modules->users(module, state::old) : std::vector<pid>{};
}

}  // namespace code
}  // namespace otter
