// The rows of a table in order.

#include "table_index.hpp"

#include <algorithm>

namespace otter::detail {
namespace {

constexpr unsigned digits = 17;

/// The first digit from `from` on, and before `to`, in which two keys differ; `to` if there is
/// none.
std::size_t first_difference(table_key const& a, table_key const& b, std::size_t from,
                             std::size_t to) noexcept {
  std::size_t const longest = table_key::hash_digits + 2 * std::max(a.text.size(), b.text.size());
  for (std::size_t at = from; at < std::min(to, longest); ++at)
    if (a.digit(at) != b.digit(at)) return at;
  return to;
}

/// So many bytes of a text have the digits before `depth`.
std::size_t bytes_before(std::size_t depth) noexcept {
  return depth <= table_key::hash_digits ? 0 : (depth - table_key::hash_digits + 1) / 2;
}

}  // namespace

struct table_index::branch final : table_node {
  branch(table_key const& key, std::size_t its_depth)
      : table_node(its_depth), hash(key.hash), text(key.text.substr(0, bytes_before(its_depth))) {}

  /// The outermost child.
  table_node* child(table_end which) const noexcept {
    return next_to(which == table_end::first ? -1 : static_cast<int>(digits),
                   which == table_end::first ? table_end::last : table_end::first);
  }
  /// The nearest child on the way from a digit to that end.
  table_node* next_to(int digit, table_end towards) const noexcept {
    int const step = towards == table_end::last ? 1 : -1;
    for (int at = digit + step; at >= 0 && at < static_cast<int>(digits); at += step)
      if (table_node* const n = slots[static_cast<std::size_t>(at)].load(std::memory_order_seq_cst))
        return n;  // [T1], [E1]
    return nullptr;
  }
  /// Takes a child out, or gives null. Nobody reads it any more.
  table_node* take_child() noexcept {
    for (slot& s : slots)
      if (table_node* const n = s.load(std::memory_order_relaxed)) {
        s.store(nullptr, std::memory_order_relaxed);
        return n;
      }
    return nullptr;
  }

