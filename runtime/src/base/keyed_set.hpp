#pragma once

// base/keyed_set.hpp - an intrusive hash set for owners that mostly hold none or one: a process's
// monitors and open requests.
//
//   keyed_set<Node, KeyOf>    KeyOf::key(Node const&) and KeyOf::hash(key) say what a node is
//
// Empty it is 8 bytes; the first element needs no memory, and no operation can fail: where the
// bucket array cannot grow, the chains do. Boost.Intrusive's unordered_set wants its buckets from
// the user, and its iteration order depends on them.
//
// Every order in which elements come out depends on the keys and on what was inserted and removed
// when, never on an address: the simulation relies on it.

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "base/array_memory.hpp"

namespace otter::rts {

/// Ownership: of the bucket array, never of a node. A node is in one set at most, and its
///            `Node* hash_next` belongs to the set meanwhile. Nodes left over are just forgotten.
/// Threads:   one at a time.
/// Invariant: without an array there is one bucket, first_. With one, first_ is its address plus 1,
///            and what else there is to know lies in front of it. The number of buckets is a power
///            of two. Of nodes with equal keys find() gives one.
template <class Node, class KeyOf>
class keyed_set {
 public:
  using key_type = std::remove_cvref_t<decltype(KeyOf::key(std::declval<Node const&>()))>;

  keyed_set() noexcept = default;
  ~keyed_set() { drop_array(); }
  keyed_set(keyed_set&& other) noexcept { swap(other); }
  keyed_set& operator=(keyed_set&& other) noexcept {
    swap(other);
    return *this;
  }

  void insert(Node& node) noexcept {
    if (!has_array()) {
      if (first_ != nullptr) resize(smallest_array);
    } else if (array_head const& h = head(); h.size > h.mask && h.size < largest_array) {
      resize(2 * (h.mask + 1));
    }
    Node*& bucket = *bucket_of(KeyOf::key(node));
    node.hash_next = bucket;
    bucket = &node;
    if (has_array()) ++head().size;
  }

  /// The node with this key, or nullptr.
  [[nodiscard]] Node* find(key_type const& key) const noexcept {
    Node* node = *bucket_of(key);
    while (node != nullptr && !(KeyOf::key(*node) == key)) node = node->hash_next;
    return node;
  }

  /// Takes out the node with this key. nullptr if there is none, which is not an error.
  Node* remove(key_type const& key) noexcept {
    for (Node** at = bucket_of(key); *at != nullptr; at = &(*at)->hash_next) {
      if (KeyOf::key(**at) == key) return unlink(at);
    }
    return nullptr;
  }

  /// Takes out exactly this node. False if it is not here.
  bool remove(Node& node) noexcept {
    for (Node** at = bucket_of(KeyOf::key(node)); *at != nullptr; at = &(*at)->hash_next) {
      if (*at == &node) {
        unlink(at);
        return true;
      }
    }
    return false;
  }

  /// Takes out some node, nullptr if empty. Emptying a set this way takes time in proportion to
  /// its size: the search goes on where the last one ended.
  Node* pop_any() noexcept {
    if (!has_array()) return first_ != nullptr ? unlink(&first_) : nullptr;
    array_head& h = head();
    if (h.size == 0) return nullptr;
    while (buckets()[h.cursor] == nullptr) h.cursor = (h.cursor + 1) & h.mask;
    return unlink(&buckets()[h.cursor]);
  }

