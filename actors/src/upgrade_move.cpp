#include "upgrade_move.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace otter::detail {

namespace {

using upgrade::module_report;
using state = module_report::state_type;

constexpr std::size_t most_notes = 20;  // of one module
/// Those that start in the old version while others are changed are changed in the next round. A
/// process that starts others and is not changed itself would keep us here for ever.
constexpr int most_rounds = 100;

/// At most `most` of them, spread over all.
std::vector<pid> sample_of(std::vector<pid> all, std::size_t most) {
  if (all.size() <= most) return all;
  std::vector<pid> some;
  for (std::size_t i = 0; i < most; ++i) some.push_back(all[i * all.size() / most]);
  return some;
}

duration percentile(std::vector<duration>& all, std::size_t percent) {
  auto const at = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) * percent / 100);
  std::nth_element(all.begin(), at, all.end());
  return *at;
}

}  // namespace

void upgrade_run::note(std::string const& module, std::string text) {
  std::size_t const count = ++notes[module];
  if (count < most_notes) out.notes.push_back(fmt::format("module {}: {}", module, text));
  if (count == most_notes) out.notes.push_back(fmt::format("module {}: and more", module));
}

// --- one group ---

std::optional<std::string> group_move::try_out() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    std::vector<pid> const users =
        sample_of(code::users(members_[i].step->name), run_.how.trial_sample);
    std::optional<std::string> refused;
    sweep all({.job = change_jobs(*members_[i].step, set_)}, run_.how.window, run_.how.limit);
    all.run(users, [&](swept const& s) {
      if (s.end == swept::end_type::done)
        ++members_[i].report->tried;
      else if (auto why = hear(i, s, way::up); why && !refused)
        refused = std::move(why);
      if (s.end == swept::end_type::unanswered) silent_.emplace_back(s.process, members_[i].step);
      return !refused;
    });
    if (refused) return refused;
  }
  return std::nullopt;
}

std::optional<std::string> group_move::up() {
  auto const begin = node_clock::now();
  if (together()) hold_users();
  auto refused = load();
  bool const loaded = !refused;
  if (loaded) refused = change_all(way::up);
  if (refused && loaded) take_back();
  let_all_go();
  // Of those that others must not see in the old version, nobody is left to a later moment.
  if (!refused && !together())
    for (auto const& [process, step] : silent_) change_unasked(process, *step);
  if (refused && loaded) purge_later_versions();
  count_pauses();
  duration const took = node_clock::now() - begin;
  for (member const& m : members_) {
    m.report->took = took;
    m.report->state = refused ? state::refused : state::changed;
    if (!refused)
      run_.say(fmt::format("{} {}: {} processes changed", m.step->name, m.step->to,
                           m.report->processes));
  }
  return refused;
}

void group_move::down() {
  asked_.clear();
  if (together()) hold_users();
  take_back();
  let_all_go();
  purge_later_versions();
  for (member const& m : members_) {
    m.report->state = state::restored;
    run_.say(fmt::format("{} is at {} again", m.step->name,
                         m.report->from.empty() ? "none" : m.report->from));
  }
}

// --- versions ---

std::optional<std::string> group_move::load() {
  for (member const& m : members_)
    if (m.step->purge == upgrade::purge_type::soft && !code::soft_purge(m.step->name))
      return fmt::format("module {}: a process has begun to use the version that is old already",
                         m.step->name);
  auto const loaded = code::finish_loading(set_);
  if (!loaded) return loaded.error().text;
  for (member const& m : members_)
    run_.say(fmt::format("{} {} is current", m.step->name, m.step->to));
  return std::nullopt;
}

void group_move::restore() {
  std::vector<std::string> names;
  for (member const& m : members_) {
    if (!m.report->from.empty()) {
      names.push_back(m.step->name);
    } else if (!code::delete_module(m.step->name)) {
      run_.note(m.step->name,
                fmt::format("version {} stays: it was not loaded before, but deleted, "
                            "and that version is still there",
                            m.step->to));
    } else if (code::purge(m.step->name)) {
      run_.note(m.step->name,
                "it was not loaded before: processes that had started in it were killed");
    }
  }
  if (!names.empty() && !code::restore_old(names))
    for (std::string const& name : names)
      run_.note(name, "its old version is not there any more: somebody has purged it");
}

/// The older versions are current again, and the processes go there.
void group_move::take_back() {
  restore();
  asked_.clear();
  static_cast<void>(change_all(way::down));  // whoever cannot is noted
}

void group_move::purge_later_versions() {
  for (member const& m : members_)
    if (!code::soft_purge(m.step->name))
      run_.note(m.step->name, fmt::format("version {} is old now, and still used by {} processes",
                                          m.step->to, code::old_users(m.step->name).size()));
}

