// bonds.cpp - links, monitors, exits, kills, names and messages, at random, against the model.

#include <otter/error.hpp>
#include <otter/link.hpp>
#include <otter/message.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "bonds_model.hpp"

namespace simulate {
namespace {

using namespace std::chrono_literals;
using otter::exit_reason;

constexpr int first_lives = 5;
constexpr int most_lives = 14;
constexpr int most_steps = 40;

struct settled {};
struct finish {};

/// One process of the storm.
class participant {
 public:
  participant(bonds_model& model, int me)
      : model_(model),
        me_(me),
        numbers_(model.complaints().numbers(static_cast<std::uint64_t>(me))) {}

  void run() {
    life().id = otter::self();
    life().started = true;
    struct at_the_end {
      bonds_model& model;
      int me;
      ~at_the_end() { model.leaves(me); }
    } mark{model_, me_};
    otter::trap_exit(life().traps);
    int const steps = static_cast<int>(numbers_.below(most_steps));
    for (int i = 0; i < steps; ++i) {
      act();
      if (chance(3)) look(0s);
    }
    if (chance(6)) return;
    if (chance(8)) otter::exit(exit_reason::of(fmt::format("end of {}", me_)));
    life().settled = true;
    otter::send(first_, settled{});
    while (look(otter::infinity)) {
    }
  }
  void tell(otter::pid first) { first_ = first; }

 private:
  bonds_model::life& life() { return model_.at(me_); }
  bool chance(std::uint64_t one_in) { return numbers_.below(one_in) == 0; }
  /// Somebody else, dead or alive.
  int other() {
    int const n = static_cast<int>(numbers_.below(static_cast<std::uint64_t>(model_.count() - 1)));
    return n < me_ ? n : n + 1;
  }

  /// Takes what has come, waiting for the first. False when the time to finish has come.
  bool look(otter::duration limit) {
    bool go_on = true, more = true;
    while (more && go_on) {
      otter::receive([&](post p) { model_.saw(me_, p); },
                     [&](otter::down const& d) { model_.saw(me_, d); },
                     [&](otter::exited const& e) { model_.saw(me_, e); },
                     [&](finish) { go_on = false; }, otter::after(limit, [&] { more = false; }));
      limit = 0s;
    }
    return go_on;
  }

  void act() {
    switch (numbers_.below(16)) {
      case 0:
      case 1:
      case 2:
        return write();
      case 3:
      case 4:
        return link();
      case 5:
        return unlink();
      case 6:
      case 7:
        return watch();
      case 8:
        return stop_watching();
      case 9:
        return look_for_a_while();
      case 10:
        return take_name();
      case 11:
        return send_exit();
      case 12:
        return chance(3) ? kill() : write();
      case 13:
        return spawn();
      case 14:
        return otter::checkpoint();
      default:
        return look_for_a_while();
    }
  }

  void write() {
    int const to = other();
    if (model_.at(to).id == otter::pid{}) return;
    post const p{me_, ++life().sent[to]};
    for (int n = 0; n < 4; ++n) {  // by its name, if it has one
      std::string const name = fmt::format("name {}", n);
      if (otter::whereis(name) == model_.at(to).id) return otter::send(name, p);
    }
    otter::send(model_.at(to).id, p);
  }

  void link() {
    int const to = other();
    if (to < me_ || model_.at(to).id == otter::pid{}) return;
    bonds_model::bond& b = model_.bond_of(me_, to);
    try {
      b.unlinked_by_first = false;
      b.history += model_.at(to).leaving ? " link-to-dying" : " link";
      otter::link(model_.at(to).id);
      b.history += " (done)";
      b.linked = !b.unlinked_by_second;
    } catch (otter::error const& e) {
      model_.complaints().expect(e.code() == otter::errc::noproc && !life().traps &&
                                     (model_.at(to).leaving || !model_.at(to).started),
                                 "process {}: link to {} threw {}", me_, to, e.what());
    }
  }

  void unlink() {
    int const to = other();
    if (model_.at(to).id == otter::pid{}) return;
    if (!look(0s)) return;  // what is queued may stay: it shall not be taken for new
    bonds_model::bond& b = model_.bond_of(me_, to);
    b.linked = false;
    b.history += me_ < to ? " unlink" : " unlink-by-second";
    if (me_ < to)
      b.unlinked_by_first = true;
    else
      b.unlinked_by_second = true;
    otter::unlink(model_.at(to).id);
  }

  void watch() {
    int const to = other();
    if (model_.at(to).id == otter::pid{}) return;
    watches_.push_back(model_.watches(me_, to, otter::monitor(model_.at(to).id)));
  }