  /// Calls f(Node&) for each. f may neither insert nor remove.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < bucket_count(); ++i) {
      for (Node* node = buckets()[i]; node != nullptr;) {
        Node* const next = node->hash_next;
        f(*node);
        node = next;
      }
    }
  }

  /// Without an array it counts: that is one at most, or memory was short.
  [[nodiscard]] std::size_t size() const noexcept {
    if (has_array()) return head().size;
    std::size_t n = 0;
    for (Node const* node = first_; node != nullptr; node = node->hash_next) ++n;
    return n;
  }
  [[nodiscard]] bool empty() const noexcept {
    return has_array() ? head().size == 0 : first_ == nullptr;
  }

  /// Gives back memory that the present size does not need; for an owner that goes to sleep.
  void shrink() noexcept {
    if (!has_array()) return;
    std::uint32_t const size = head().size;
    if (size <= 1) return to_single();
    std::uint32_t wanted = smallest_array;
    while (wanted < size) wanted *= 2;
    if (wanted <= head().mask) resize(wanted);
  }

  void swap(keyed_set& other) noexcept { std::swap(first_, other.first_); }

  [[nodiscard]] std::size_t bucket_count() const noexcept {
    return has_array() ? std::size_t{head().mask} + 1 : 1;
  }

 private:
  /// In front of the buckets.
  struct array_head {
    std::size_t cursor = 0;  // where pop_any() goes on
    std::uint32_t size = 0;
    std::uint32_t mask = 0;  // of the number of buckets: at least 7
  };
  static constexpr std::size_t bytes_for(std::size_t buckets) noexcept {
    return sizeof(array_head) + buckets * sizeof(Node*);
  }

  static constexpr std::uint32_t smallest_array = 8;
  static constexpr std::uint32_t largest_array = std::uint32_t{1} << 30;
  static constexpr std::uintptr_t array_mark = 1;

  [[nodiscard]] bool has_array() const noexcept {
    static_assert(alignof(Node) > array_mark, "the address of a node leaves room for the mark");
    return (reinterpret_cast<std::uintptr_t>(first_) & array_mark) != 0;
  }
  [[nodiscard]] Node** buckets() const noexcept {
    if (!has_array()) return const_cast<Node**>(&first_);
    return reinterpret_cast<Node**>(reinterpret_cast<std::uintptr_t>(first_) - array_mark);
  }
  [[nodiscard]] array_head& head() const noexcept {
    return reinterpret_cast<array_head*>(buckets())[-1];
  }
  [[nodiscard]] Node** bucket_of(key_type const& key) const noexcept {
    if (!has_array()) return const_cast<Node**>(&first_);
    return buckets() + (static_cast<std::size_t>(KeyOf::hash(key)) & head().mask);
  }
  Node* unlink(Node** at) noexcept {
    Node* const node = *at;
    *at = node->hash_next;
    node->hash_next = nullptr;
    if (!has_array()) return node;
    array_head& h = head();
    --h.size;
    // Hysteresis: a set that breathes by less than a factor of eight keeps its array.
    if (h.mask >= 2 * smallest_array && h.size < h.mask / 8) resize((h.mask + 1) / 2);
    return node;
  }
  void drop_array() noexcept {
    if (has_array()) free_array(&head(), bytes_for(bucket_count()));
  }
  void to_single() noexcept {
    Node* last = nullptr;
    for_each([&](Node& node) { last = &node; });
    drop_array();
    first_ = last;
  }
  /// To `wanted` buckets; if memory is short everything stays as it is.
  void resize(std::uint32_t wanted) noexcept {
    void* const memory = allocate_array(bytes_for(wanted));
    if (memory == nullptr) return;
    auto* const new_head = ::new (memory) array_head;
    Node** const bigger = ::new (static_cast<void*>(new_head + 1)) Node* [wanted] {};
    new_head->mask = wanted - 1;
    for_each([&](Node& node) {
      Node*& bucket =
          bigger[static_cast<std::size_t>(KeyOf::hash(KeyOf::key(node))) & new_head->mask];
      node.hash_next = bucket;
      bucket = &node;
      ++new_head->size;
    });
    drop_array();
    first_ = reinterpret_cast<Node*>(reinterpret_cast<std::uintptr_t>(bigger) + array_mark);
  }

  Node* first_ = nullptr;  // the one bucket, or the address of the array with array_mark
};

}  // namespace otter::rts
