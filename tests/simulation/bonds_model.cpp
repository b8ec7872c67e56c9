// bonds_model.cpp - what must follow from what was done.

#include "bonds_model.hpp"

#include <algorithm>
#include <otter/name.hpp>
#include <otter/process_info.hpp>

namespace simulate {

using otter::exit_kind;
using otter::exit_reason;

int bonds_model::add_life(bool traps) {
  lives_.push_back({});
  lives_.back().traps = traps;
  return count() - 1;
}

void bonds_model::leaves(int n) {
  at(n).leaving = true;
  for (int other = 0; other < count(); ++other) {
    if (!at(other).started) at(n).unstarted_then.insert(other);
  }
}

std::optional<int> bonds_model::number_of(otter::pid p) const {
  for (std::size_t i = 0; i < lives_.size(); ++i) {
    if (lives_[i].id == p) return static_cast<int>(i);
  }
  return std::nullopt;
}

std::size_t bonds_model::watches(int watcher, int target, otter::monitor_ref ref) {
  watches_.push_back({watcher, target, ref});
  return watches_.size() - 1;
}

// --- seen by one process ---

void bonds_model::saw(int me, post const& p) {
  std::uint64_t& last = at(me).got[p.from];
  trial_.expect(p.number == last + 1, "process {} got message {} of {} after {} (P-3)", me,
                p.number, p.from, last);
  last = p.number;
}

/// Process `me` has heard, by `what`, that `ended` has.
void bonds_model::check_end(int me, int ended, exit_reason const& why, char const* what) {
  life& them = at(ended);
  trial_.expect(them.leaving || !them.started, "process {} got a {} of {}, which runs", me, what,
                ended);
  for (int n = 0; n < 4; ++n) {
    trial_.expect(otter::whereis(fmt::format("name {}", n)) != them.id,
                  "process {} got a {} of {}, which still has \"name {}\" (RN-3, P-18)", me, what,
                  ended, n);
  }
  if (why == exit_kind::noproc) return;
  if (!them.reason) {
    them.reason = why;
  } else {
    trial_.expect(*them.reason == why, "process {} got a {} of {} with {}, others heard {}", me,
                  what, ended, why, *them.reason);
  }
  trial_.expect(at(me).got[ended] == them.sent[me],
                "process {} got a {} of {} before its message {}, the last was {} (MO-5, P-3)", me,
                what, ended, them.sent[me], at(me).got[ended]);
}

void bonds_model::saw(int me, otter::down const& d) {
  auto const found = std::find_if(watches_.begin(), watches_.end(),
                                  [&](watch const& w) { return w.ref == d.ref; });
  if (!trial_.expect(found != watches_.end(), "process {} got a down of an unknown monitor", me))
    return;
  watch& w = *found;
  trial_.expect(w.watcher == me && at(w.target).id == d.process, "a down that is for another");
  ++w.downs;
  trial_.expect(w.downs == 1, "process {} got {} downs for one monitor of {}", me, w.downs,
                w.target);
  if (w.state == watch::stopped || (w.state == watch::stopped_late && w.flushed)) {
    trial_.complain("process {} got a down of {} after demonitor (MO-6, MO-7)", me, w.target);
  }
  check_end(me, w.target, d.reason, "down");
}

void bonds_model::saw(int me, otter::exited const& e) {
  std::string const text(e.reason.text());
  if (signals_.count({me, text}) != 0 && e.reason.kind() == exit_kind::user) {
    trial_.expect(++at(me).signals[text] == 1, "process {} got the signal '{}' twice", me, text);
    return;
  }
  std::optional<int> const from = number_of(e.process);
  if (!trial_.expect(from.has_value(), "process {} got an exited of a stranger: {}", me, e.reason))
    return;
  bond& b = bond_of(me, *from);
  int const times = e.reason == exit_kind::noproc ? 1 : ++at(me).link_exits[*from];
  if (e.reason == exit_kind::noproc) ++at(me).noprocs[*from];
  trial_.expect(times == 1, "process {} heard {} times by its link that {} has ended", me, times,
                *from);
  if (me < *from && b.unlinked_by_first)
    trial_.complain("process {} got an exited of {} after its unlink (L-6)", me, *from);
  check_end(me, *from, e.reason, "exited");
}

// --- at rest ---

void bonds_model::check_at_rest() {
  check_watches();
  check_pairs();
  for (int n = 0; n < count(); ++n) check_links_of(n);
  for (auto const& [to, text] : signals_) {
    life& l = at(to);
    if (l.seen_dead || !l.traps) continue;
    trial_.expect(l.signals[text] == 1, "process {} traps exits and lives, but '{}' came {} times",
                  to, text, l.signals[text]);
  }
  for (int to = 0; to < count(); ++to) {
    if (at(to).seen_dead) continue;
    for (int from = 0; from < count(); ++from) {
      trial_.expect(at(to).got[from] == at(from).sent[to],
                    "process {} lives and got {} of the {} messages of {}", to, at(to).got[from],
                    at(from).sent[to], from);
    }
  }
}

void bonds_model::check_watches() {
  for (watch const& w : watches_) {
    if (at(w.watcher).seen_dead) continue;
    bool const ended = at(w.target).seen_dead;
    if (w.state == watch::active) {
      trial_.expect(w.downs == (ended ? 1 : 0), "process {} got {} downs of {}, which {} (MO-1)",
                    w.watcher, w.downs, w.target, ended ? "has ended" : "lives");
    } else if (w.state == watch::stopped_late) {  // demonitor said that the down had come
      trial_.expect(w.downs == (w.flushed ? 0 : 1),
                    "process {}: demonitor found a down of {}, {} came", w.watcher, w.target,
                    w.downs);
    }
  }
}

void bonds_model::check_pairs() {
  for (auto const& [pair, b] : bonds_) {
    auto const [first, second] = pair;
    bool const first_lives = !at(first).seen_dead, second_lives = !at(second).seen_dead;
    if (first_lives && !second_lives) check_survivor(first, second, b);
    if (second_lives && !first_lives) check_survivor(second, first, b);
  }
}

void bonds_model::check_survivor(int alive, int dead, bond const& b) {
  if (!b.linked) return;
  life& l = at(alive);
  // A flag counts when the signal is received: before it could say that it traps exits, a
  // normal end was ignored.
  if (l.traps && at(dead).unstarted_then.count(alive) != 0) return;
  if (l.traps) {
    trial_.expect(l.link_exits[dead] + l.noprocs[dead] > 0,
                  "process {} was linked to {}, which has ended, and never heard of it (L-3)",
                  alive, dead);
  } else if (at(dead).reason) {
    trial_.expect(*at(dead).reason == exit_kind::normal,
                  "process {} survived its link to {}, which ended with {}; calls:{}", alive, dead,
                  *at(dead).reason, b.history);
  }
}

/// Asks a survivor with whom it is linked.
void bonds_model::check_links_of(int n) {
  if (at(n).seen_dead) return;
  auto const peers =
      otter::process_info<std::vector<otter::pid>>(at(n).id, otter::info_item::links);
  if (!trial_.expect(peers.has_value(), "process {} has ended unseen", n)) return;
  auto const has = [&](int other) {
    return std::find(peers->begin(), peers->end(), at(other).id) != peers->end();
  };
  for (int other = 0; other < count(); ++other) {
    if (other == n) continue;
    bond const& b = bond_of(n, other);
    if (at(other).seen_dead) {
      trial_.expect(!has(other), "process {} is linked to {}, which has ended", n, other);
      continue;
    }
    if (b.linked)
      trial_.expect(has(other), "process {} is not linked to {}, but link() was called", n, other);
    if (b.unlinked_by_first)
      trial_.expect(!has(other), "process {} is linked to {} after unlink()", n, other);
    auto const back =
        otter::process_info<std::vector<otter::pid>>(at(other).id, otter::info_item::links);
    bool const mutual = back && std::find(back->begin(), back->end(), at(n).id) != back->end();
    trial_.expect(has(other) == mutual, "process {} {} linked to {}, which {} to it", n,
                  has(other) ? "is" : "is not", other, mutual ? "is" : "is not");
  }
}

}  // namespace simulate
