#include "application_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <otter/name.hpp>
#include <utility>

#include "running_tables.hpp"

namespace otter::detail {

using application::configuration;
using application::environment;
using application::persistence;
using application::specification;
using application::value;

namespace {

env_change difference(environment const& before, environment const& after) {
  env_change change;
  for (auto const& [key, what] : after) {
    auto const old = before.find(key);
    if (old == before.end())
      change.added.emplace(key, what);
    else if (!(old->second == what))
      change.changed.emplace(key, what);
  }
  for (auto const& [key, what] : before)
    if (!after.contains(key)) change.removed.push_back(key);
  return change;
}

}  // namespace

std::shared_ptr<application_table> find_application_table() {
  pid const controller = whereis(application_controller_name);
  return controller ? running_tables<application_table>::instance().share(controller) : nullptr;
}

// --- what is loaded ---

spec_ptr application_table::find(std::string_view name) const {
  std::lock_guard lock(mutex_);
  auto const at = loaded_.find(name);
  return at != loaded_.end() ? at->second : nullptr;
}

std::vector<spec_ptr> application_table::loaded() const {
  std::lock_guard lock(mutex_);
  std::vector<spec_ptr> all;
  for (auto const& [name, spec] : loaded_) all.push_back(spec);
  return all;
}

std::string application_table::owner_of_name(std::string_view registered) const {
  std::lock_guard lock(mutex_);
  for (auto const& [name, spec] : loaded_) {
    auto const& names = spec->registered;
    if (std::find(names.begin(), names.end(), registered) != names.end()) return name;
  }
  return {};
}

void application_table::load(spec_ptr spec) {
  std::lock_guard lock(mutex_);
  std::string name = spec->name;
  loaded_.emplace(std::move(name), std::move(spec));
}

void application_table::unload(std::string_view name) {
  std::lock_guard lock(mutex_);
  if (auto const at = loaded_.find(name); at != loaded_.end()) loaded_.erase(at);
  if (auto const at = set_.find(name); at != set_.end())
    std::erase_if(at->second, [](auto const& v) { return v.second.how == persistence::no; });
}

// --- what runs ---

void application_table::began(running what) {
  std::lock_guard lock(mutex_);
  running_.push_back(std::move(what));
}

void application_table::ended(std::string_view name) {
  std::lock_guard lock(mutex_);
  std::erase_if(running_, [&](running const& r) { return r.spec->name == name; });
}

std::vector<application_table::running> application_table::all_running() const {
  std::lock_guard lock(mutex_);
  return running_;
}

std::optional<application_table::running> application_table::find_running(
    std::string_view name) const {
  std::lock_guard lock(mutex_);
  auto const at = std::find_if(running_.begin(), running_.end(),
                               [&](running const& r) { return r.spec->name == name; });
  if (at == running_.end()) return std::nullopt;
  return *at;
}

void application_table::add_master(pid master, std::string application) {
  std::lock_guard lock(mutex_);
  masters_.emplace(master, std::move(application));
}

void application_table::drop_master(pid master) {
  std::lock_guard lock(mutex_);
  masters_.erase(master);
}

std::optional<std::string> application_table::application_of(pid leader) const {
  std::lock_guard lock(mutex_);
  auto const at = masters_.find(leader);
  if (at == masters_.end()) return std::nullopt;
  return at->second;
}

// --- environments ---

std::optional<value> application_table::env(std::string_view application,
                                            std::string_view key) const {
  std::lock_guard lock(mutex_);
  if (auto const its = set_.find(application); its != set_.end())
    if (auto const at = its->second.find(key); at != its->second.end()) return at->second.what;
  if (auto const its = config_.find(application); its != config_.end())
    if (auto const at = its->second.find(key); at != its->second.end()) return at->second;
  if (auto const its = loaded_.find(application); its != loaded_.end())
    if (auto const at = its->second->env.find(key); at != its->second->env.end()) return at->second;
  return std::nullopt;
}

environment application_table::merged_env(std::string_view application) const {
  environment all;
  if (auto const its = loaded_.find(application); its != loaded_.end()) all = its->second->env;
  if (auto const its = config_.find(application); its != config_.end())
    for (auto const& [key, what] : its->second) all.insert_or_assign(key, what);
  if (auto const its = set_.find(application); its != set_.end()) {
    for (auto const& [key, set] : its->second) {
      if (set.what)
        all.insert_or_assign(key, *set.what);
      else
        all.erase(key);
    }
  }
  return all;
}

environment application_table::all_env(std::string_view application) const {
  std::lock_guard lock(mutex_);
  return merged_env(application);
}

void application_table::set_env(std::string_view application, std::string_view key,
                                std::optional<value> what, persistence how) {
  std::lock_guard lock(mutex_);
  set_[std::string(application)].insert_or_assign(std::string(key),
                                                  set_value{std::move(what), how});
}

std::string application_table::wrong_with(configuration const& config, specification const& spec) {
  auto const its = config.find(spec.name);
  if (its == config.end()) return {};
  for (auto const& [key, what] : its->second) {
    auto const known = spec.env.find(key);
    if (known != spec.env.end() && !what.is_like(known->second))
      return fmt::format("the configuration of {} is {}, which is {}; it must be {}, as {} is", key,
                         what, what.kind(), known->second.kind(), known->second);
  }
  return {};
}

std::string application_table::wrong_with_config(specification const& spec) const {
  std::lock_guard lock(mutex_);
  return wrong_with(config_, spec);
}

std::vector<application_table::affected> application_table::replace_config(configuration config) {
  std::lock_guard lock(mutex_);
  std::vector<affected> all;
  for (running const& r : running_)
    if (r.master) all.push_back({r.master, r.spec->name, {}});
  std::vector<environment> before;
  for (affected const& a : all) before.push_back(merged_env(a.application));
  config_ = std::move(config);
  for (std::size_t i = 0; i != all.size(); ++i)
    all[i].change = difference(before[i], merged_env(all[i].application));
  std::erase_if(all, [](affected const& a) { return a.change.empty(); });
  return all;
}

// --- the end ---

void application_table::begin_shutdown() {
  std::lock_guard lock(mutex_);
  shutting_down_ = true;
}

bool application_table::is_shutting_down() const {
  std::lock_guard lock(mutex_);
  return shutting_down_;
}

void application_table::note_killed(std::string name) {
  std::lock_guard lock(mutex_);
  killed_.push_back(std::move(name));
}

std::vector<std::string> application_table::killed() const {
  std::lock_guard lock(mutex_);
  return killed_;
}

}  // namespace otter::detail
