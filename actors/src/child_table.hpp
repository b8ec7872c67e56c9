#pragma once

// child_table.hpp - the children of one supervisor: in start order, and found by id, by process and
// by the restart that they wait for.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <otter/child_spec.hpp>
#include <otter/detail/code_change.hpp>
#include <otter/timer.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backoff.hpp"

namespace otter::detail {

/// Ownership: the supervisor's object. Threads: its process.
/// Invariant: the list is in start order; by_id_ names all of them, by_pid_ those that have a
///            process, by_restart_ those that wait for a restart. None is in both of the latter.
class child_table {
 public:
  struct child {
    child_spec spec;
    pid process{};
    std::uint64_t restart = 0;  // the number of the restart that it waits for; 0: none
    timer_ref waits{};          // until that begins, if it has a back-off
    exit_reason last{};         // why it has to be started again
    restart_history history{};
    /// Of the module whose code its start is, if that is known.
    std::shared_ptr<part_use> use{};
  };
  using iterator = std::list<child>::iterator;

  iterator begin() noexcept { return all_.begin(); }
  iterator end() noexcept { return all_.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
  [[nodiscard]] std::size_t running() const noexcept { return by_pid_.size(); }

  iterator find(std::string const& id) { return found(by_id_, id); }
  iterator find(pid process) { return found(by_pid_, process); }
  iterator find_restart(std::uint64_t number) { return found(by_restart_, number); }

  /// Last in the order.
  iterator add(child_spec spec) {
    all_.push_back(child{std::move(spec)});
    auto it = std::prev(all_.end());
    by_id_.emplace(it->spec.id, it);
    return it;
  }
  /// Gives the next one.
  iterator forget(iterator it) {
    has_no_process(it);
    no_restart(it);
    by_id_.erase(it->spec.id);
    return all_.erase(it);
  }
  /// These come first, in that order; the others behind them, in theirs.
  void put_first(std::vector<iterator> const& these) noexcept {
    std::list<child> ordered;
    for (iterator it : these) ordered.splice(ordered.end(), all_, it);
    ordered.splice(ordered.end(), all_);
    all_.swap(ordered);
  }
  void has_process(iterator it, pid process) {
    it->process = process;
    by_pid_.emplace(process, it);
  }
  /// Gives the process that it had, if any.
  pid has_no_process(iterator it) {
    const pid process = std::exchange(it->process, pid{});
    if (process) by_pid_.erase(process);
    return process;
  }
  /// Gives the number of the restart that it waits for from now on.
  std::uint64_t waits_for_restart(iterator it) {
    it->restart = ++last_restart_;
    by_restart_.emplace(it->restart, it);
    return it->restart;
  }
  /// What was on its way for that restart finds nobody any more.
  void no_restart(iterator it) {
    if (it->restart == 0) return;
    by_restart_.erase(std::exchange(it->restart, 0));
    if (const timer_ref waits = std::exchange(it->waits, {})) cancel_timer(waits);
  }

 private:
  template <class Index, class Key>
  iterator found(Index& index, Key const& key) {
    auto at = index.find(key);
    return at == index.end() ? all_.end() : at->second;
  }

  std::list<child> all_;
  std::unordered_map<std::string, iterator> by_id_;
  std::unordered_map<pid, iterator> by_pid_;
  std::unordered_map<std::uint64_t, iterator> by_restart_;
  std::uint64_t last_restart_ = 0;
};

}  // namespace otter::detail
