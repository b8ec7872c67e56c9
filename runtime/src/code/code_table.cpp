#include "code/code_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <otter/error.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"

const char otter_one_runtime = 1;

namespace otter::rts {

namespace {

/// The table of virtual functions of the body's own class. It is the first word of a class with
/// virtual functions, and of `reactive` in it, in the C++ ABI that gcc and clang share.
void const* code_of(reactive& body) noexcept {
  reactive* of = &body;
  for (reactive_ptr* inner = of->inner(); inner != nullptr; inner = of->inner()) of = inner->get();
  return *reinterpret_cast<void const* const*>(of);
}

/// Null if it is not listed.
detail::module_class listed_class(module_version const& v, std::string_view name) {
  module_description const& d = v.code.description();
  detail::module_table const& table = v.code.table();
  for (std::size_t i = 0; i < table.count; ++i) {
    detail::module_entry const& e = table.entries[i];
    if (e.what == detail::module_entry::kind::behaviour && e.name == name)
      return {e.behaviour, d.name, d.version};
  }
  return {nullptr, d.name, d.version};
}

detail::module_class class_in(module_version const& v, std::string_view name) {
  module_description const& d = v.code.description();
  if (detail::module_class found = listed_class(v, name); found.behaviour != nullptr) return found;
  throw error(errc::undef, fmt::format("module {} {} does not list the class {}: OTTER_MODULE("
                                       "otter::code::behaviour<{}>())",
                                       d.name, d.version, name, name));
}

void refuse_gone(module_version const& v) {
  if (v.now != module_version::state::gone) return;
  throw error(errc::undef, fmt::format("its code is of module {} {}, which was purged",
                                       v.code.description().name, v.code.description().version));
}

}  // namespace

std::string signature_text(std::string_view name, type_descriptor const& arguments,
                           type_descriptor const* result) {
  return fmt::format("{} {} {}", result != nullptr ? result->name : "void", name, arguments.name);
}

// --- users ---

module_version* code_table::version_at(void const* code) const noexcept {
  for (auto const& v : versions_)
    if (v->code.contains(code)) return v.get();
  return nullptr;
}

module_version* code_table::version_of(reactive& body) const noexcept {
  return version_at(code_of(body));
}

void code_table::use_body(pid who, module_version* version) {
  if (version == nullptr) return;
  refuse_gone(*version);
  if (!version->bodies.reserve_one()) throw std::bad_alloc();
  version->touched = true;
  system_.find(who)->mark_owner(who);
  version->bodies.insert(pid_access::bits(who));
}

void code_table::spawned(pid who, reactive& body) {
  std::lock_guard lock(mutex_);
  use_body(who, version_of(body));
}

void code_table::replaced(pid who, reactive& before, reactive& now) {
  std::lock_guard lock(mutex_);
  module_version* const left = version_of(before);
  module_version* const taken = version_of(now);
  if (left == taken) return;
  use_body(who, taken);
  if (left != nullptr) left->bodies.erase(pid_access::bits(who));
}

detail::module_class code_table::class_of(reactive& body, std::string_view name) {
  std::lock_guard lock(mutex_);
  module_version const* const v = version_of(body);
  if (v == nullptr)
    throw error(errc::undef, fmt::format("the class {} is of no module: a part of the program "
                                         "cannot be replaced",
                                         name));
  return class_in(*v, name);
}

std::optional<detail::module_class> code_table::class_at(void const* code, std::string_view name) {
  std::lock_guard lock(mutex_);
  module_version const* const v = version_at(code);
  if (v == nullptr) return std::nullopt;
  return listed_class(*v, name);
}

module_version* code_table::enter_part(pid who, void const* code) {
  std::lock_guard lock(mutex_);
  module_version* const v = version_at(code);
  if (v == nullptr) return nullptr;
  refuse_gone(*v);
  v->touched = true;
  process* const self = system_.find(who);
  if (self == nullptr || !self->mark_owner(who)) return nullptr;  // given up
  ++v->parts[pid_access::bits(who)];
  return v;
}

void code_table::leave_part(pid who, module_version const* version) noexcept {
  std::lock_guard lock(mutex_);
  for (auto const& v : versions_) {
    if (v.get() != version) continue;
    auto const at = v->parts.find(pid_access::bits(who));
    if (at != v->parts.end() && --at->second == 0) v->parts.erase(at);
  }
}

detail::module_class code_table::current_class(std::string_view module, std::string_view name) {
  std::lock_guard lock(mutex_);
  module_version const* const v = find_locked(module, module_version::state::current);
  if (v == nullptr)
    throw error(errc::undef, fmt::format("module {} has no current version", module));
  return class_in(*v, name);
}

detail::module_class code_table::prepared_class(std::uint64_t set, std::string_view module,
                                                std::string_view name) {
  std::lock_guard lock(mutex_);
  auto const at = sets_.find(set);
  if (at == sets_.end())
    throw error(errc::undef, fmt::format("module {} is not prepared: what was prepared has become "
                                         "current, or was discarded",
                                         module));
  for (module_version* const v : at->second) {
    if (v->code.description().name != module) continue;
    v->touched = true;
    return class_in(*v, name);
  }
  throw error(errc::undef, fmt::format("module {} is not among those that were prepared", module));
}

void code_table::ended(std::uint64_t bits) noexcept {
  std::lock_guard lock(mutex_);
  for (auto const& v : versions_) {
    if (v->now == module_version::state::gone) continue;
    v->bodies.erase(bits);
    v->calls.erase(bits);
    v->parts.erase(bits);
  }
}

void code_table::enter_locked(pid who, module_version& version) {
  process* const self = system_.find(who);
  version.touched = true;
  if (self == nullptr || !self->mark_owner(who)) return;  // it has ended, given up perhaps
  ++version.calls[pid_access::bits(who)];
}

void code_table::enter(pid who, module_version& version) {
  std::lock_guard lock(mutex_);
  enter_locked(who, version);
}

code_table::found code_table::enter(pid who, std::string_view module, std::string_view function,
                                    type_descriptor const& arguments,
                                    type_descriptor const* result) {
  std::lock_guard lock(mutex_);
  module_version* const version = find_locked(module, module_version::state::current);
  if (version == nullptr)
    throw error(errc::undef,
                fmt::format("{}:{}: the module is not loaded, or was deleted", module, function));
  detail::module_table const& table = version->code.table();
  module_description const& described = version->code.description();
  for (std::size_t i = 0; i < table.count; ++i) {
    detail::module_entry const& e = table.entries[i];
    if (e.what != detail::module_entry::kind::function || e.name != function) continue;
    if (!same_type(*e.arguments, arguments) || (e.result == nullptr) != (result == nullptr) ||
        (result != nullptr && !same_type(*e.result, *result)))
      throw error(errc::undef,
                  fmt::format("module {} {} has `{}`, and is called as `{}`; types that differ in "
                              "layout, or in an unnamed namespace, are others",
                              described.name, described.version,
                              signature_text(e.name, *e.arguments, e.result),
                              signature_text(function, arguments, result)));
    enter_locked(who, *version);
    return {version, &e};
  }
  throw error(errc::undef, fmt::format("module {} {} has no function \"{}\"", described.name,
                                       described.version, function));
}

void code_table::leave(pid who, module_version& version) noexcept {
  std::lock_guard lock(mutex_);
  auto const at = version.calls.find(pid_access::bits(who));
  if (at == version.calls.end()) return;  // it was given up meanwhile
  if (--at->second == 0) version.calls.erase(at);
}

bool code_table::used_by(module_version const& v, std::uint64_t bits) noexcept {
  return v.bodies.contains(bits) || v.calls.count(bits) != 0 || v.parts.count(bits) != 0;
}

namespace {

void sort_each_once(std::vector<std::uint64_t>& all) {
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
}

}  // namespace

std::vector<std::uint64_t> code_table::bodies_and_parts_of(module_version const& version) {
  std::vector<std::uint64_t> all;
  version.bodies.for_each([&](std::uint64_t bits) { all.push_back(bits); });
  for (auto const& part : version.parts) all.push_back(part.first);
  sort_each_once(all);
  return all;
}

std::vector<pid> code_table::pids_of(std::vector<std::uint64_t> const& bits) const {
  std::vector<pid> result;
  result.reserve(bits.size());
  for (std::uint64_t const b : bits) result.push_back(system_.make_pid_of(b));
  return result;
}

std::vector<pid> code_table::users(std::string_view module, module_version::state which) {
  std::lock_guard lock(mutex_);
  module_version const* const v = find_locked(module, which);
  if (v == nullptr) return {};
  return pids_of(bodies_and_parts_of(*v));
}

std::vector<pid> code_table::users_or_end(module_version& version) {
  std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> users = bodies_and_parts_of(version);
  for (auto const& call : version.calls) users.push_back(call.first);
  sort_each_once(users);
  if (users.empty()) {
    version.now = module_version::state::gone;
    auto const at = slots_.find(version.code.description().name);
    if (at != slots_.end()) {
      if (at->second.old == &version) at->second.old = nullptr;
      if (at->second.current == nullptr && at->second.old == nullptr) slots_.erase(at);
    }
  }
  return pids_of(users);
}

// --- those that are gone ---

std::vector<module_version*> code_table::purged(std::string_view module) {
  std::lock_guard lock(mutex_);
  std::vector<module_version*> result;
  for (auto const& v : versions_)
    if (v->now == module_version::state::gone &&
        (module.empty() || v->code.description().name == module))
      result.push_back(v.get());
  return result;
}

std::vector<code::purged_version> code_table::describe_purged(std::string_view module) {
  std::vector<code::purged_version> result;
  for (module_version* const v : purged(module)) {
    std::lock_guard lock(mutex_);
    result.push_back({info_of(*v), v->held_by});
  }
  return result;
}

void code_table::note_holders(module_version& version, std::vector<code::holder> const& who) {
  std::lock_guard lock(mutex_);
  version.held_by = who;
}

void code_table::await_removal(std::vector<module_version*> const& versions) {
  std::lock_guard lock(mutex_);
  for (module_version* v : versions) v->converted = false;
}

std::unique_ptr<module_version> code_table::remove(module_version& version) {
  std::lock_guard lock(mutex_);
  if (version.conversions != 0 || version.converted) return nullptr;
  return remove_locked(version);
}

std::unique_ptr<module_version> code_table::remove_locked(module_version const& version) {
  auto const at = std::find_if(versions_.begin(), versions_.end(),
                               [&](auto const& v) { return v.get() == &version; });
  std::unique_ptr<module_version> removed = std::move(*at);
  versions_.erase(at);
  return removed;
}

// --- versions ---

module_version& code_table::add(image&& code) {
  auto version = std::make_unique<module_version>(std::move(code));
  std::lock_guard lock(mutex_);
  versions_.push_back(std::move(version));
  return *versions_.back();
}

std::uint64_t code_table::keep(std::vector<module_version*> candidates) {
  std::lock_guard lock(mutex_);
  std::uint64_t const number = last_set_ + 1;
  sets_.emplace(number, std::move(candidates));
  return last_set_ = number;
}

std::vector<module_version*> code_table::take(std::uint64_t set) {
  std::lock_guard lock(mutex_);
  auto const at = sets_.find(set);
  if (at == sets_.end()) return {};
  std::vector<module_version*> taken = std::move(at->second);
  sets_.erase(at);
  return taken;
}

std::unique_ptr<module_version> code_table::remove_untouched(module_version& candidate) {
  std::lock_guard lock(mutex_);
  if (candidate.touched) return nullptr;
  return remove_locked(candidate);
}

void code_table::make_current(std::vector<module_version*> const& versions) {
  std::lock_guard lock(mutex_);
  // What may fail first: then all of them, or none.
  for (module_version* v : versions) slots_.try_emplace(v->code.description().name);
  for (module_version* v : versions) {
    slot& s = slots_.find(v->code.description().name)->second;
    if (s.current != nullptr) {
      s.current->now = module_version::state::old;
      s.old = s.current;
    }
    s.current = v;
    v->now = module_version::state::current;
  }
}

bool code_table::make_old(std::string_view module) {
  std::lock_guard lock(mutex_);
  auto const at = slots_.find(module);
  if (at == slots_.end() || at->second.current == nullptr || at->second.old != nullptr)
    return false;
  at->second.old = std::exchange(at->second.current, nullptr);
  at->second.old->now = module_version::state::old;
  return true;
}

bool code_table::restore_old(std::vector<std::string> const& modules) {
  std::lock_guard lock(mutex_);
  std::vector<slot*> slots;
  for (std::string const& name : modules) {
    auto const at = slots_.find(name);
    if (at == slots_.end() || at->second.old == nullptr) return false;
    // One that is named twice is one.
    if (std::find(slots.begin(), slots.end(), &at->second) == slots.end())
      slots.push_back(&at->second);
  }
  for (slot* const s : slots) {
    std::swap(s->current, s->old);
    s->current->now = module_version::state::current;
    if (s->old != nullptr) s->old->now = module_version::state::old;
  }
  return true;
}

module_version* code_table::find_locked(std::string_view module, module_version::state which) {
  auto const at = slots_.find(module);
  if (at == slots_.end()) return nullptr;
  return which == module_version::state::current ? at->second.current : at->second.old;
}

module_version* code_table::find(std::string_view module, module_version::state which) {
  std::lock_guard lock(mutex_);
  return find_locked(module, which);
}

code::module_info code_table::info_of(module_version const& v) {
  module_description const& d = v.code.description();
  std::vector<std::uint64_t> users = bodies_and_parts_of(v);
  for (auto const& call : v.calls) users.push_back(call.first);
  sort_each_once(users);
  code::module_info info{d.name, d.version, v.code.file(), d.digest,
                         d.abi,  {},        users.size(),  v.code.memory().size()};
  detail::module_table const& table = v.code.table();
  for (std::size_t i = 0; i < table.count; ++i)
    if (table.entries[i].what == detail::module_entry::kind::function)
      info.functions.emplace_back(table.entries[i].name);
  return info;
}

std::optional<code::module_info> code_table::info(std::string_view module,
                                                  module_version::state which) {
  std::lock_guard lock(mutex_);
  module_version const* const v = find_locked(module, which);
  if (v == nullptr) return std::nullopt;
  return info_of(*v);
}

code::module_info code_table::info(module_version const& version) {
  std::lock_guard lock(mutex_);
  return info_of(version);
}

std::vector<code::loaded_module> code_table::all() {
  std::lock_guard lock(mutex_);
  std::vector<code::loaded_module> result;
  for (auto const& [name, s] : slots_) {
    if (s.current == nullptr && s.old == nullptr) continue;
    code::loaded_module& m = result.emplace_back();
    m.name = name;
    if (s.current != nullptr) m.current = info_of(*s.current);
    if (s.old != nullptr) m.old = info_of(*s.old);
  }
  return result;
}

bool code_table::uses_old(std::string_view module, std::uint64_t bits) {
  std::lock_guard lock(mutex_);
  module_version const* const old = find_locked(module, module_version::state::old);
  return old != nullptr && used_by(*old, bits);
}

}  // namespace otter::rts