  // The digits before depth: those of all keys below. Constant.
  std::uint64_t const hash;
  std::string const text;
  std::array<slot, digits> slots{};
  // the writer's
  unsigned children = 2;
  branch* up = nullptr;  // in dispose()
};

table_key table_index::key_of(table_node const& node) noexcept {
  if (node.is_row()) {
    auto const& row = static_cast<table_row const&>(node);
    return {row.hash, row.text};
  }
  auto const& b = static_cast<branch const&>(node);
  return {b.hash, b.text};
}

table_node* table_index::below(table_node const& node, table_key const& key) noexcept {
  auto const& b = static_cast<branch const&>(node);
  return b.slots[key.digit(b.depth)].load(std::memory_order_seq_cst);  // [T1], [E1]
}

// --- for everybody ---

table_row* table_index::find(table_key const& key) const noexcept {
  table_node* n = root_.load(std::memory_order_seq_cst);  // [T1], [E1]
  while (n != nullptr && !n->is_row()) n = below(*n, key);
  return n != nullptr && key_of(*n) == key ? static_cast<table_row*>(n) : nullptr;
}

/// Null: there is nothing, or writers changed each child just before it was looked at.
table_row* table_index::outermost(table_node* node, table_end which) noexcept {
  while (node != nullptr && !node->is_row()) node = static_cast<branch*>(node)->child(which);
  return static_cast<table_row*>(node);
}

table_row* table_index::end(table_end which) const noexcept {
  for (;;) {
    table_node* const root = root_.load(std::memory_order_seq_cst);  // [T1], [E1]
    if (root == nullptr) return nullptr;
    if (table_row* const row = outermost(root, which)) return row;
  }
}

/// Whether all of `node` lies behind `key`, seen on the way to that end. They have `shared` digits
/// in common.
bool table_index::lies_beyond(table_node const& node, table_key const& key, std::size_t shared,
                              table_end towards) noexcept {
  table_key const there = key_of(node);
  std::size_t const at = first_difference(key, there, shared, node.depth);
  if (at == node.depth) return false;
  return (there.digit(at) > key.digit(at)) == (towards == table_end::last);
}

table_row* table_index::beside(table_key const& key, table_end towards) const noexcept {
  for (;;) {
    table_node* aside = nullptr;  // the nearest that lies beyond, of what was passed
    std::size_t shared = 0;
    table_node* n = root_.load(std::memory_order_seq_cst);  // [T1], [E1]
    while (n != nullptr && !n->is_row()) {
      auto const& b = static_cast<branch const&>(*n);
      if (first_difference(key, key_of(b), shared, b.depth) != b.depth) break;
      unsigned const digit = key.digit(b.depth);
      if (table_node* const next = b.next_to(static_cast<int>(digit), towards)) aside = next;
      shared = b.depth;
      n = below(b, key);
    }
    if (n == nullptr || !lies_beyond(*n, key, shared, towards)) n = aside;
    if (n == nullptr) return nullptr;
    if (table_row* const row =
            outermost(n, towards == table_end::last ? table_end::first : table_end::last))
      return row;
  }
}

// --- for the writer ---

void table_index::insert(table_row& row) {
  table_key const key = key_of(row);
  std::size_t shared = 0;
  for (slot* at = &root_;;) {
    table_node* const there = at->load(std::memory_order_relaxed);
    if (there == nullptr) {
      at->store(&row, std::memory_order_seq_cst);  // [T1]
      return;
    }
    table_key const other = key_of(*there);
    std::size_t const apart = first_difference(key, other, shared, there->depth);
    if (apart == there->depth) {
      auto& b = static_cast<branch&>(*there);
      at = &b.slots[key.digit(apart)];
      if (at->load(std::memory_order_relaxed) == nullptr) ++b.children;
      shared = apart;
      continue;
    }
    auto fresh = std::make_unique<branch>(key, apart);
    fresh->slots[key.digit(apart)].store(&row, std::memory_order_relaxed);
    fresh->slots[other.digit(apart)].store(there, std::memory_order_relaxed);
    at->store(fresh.release(), std::memory_order_seq_cst);  // [T1]
    branches_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
}

table_index::slot& table_index::place_of(table_row const& row) noexcept {
  table_key const key = key_of(row);
  slot* at = &root_;
  for (table_node* n; (n = at->load(std::memory_order_relaxed)) != &row;)
    at = &static_cast<branch*>(n)->slots[key.digit(n->depth)];
  return *at;
}

void table_index::replace(table_row& old, table_row& fresh, retired& gone) noexcept {
  place_of(old).store(&fresh, std::memory_order_seq_cst);  // [T1], [E1]
  gone.add(std::unique_ptr<retirable>(&old));
}

/// A branch that would be left with one child gives its place to that one.
void table_index::erase(table_row& row, retired& gone) noexcept {
  table_key const key = key_of(row);
  slot* above = nullptr;
  slot* at = &root_;
  branch* in = nullptr;
  for (table_node* n; (n = at->load(std::memory_order_relaxed)) != &row;) {
    in = static_cast<branch*>(n);
    above = at;
    at = &in->slots[key.digit(n->depth)];
  }
  if (in == nullptr || in->children > 2) {
    at->store(nullptr, std::memory_order_seq_cst);  // [E1]
    if (in != nullptr) --in->children;
  } else {
    auto const other = std::find_if(in->slots.begin(), in->slots.end(), [&](slot const& s) {
      return &s != at && s.load(std::memory_order_relaxed) != nullptr;
    });
    above->store(other->load(std::memory_order_relaxed), std::memory_order_seq_cst);  // [E1]
    gone.add(std::unique_ptr<retirable>(in));
    branches_.fetch_sub(1, std::memory_order_relaxed);
  }
  gone.add(std::unique_ptr<retirable>(&row));
}

table_node* table_index::take_all() noexcept {
  branches_.store(0, std::memory_order_relaxed);
  return root_.exchange(nullptr, std::memory_order_seq_cst);  // [E1]
}

/// Without recursion: keys of strangers decide how deep it is.
void table_index::dispose(table_node* all) noexcept {
  branch* in = nullptr;
  for (table_node* n = all; n != nullptr || in != nullptr;) {
    if (n == nullptr) {
      branch* const done = in;
      in = in->up;
      done->dispose();
    } else if (n->is_row()) {
      n->dispose();
    } else {
      static_cast<branch*>(n)->up = in;
      in = static_cast<branch*>(n);
    }
    n = in != nullptr ? in->take_child() : nullptr;
  }
}

std::size_t table_index::bytes() const noexcept {
  return branches_.load(std::memory_order_relaxed) * sizeof(branch);
}

}  // namespace otter::detail
