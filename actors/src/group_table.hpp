#pragma once

// group_table.hpp - groups and the processes in them: one process writes, everybody reads without a
// lock.
//
// process_table.hpp, which registries have, is written by everybody and keeps a value with each
// entry, that must go when the entry goes. Here one process writes, so that those who follow the
// changes can be told of them in their order; and there are no values, so that a place may stay
// where it is for a while when its process has left it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <otter/pid.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "read_index.hpp"
#include "readers.hpp"

namespace otter::detail {

/// Each group is a row of places in the order of joining. A join writes behind the last one, a
/// leave marks its place as left; a row that is full, or has few left in it, is renewed. So either
/// costs the same in a group of a million, and a reader copies what it finds.
///
/// Ownership: of groups and rows; keys are shared with those who copied them out.
/// Threads:   members() and groups() any, wait-free. The rest: the process that owns the table.
/// Invariant: a group in the index has a member. Numbers grow along a row. holdings_ has each place
///            that was not left, under its process.
/// Ordering:  [G1] a place is written before it is counted; [G2] a row is filled before it is seen.
///            Groups reach readers by the index, [X1]; what they hold is freed by readers.hpp,
///            [E1].
class group_table {
 public:
  group_table() = default;
  ~group_table();
  group_table(group_table const&) = delete;
  group_table& operator=(group_table const&) = delete;

  using group_key = std::shared_ptr<void const>;

  // --- for everybody ---

  /// In the order of joining; none if there is no such group. May be old, and of several moments.
  /// The table stays while `here` stands.
  [[nodiscard]] std::vector<pid> members(std::string_view text, reading const& here) const;
  struct listing {
    group_key key;
    std::vector<pid> members;
  };
  enum class with_members : bool { no, yes };
  /// All groups, the oldest first.
  [[nodiscard]] std::vector<listing> groups(with_members also, reading const& here) const;

  // --- for the process that owns it; if one throws std::bad_alloc, it is of no use any more ---

  void join(std::string_view text, group_key const& key, pid process);
  /// The process leaves the last place that it took. False: it has none in that group.
  bool leave(std::string_view text, pid process);
  /// What a process had of one group when it left all.
  struct departure {
    std::string text;
    group_key key;
    std::size_t places;
  };
  std::vector<departure> leave_all(pid process);
  /// Whether the process is a member of any group.
  [[nodiscard]] bool has(pid process) const noexcept { return holdings_.contains(process); }

 private:
  struct place {
    pid process{};
    std::uint64_t number = 0;
    std::atomic<bool> left{false};  // relaxed: nothing else depends on it
  };
  struct places;
  struct group;
  /// By group and number, so that the places of a process in one group stand together.
  using holdings = std::map<std::pair<std::uint64_t, std::uint64_t>, group*>;

  group* find(std::string_view text, std::size_t hash) const;
  void append(group& g, pid process, std::uint64_t number);
  void vacate(group& g, std::uint64_t number) noexcept;
  void renew(group& g);
  static void copy_members(group const& g, std::vector<pid>& to);

  read_index<group> index_;  // read by all
  // the owner's
  std::unordered_map<pid, holdings> holdings_;
  std::uint64_t last_group_ = 0;
  retired retired_;
};

}  // namespace otter::detail
