#pragma once

// bonds_model.hpp - what is known of the processes of the bonds scenario, and what must follow.
//
//   bonds_model   the ledger: who is who, who is linked with whom, who watches whom, what was sent
//
// A pair is only linked by the process with the smaller number, so that the model knows who asked;
// either side may unlink.

#include <cstdint>
#include <map>
#include <optional>
#include <otter/exit.hpp>
#include <otter/exit_reason.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "trial.hpp"

namespace simulate {

/// A numbered message.
struct post {
  int from;
  std::uint64_t number;
};

class bonds_model {
 public:
  struct life {
    otter::pid id;
    bool traps = false;
    bool started = false;
    bool leaving = false;                      ///< its body is gone: it does nothing any more
    std::set<int> unstarted_then;              ///< who had not started when it left
    bool settled = false;                      ///< it only receives from here on
    bool seen_dead = false;                    ///< the scenario's first process has got its `down`
    std::optional<otter::exit_reason> reason;  ///< as the first observer heard it
    std::map<int, std::uint64_t> sent, got;
    std::map<int, int> link_exits;       ///< `exited` with a reason for a link, by peer
    std::map<int, int> noprocs;          ///< ... and those of links to the dead
    std::map<std::string, int> signals;  ///< explicit exit signals received, by text
  };
  struct watch {
    int watcher, target;
    otter::monitor_ref ref;
    enum : unsigned char { active, stopped, stopped_late } state = active;
    bool flushed = false;
    int downs = 0;
    int downs_after_stop = 0;
  };
  struct bond {
    bool linked = false;  ///< link() has returned, and nobody has called unlink() since; never
                          ///< known again once the larger has
    bool unlinked_by_first = false;   ///< the last thing that the smaller did
    std::string history = {};         ///< what was called, for a complaint
    bool unlinked_by_second = false;  ///< the larger called unlink() at some time
  };

  explicit bonds_model(trial& t) : trial_(t) {}

  trial& complaints() noexcept { return trial_; }

  // --- who is who ---
  int add_life(bool traps);
  void leaves(int n);
  life& at(int n) noexcept { return lives_[static_cast<std::size_t>(n)]; }
  int count() const noexcept { return static_cast<int>(lives_.size()); }
  std::optional<int> number_of(otter::pid p) const;

  // --- what processes do ---
  void sends_signal(int to, std::string const& text) { signals_.insert({to, text}); }
  std::size_t watches(int watcher, int target, otter::monitor_ref ref);
  watch& watch_at(std::size_t n) noexcept { return watches_[n]; }
  bond& bond_of(int a, int b) { return bonds_[{std::min(a, b), std::max(a, b)}]; }

  // --- what processes see: called in process `me` ---
  void saw(int me, post const& p);
  void saw(int me, otter::down const& d);
  void saw(int me, otter::exited const& e);

  /// Once nothing moves any more: everything that had to come has come. In the first process.
  void check_at_rest();

 private:
  void check_end(int me, int ended, otter::exit_reason const& why, char const* what);
  void check_watches();
  void check_pairs();
  void check_survivor(int alive, int dead, bond const& b);
  void check_links_of(int n);

  trial& trial_;
  std::vector<life> lives_;
  std::map<otter::pid, int> numbers_;
  std::vector<watch> watches_;
  std::map<std::pair<int, int>, bond> bonds_;
  std::set<std::pair<int, std::string>> signals_;  // to whom, text
};

}  // namespace simulate
