// Groups and the processes in them.

#include "group_table.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <otter/detail/keyed_hash.hpp>

namespace otter::detail {

struct group_table::places final : retirable {
  explicit places(std::size_t size) : room(size), all(std::make_unique<place[]>(size)) {}
  std::size_t const room;
  std::unique_ptr<place[]> const all;
  std::atomic<std::size_t> taken{0};  // [G1]
};

struct group_table::group final : retirable {
  group(std::string_view name, std::size_t hash_of_name, group_key its_key, std::uint64_t number)
      : text(name), hash(hash_of_name), key(std::move(its_key)), id(number) {}
  ~group() override { delete row.load(std::memory_order_relaxed); }

  std::string const text;
  std::size_t const hash;
  group_key const key;
  std::uint64_t const id;
  std::atomic<places*> row{nullptr};  // [G2]; never null once the group is in the index
  // the owner's
  std::size_t living = 0;
  std::uint64_t last_number = 0;
};

group_table::~group_table() {
  index_.for_each([](group& g) { delete &g; });
}

// --- for everybody ---

group_table::group* group_table::find(std::string_view text, std::size_t hash) const {
  return index_.find(hash, [&](group const& g) { return g.text == text; });
}

void group_table::copy_members(group const& g, std::vector<pid>& to) {
  places const& row = *g.row.load(std::memory_order_seq_cst);           // [G2], [E1]
  std::size_t const taken = row.taken.load(std::memory_order_acquire);  // [G1]
  to.reserve(taken);
  for (std::size_t i = 0; i != taken; ++i)
    if (!row.all[i].left.load(std::memory_order_relaxed)) to.push_back(row.all[i].process);
}

std::vector<pid> group_table::members(std::string_view text, reading const&) const {
  std::vector<pid> found;
  if (group const* const g = find(text, keyed_hash(text))) copy_members(*g, found);
  return found;
}

std::vector<group_table::listing> group_table::groups(with_members also, reading const&) const {
  std::map<std::uint64_t, listing> found;
  index_.for_each([&](group const& g) {
    listing& r = found[g.id];
    r.key = g.key;
    if (also == with_members::yes) copy_members(g, r.members);
  });
  std::vector<listing> result;
  result.reserve(found.size());
  for (auto& [id, r] : found) result.push_back(std::move(r));
  return result;
}

// --- for the owner ---

void group_table::join(std::string_view text, group_key const& key, pid process) {
  std::size_t const hash = keyed_hash(text);
  std::unique_ptr<group> made;
  group* g = find(text, hash);
  if (g == nullptr) {
    made = std::make_unique<group>(text, hash, key, ++last_group_);
    g = made.get();
  }
  std::uint64_t const number = ++g->last_number;
  append(*g, process, number);
  holdings_[process].try_emplace({g->id, number}, g);
  if (made != nullptr) {
    index_.insert(*made, retired_);
    made.release();
  }
  retired_.free_unread();
}

bool group_table::leave(std::string_view text, pid process) {
  group* const g = find(text, keyed_hash(text));
  auto const mine = holdings_.find(process);
  if (g == nullptr || mine == holdings_.end()) return false;
  auto last = mine->second.upper_bound({g->id, std::numeric_limits<std::uint64_t>::max()});
  if (last == mine->second.begin() || (--last)->second != g) return false;
  std::uint64_t const number = last->first.second;
  mine->second.erase(last);
  if (mine->second.empty()) holdings_.erase(mine);
  vacate(*g, number);
  retired_.free_unread();
  return true;
}

std::vector<group_table::departure> group_table::leave_all(pid process) {
  std::vector<departure> gone;
  auto const mine = holdings_.extract(process);
  if (mine.empty()) return gone;
  std::uint64_t last = 0;  // no group has this number
  for (auto const& [where, g] : mine.mapped()) {
    if (where.first != last) gone.push_back({g->text, g->key, 0});
    last = where.first;
    ++gone.back().places;
    vacate(*g, where.second);
  }
  retired_.free_unread();
  return gone;
}

void group_table::append(group& g, pid process, std::uint64_t number) {
  places* row = g.row.load(std::memory_order_relaxed);
  if (row == nullptr || row->taken.load(std::memory_order_relaxed) == row->room) {
    renew(g);
    row = g.row.load(std::memory_order_relaxed);
  }
  std::size_t const taken = row->taken.load(std::memory_order_relaxed);
  row->all[taken].process = process;
  row->all[taken].number = number;
  row->taken.store(taken + 1, std::memory_order_release);  // [G1]
  ++g.living;
}

/// A group that nobody is in any more is retired.
void group_table::vacate(group& g, std::uint64_t number) noexcept {
  places const& row = *g.row.load(std::memory_order_relaxed);
  std::size_t const taken = row.taken.load(std::memory_order_relaxed);
  place* const all = row.all.get();
  place* const p = std::lower_bound(all, all + taken, number,
                                    [](place const& a, std::uint64_t n) { return a.number < n; });
  p->left.store(true, std::memory_order_relaxed);
  if (--g.living == 0) {
    index_.erase(g);
    retired_.add(std::unique_ptr<retirable>(&g));
    return;
  }
  if (taken < 16 || 4 * g.living > taken) return;
  try {
    renew(g);
  } catch (std::bad_alloc const&) {
    // Readers go on stepping over the places that were left.
  }
}

/// A new row for those who are there, with room for as many again.
void group_table::renew(group& g) {
  auto next = std::make_unique<places>(std::max<std::size_t>(4, 2 * g.living));
  std::unique_ptr<places> old(g.row.load(std::memory_order_relaxed));
  std::size_t taken = 0;
  if (old != nullptr) {
    for (std::size_t i = 0; i != old->taken.load(std::memory_order_relaxed); ++i) {
      place const& from = old->all[i];
      if (from.left.load(std::memory_order_relaxed)) continue;
      next->all[taken].process = from.process;
      next->all[taken].number = from.number;
      ++taken;
    }
  }
  next->taken.store(taken, std::memory_order_relaxed);
  g.row.store(next.release(), std::memory_order_seq_cst);  // [G2], [E1]
  if (old != nullptr) retired_.add(std::move(old));
}

}  // namespace otter::detail
