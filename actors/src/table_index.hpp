#pragma once

// table_index.hpp - the rows of a table in an order that never moves: read without a lock while one
// writer changes it.
//
//   otter::detail::table_key     a key, as digits
//   otter::detail::table_index   finds rows by it, and the next one in order
//
// A radix tree with compressed paths. Of a set the digits are those of the keyed hash, so that the
// tree is even whatever keys strangers choose; of an ordered set those of the key. One structure
// does both, and a walk goes on behind the key where it stopped, whatever has come and gone.
//
// Refused: read_index.hpp, which moves its entries when it grows, so that a walk could not go on; a
// tree with rotations, or one that is copied for each change, as more writes for each row; a skip
// list, which is no faster for the set. From Debian: oneTBB's concurrent_hash_map (a lock for each
// look-up) and its unordered and ordered maps (no concurrent erase); libcds, which threads must be
// attached to and nobody has released since 2018; liburcu's cds_lfht, the best of them, which has
// no order, wants each thread registered, frees on a thread of its own and is opaque to
// ThreadSanitizer.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/detail/table_core.hpp>
#include <string>
#include <string_view>

#include "readers.hpp"

namespace otter::detail {

/// The sixteen digits of the hash, then two for each byte, each 1 to 16; behind the end there are
/// zeros, so a text stands before those that go on. In an ordered set all hashes are 0, and a
/// compressed path skips them.
struct table_key {
  std::uint64_t hash = 0;
  std::string_view text;

  static constexpr std::size_t hash_digits = 16;
  [[nodiscard]] unsigned digit(std::size_t at) const noexcept {
    if (at < hash_digits) return 1 + static_cast<unsigned>((hash >> (60 - 4 * at)) & 15);
    at -= hash_digits;
    if (at / 2 >= text.size()) return 0;
    auto const byte = static_cast<unsigned char>(text[at / 2]);
    return 1 + static_cast<unsigned>(at % 2 == 0 ? byte >> 4 : byte & 15);
  }
  friend bool operator==(table_key const&, table_key const&) = default;
};

/// Ownership: of its branches, and of one count of each row.
/// Threads:   find(), end() and beside(): any, while a `reading` of theirs stands, or the writer.
///            The rest: one writer at a time.
/// Invariant: each row stands where its digits lead. A branch has two children at least. One that
///            was unlinked keeps what it had, so who is still in it sees a moment of the past.
/// Ordering:  [T1] a node's contents happen before its being found; [E1] see readers.hpp.
class table_index {
 public:
  table_index() = default;
  ~table_index() { dispose(take_all()); }
  table_index(table_index const&) = delete;
  table_index& operator=(table_index const&) = delete;

  // --- for everybody ---

  /// Wait-free.
  [[nodiscard]] table_row* find(table_key const& key) const noexcept;
  /// The first row in order, or the last.
  [[nodiscard]] table_row* end(table_end which) const noexcept;
  /// The nearest row on the way from `key` to that end. Lock-free: it looks again if writers moved
  /// all that it was about to see.
  [[nodiscard]] table_row* beside(table_key const& key, table_end towards) const noexcept;

  // --- for the writer ---

  /// No row with its key is there. Throws: std::bad_alloc; then nothing has changed.
  void insert(table_row& row);
  /// `fresh` has the key of `old`, which is retired.
  void replace(table_row& old, table_row& fresh, retired& gone) noexcept;
  void erase(table_row& row, retired& gone) noexcept;
  /// Empties it. What it had is to be given to dispose() when nobody reads it any more.
  [[nodiscard]] table_node* take_all() noexcept;
  static void dispose(table_node* all) noexcept;
  /// Bytes of its branches.
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  struct branch;
  using slot = std::atomic<table_node*>;

  static table_key key_of(table_node const& node) noexcept;
  static table_node* below(table_node const& node, table_key const& key) noexcept;
  static table_row* outermost(table_node* node, table_end which) noexcept;
  static bool lies_beyond(table_node const& node, table_key const& key, std::size_t shared,
                          table_end towards) noexcept;
  slot& place_of(table_row const& row) noexcept;

  slot root_{nullptr};
  std::atomic<std::size_t> branches_{0};  // relaxed: a count, it publishes nothing
};

}  // namespace otter::detail