// --- processes ---

std::vector<pid> group_move::next_users(std::size_t i) {
  std::vector<pid> users = code::old_users(members_[i].step->name);
  std::erase_if(users, [&](pid p) { return run_.left_out.count(p) != 0 || asked_.count(p) != 0; });
  return users;
}

/// The processes of the old versions go to the current ones; those that start meanwhile too.
std::optional<std::string> group_move::change_all(way to) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    for (int round = 0;; ++round) {
      std::vector<pid> users = next_users(i);
      if (users.empty()) break;
      if (round == most_rounds) {
        run_.note(members_[i].step->name,
                  fmt::format("{} processes are left in the old version: new ones keep starting",
                              users.size()));
        break;
      }
      if (auto refused = change_round(i, std::move(users), to)) return refused;
    }
  }
  return std::nullopt;
}

std::optional<std::string> group_move::change_round(std::size_t i, std::vector<pid> users, way to) {
  sweep_request what{.job = change_jobs(*members_[i].step)};
  asked_.insert(users.begin(), users.end());
  if (together()) {
    std::vector<pid> others;
    for (pid const p : users)
      if (held_.count(p) == 0) others.push_back(p);
    hold(i, others);
    std::erase_if(users, [&](pid p) { return held_.count(p) == 0; });
  } else {
    what.suspend = what.resume = true;
    run_.guard.watch_over(users);
  }
  std::optional<std::string> refused;
  sweep all(std::move(what), run_.how.window, run_.how.limit);
  all.run(users, [&](swept const& s) {
    if (auto why = hear(i, s, to); why && !refused) refused = std::move(why);
    return !refused;
  });
  if (!together()) run_.guard.forget();
  return refused;
}

/// Why the whole is to be taken back, if it is.
std::optional<std::string> group_move::hear(std::size_t i, swept const& s, way to) {
  module_report& r = *members_[i].report;
  switch (s.end) {
    case swept::end_type::ended:
      ++r.ended;
      return std::nullopt;
    case swept::end_type::unanswered:
      ++r.unanswered;
      run_.left_out.insert(s.process);
      run_.note(r.name, fmt::format("{} does not answer, and was left out", s.process));
      return std::nullopt;
    case swept::end_type::refused:
      if (to == way::up)
        return fmt::format("module {}: {} cannot go to {}: {}", r.name, s.process, r.to, s.why);
      run_.left_out.insert(s.process);
      run_.note(r.name, fmt::format("{} stays in {}: {}", s.process, r.to, s.why));
      return std::nullopt;
    case swept::end_type::done:
      break;
  }
  ++(to == way::up ? r.processes : r.restored);
  if (to == way::down) return std::nullopt;
  if (together())
    held_.find(s.process)->second.changed = true;
  else
    pauses_[i].push_back(s.let_go - s.held);
  return std::nullopt;
}

// --- together ---

/// Those that ask others come first: of a group the later modules.
void group_move::hold_users() {
  for (std::size_t i = members_.size(); i-- > 0;) {
    std::vector<pid> users = code::users(members_[i].step->name);
    std::erase_if(users, [&](pid p) { return run_.left_out.count(p) != 0; });
    hold(i, users);
  }
}

void group_move::hold(std::size_t i, std::vector<pid> const& users) {
  if (users.empty()) return;
  run_.guard.watch_over(users);
  sweep all({.suspend = true}, run_.how.window, run_.how.limit);
  all.run(users, [&](swept const& s) {
    if (s.end == swept::end_type::done) {
      held_.emplace(s.process, held{i, s.held});
      held_in_order_.push_back(s.process);
    } else {
      static_cast<void>(hear(i, s, way::down));  // no reason to take anything back
    }
    return true;
  });
}

void group_move::let_all_go() {
  if (held_in_order_.empty()) return;
  // The last that were held are asked by nobody who is held still.
  std::reverse(held_in_order_.begin(), held_in_order_.end());
  sweep all({.resume = true}, run_.how.window, run_.how.limit);
  all.run(held_in_order_, [&](swept const& s) {
    held const& h = held_.find(s.process)->second;
    if (s.end == swept::end_type::done && h.changed)
      pauses_[h.member].push_back(s.let_go - h.since);
    return true;
  });
  held_.clear();
  held_in_order_.clear();
  run_.guard.forget();
}

void group_move::count_pauses() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    std::vector<duration>& all = pauses_[i];
    if (all.empty()) continue;
    members_[i].report->pause = {percentile(all, 50), percentile(all, 99), percentile(all, 100)};
    all = {};
  }
}

}  // namespace otter::detail