  void stop_watching() {
    if (watches_.empty()) return;
    std::size_t const i = numbers_.below(watches_.size());
    std::size_t const which = watches_[i];
    watches_.erase(watches_.begin() + static_cast<std::ptrdiff_t>(i));
    bool const flush = chance(2);
    bool const had_come = model_.watch_at(which).downs > 0;
    bool const was_there =
        otter::demonitor(model_.watch_at(which).ref,
                         flush ? otter::demonitor_flush::yes : otter::demonitor_flush::no);
    bonds_model::watch& w = model_.watch_at(which);
    if (had_come) return;  // an old ref is harmless
    w.flushed = flush;
    w.state = was_there ? bonds_model::watch::stopped : bonds_model::watch::stopped_late;
  }

  void look_for_a_while() { look(std::chrono::microseconds(numbers_.below(30))); }

  void take_name() {
    std::string const name = fmt::format("name {}", numbers_.below(4));
    try {
      if (chance(4))
        otter::unregister_name(name);
      else
        otter::register_name(name, otter::self());
    } catch (otter::error const& e) {
      model_.complaints().expect(e.code() == otter::errc::badarg, "process {}: a name gave {}", me_,
                                 e.what());
    }
  }

  void send_exit() {
    int const to = other();
    if (model_.at(to).id == otter::pid{}) return;
    // Ignored (X-1b). Who traps exits could not tell it from a link's.
    if (chance(3) && !model_.at(to).traps)
      return otter::exit(model_.at(to).id, exit_reason::normal());
    std::string const text = fmt::format("signal {} of {} to {}", ++signals_, me_, to);
    model_.sends_signal(to, text);
    otter::exit(model_.at(to).id, exit_reason::of(text));
  }

  void kill() {
    int const to = other();
    if (model_.at(to).id == otter::pid{}) return;
    otter::exit(model_.at(to).id, exit_reason::kill());
    if (chance(2))
      model_.complaints().expect(!otter::is_alive(model_.at(to).id),
                                 "process {} lives after a kill (P-12)", to);
  }

  void spawn();

  bonds_model& model_;
  int const me_;
  random numbers_;
  otter::pid first_;
  std::vector<std::size_t> watches_;
  int signals_ = 0;

 public:
  /// Starts process `n`. By the first process, or by another participant.
  static otter::spawned start(bonds_model& model, int n, otter::pid first,
                              otter::spawn_options const& options) {
    otter::defer_exit until_it_is_in_the_ledger;
    otter::spawned const child = otter::spawn(options, [&model, n, first] {
      participant p(model, n);
      p.tell(first);
      p.run();
    });
    model.at(n).id = child.process;
    return child;
  }
};

void participant::spawn() {
  if (model_.count() >= most_lives) return;
  int const n = model_.add_life(chance(2));
  otter::spawn_options options;
  options.link = chance(2);
  if (chance(2)) options.monitor = otter::alias_mode::none;
  // In the ledger before the child can run: start() does not let others in between.
  if (options.link)
    model_.bond_of(me_, n).linked = true, model_.bond_of(me_, n).history += " spawn";
  otter::spawned const child = start(model_, n, first_, options);
  if (child.ref) watches_.push_back(model_.watches(me_, n, child.ref));
}

/// Waits until each process has ended or settled, then until nothing moves, and checks.
void first_process(trial& t) {
  bonds_model model(t);
  random numbers = t.numbers(1000);
  for (int n = 0; n < first_lives; ++n) model.add_life(numbers.below(2) == 0);
  for (int n = 0; n < first_lives; ++n) participant::start(model, n, otter::self(), {});
  std::map<otter::monitor_ref, int> watched;
  int next = 0;
  auto const take = [&](otter::duration limit) {
    bool took = true;
    otter::receive([&](settled) {},
                   [&](otter::down const& d) {
                     bonds_model::life& l = model.at(watched.at(d.ref));
                     l.seen_dead = true;
                     if (!l.reason && d.reason != otter::exit_kind::noproc) l.reason = d.reason;
                   },
                   otter::after(limit, [&] { took = false; }));
    return took;
  };
  auto const watch_all = [&] {
    for (; next < model.count() && model.at(next).id != otter::pid{}; ++next)
      watched[otter::monitor(model.at(next).id)] = next;
    return next == model.count();
  };
  auto const all_at_rest = [&] {
    bool rest = watch_all();
    for (int n = 0; n < model.count(); ++n)
      rest = rest && (model.at(n).settled || model.at(n).seen_dead);
    return rest;
  };
  while (!all_at_rest()) take(1ms);
  // Time only goes on so far when nothing else can happen.
  while (take(1s)) {
  }
  model.check_at_rest();
  for (int n = 0; n < model.count(); ++n) otter::send(model.at(n).id, finish{});
  auto const all_dead = [&] {
    for (int n = 0; n < model.count(); ++n) {
      if (!model.at(n).seen_dead) return false;
    }
    return true;
  };
  while (!all_dead()) take(otter::infinity);
}

}  // namespace

void bonds(trial& t) {
  t.run([&t] { first_process(t); });
}

}  // namespace simulate
