#pragma once

// base/keyed_set.hpp - an intrusive hash set for owners that mostly hold none or one: a process's
// links, monitors, open requests.
//
//   keyed_set<Node, KeyOf>    KeyOf::key(Node const&) and KeyOf::hash(key) say what a node is
//
// Empty it is 16 bytes; the first element needs no memory, and no operation can fail: where the
// bucket array cannot grow, the chains do. Boost.Intrusive's unordered_set wants its buckets from
// the user, and its iteration order depends on them.
//
// Every order in which elements come out depends on the keys and on what was inserted and removed
// when, never on an address: the simulation relies on it.

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace otter::rts {

/// Ownership: of the bucket array, never of a node. A node is in one set at most, and its
///            `Node* hash_next` belongs to the set meanwhile. Nodes left over are just forgotten.
/// Threads:   one at a time.
/// Invariant: without an array there is one bucket, `single_`. The number of buckets is a power of
///            two, mask_ + 1. Of nodes with equal keys find() gives one.
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
    if (size_ > mask_ && size_ < largest_array)
      resize(mask_ == 0 ? smallest_array : 2 * (mask_ + 1));
    link(node);
    ++size_;
  }

  /// The node with this key, or nullptr.
  [[nodiscard]] Node* find(key_type const& key) const noexcept {
    Node* node = buckets()[bucket_of(key)];
    while (node != nullptr && !(KeyOf::key(*node) == key)) node = node->hash_next;
    return node;
  }

  /// Takes out the node with this key. nullptr if there is none, which is not an error.
  Node* remove(key_type const& key) noexcept {
    for (Node** at = &buckets()[bucket_of(key)]; *at != nullptr; at = &(*at)->hash_next) {
      if (KeyOf::key(**at) == key) return unlink(at);
    }
    return nullptr;
  }

  /// Takes out exactly this node. False if it is not here.
  bool remove(Node& node) noexcept {
    for (Node** at = &buckets()[bucket_of(KeyOf::key(node))]; *at != nullptr;
         at = &(*at)->hash_next) {
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
    if (size_ == 0) return nullptr;
    if (mask_ == 0) return unlink(&single_);
    std::size_t& cursor = head_of(array_)->cursor;
    while (array_[cursor] == nullptr) cursor = (cursor + 1) & mask_;
    return unlink(&array_[cursor]);
  }

  /// Calls f(Node&) for each. f may neither insert nor remove.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i <= mask_; ++i) {
      for (Node* node = buckets()[i]; node != nullptr;) {
        Node* const next = node->hash_next;
        f(*node);
        node = next;
      }
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Gives back memory that the present size does not need; for an owner that goes to sleep.
  void shrink() noexcept {
    if (size_ <= 1) {
      if (mask_ != 0) to_single();
    } else {
      std::uint32_t wanted = smallest_array;
      while (wanted < size_) wanted *= 2;
      if (wanted <= mask_) resize(wanted);
    }
  }

  void swap(keyed_set& other) noexcept {
    // Which member of the unions is alive travels with mask_.
    Node* const mine_single = mask_ == 0 ? single_ : nullptr;
    Node** const mine_array = mask_ == 0 ? nullptr : array_;
    if (other.mask_ == 0)
      single_ = other.single_;
    else
      array_ = other.array_;
    if (mask_ == 0)
      other.single_ = mine_single;
    else
      other.array_ = mine_array;
    std::swap(size_, other.size_);
    std::swap(mask_, other.mask_);
  }

  [[nodiscard]] std::size_t bucket_count() const noexcept { return std::size_t{mask_} + 1; }

 private:
  /// In front of the buckets.
  struct array_head {
    std::size_t cursor = 0;  // where pop_any() goes on
  };
  static array_head* head_of(Node** array) noexcept {
    return reinterpret_cast<array_head*>(array) - 1;
  }
  static constexpr std::size_t bytes_for(std::size_t buckets) noexcept {
    return sizeof(array_head) + buckets * sizeof(Node*);
  }

  static constexpr std::uint32_t smallest_array = 8;
  static constexpr std::uint32_t largest_array = std::uint32_t{1} << 30;

  [[nodiscard]] Node** buckets() const noexcept {
    return mask_ == 0 ? const_cast<Node**>(&single_) : array_;
  }
  [[nodiscard]] std::size_t bucket_of(key_type const& key) const noexcept {
    // Mostly there is the one bucket, and the hash would be for nothing.
    return mask_ == 0 ? 0 : static_cast<std::size_t>(KeyOf::hash(key)) & mask_;
  }
  void link(Node& node) noexcept {
    Node*& bucket = buckets()[bucket_of(KeyOf::key(node))];
    node.hash_next = bucket;
    bucket = &node;
  }
  Node* unlink(Node** at) noexcept {
    Node* const node = *at;
    *at = node->hash_next;
    node->hash_next = nullptr;
    --size_;
    // Hysteresis: a set that breathes by less than a factor of eight keeps its array.
    if (mask_ >= 2 * smallest_array && size_ < mask_ / 8) resize((mask_ + 1) / 2);
    return node;
  }
  // Large arrays come straight from the system: a general allocator keeps them for the thread that
  // had the owner by chance, and the next owner of a large set sits on another.
  static constexpr std::size_t mapped_from = std::size_t{256} * 1024;

  static void* allocate(std::size_t bytes) noexcept {
    if (bytes < mapped_from) return ::operator new(bytes, std::nothrow);
    void* const mapped =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapped == MAP_FAILED ? nullptr : mapped;
  }
  void drop_array() noexcept {
    if (mask_ == 0) return;
    void* const memory = head_of(array_);
    if (std::size_t const bytes = bytes_for(bucket_count()); bytes < mapped_from)
      ::operator delete(memory);
    else
      ::munmap(memory, bytes);
  }
  void to_single() noexcept {
    Node* last = nullptr;
    for_each([&](Node& node) { last = &node; });
    drop_array();
    mask_ = 0;
    single_ = last;
  }
  /// To `wanted` > 1 buckets; if memory is short everything stays as it is.
  void resize(std::uint32_t wanted) noexcept {
    void* const memory = allocate(bytes_for(wanted));
    if (memory == nullptr) return;
    auto* const head = ::new (memory) array_head;
    Node** const bigger = ::new (static_cast<void*>(head + 1)) Node* [wanted] {};
    Node** const old = buckets();
    for (std::size_t i = 0; i <= mask_; ++i) {
      for (Node* node = old[i]; node != nullptr;) {
        Node* const next = node->hash_next;
        Node*& bucket =
            bigger[static_cast<std::size_t>(KeyOf::hash(KeyOf::key(*node))) & (wanted - 1)];
        node->hash_next = bucket;
        bucket = node;
        node = next;
      }
    }
    drop_array();
    array_ = bigger;
    mask_ = wanted - 1;
  }

  union {
    Node* single_ = nullptr;  // the one bucket, while mask_ is 0
    Node** array_;            // the buckets otherwise
  };
  std::uint32_t size_ = 0;
  std::uint32_t mask_ = 0;
};

}  // namespace otter::rts
