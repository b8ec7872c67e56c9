#pragma once

// base/treiber_stack.hpp - an intrusive list that anybody pushes onto and one thread takes whole.
//
//   treiber_stack<Node, &Node::next>   push() one, take_all() of them
//   reversed<&Node::next>()            a chain the other way round: oldest first
//
// Nobody ever pops a single node: that is what would need a remedy for ABA.

#include <atomic>

namespace otter::rts {

/// The chain that starts at `newest`, oldest first.
template <auto Next, class Node>
[[nodiscard]] Node* reversed(Node* newest) noexcept {
  Node* oldest_first = nullptr;
  while (newest != nullptr) {
    Node* const next = newest->*Next;
    newest->*Next = oldest_first;
    oldest_first = newest;
    newest = next;
  }
  return oldest_first;
}

/// Ownership: push() takes the node over, take_all() hands the chain to its caller.
/// Threads:   any may push(), and any may take_all(): each node goes to exactly one taker.
/// Invariant: nobody but the pusher writes to a node's link until it has been taken.
/// Ordering:  [L1] carries a node and all that was written before push() to its taker.
template <class Node, auto Next>
class treiber_stack {
 public:
  /// What was pushed before it.
  static Node* next_of(Node const& node) noexcept {
    if constexpr (std::is_same_v<decltype(Next), Node * Node::*>)
      return node.*Next;
    else
      return static_cast<Node*>((node.*Next).load(std::memory_order_relaxed));
  }

  /// True if the list was empty before.
  bool push(Node& node) noexcept {
    Node* newest = head_.load(std::memory_order_relaxed);  // a guess; the CAS checks it
    do {
      link(node, newest);
      // [L1] release: the node and its link are visible to take_all(). Every push is a
      // read-modify-write, so one acquire meets all pushes since the last take.
    } while (!head_.compare_exchange_weak(newest, &node, std::memory_order_release,
                                          std::memory_order_relaxed));
    return newest == nullptr;
  }

  /// Everything, newest first, or nullptr.
  [[nodiscard]] Node* take_all() noexcept {
    // A look first: asking an empty list must not take its line away from the pushers. What is
    // missed is found by the next call.
    if (empty()) return nullptr;
    return head_.exchange(nullptr, std::memory_order_acquire);  // [L1] meets the releases in push()
  }

  /// A guess while others push.
  [[nodiscard]] bool empty() const noexcept {
    return head_.load(std::memory_order_relaxed) == nullptr;
  }

 private:
  static void link(Node& node, Node* next) noexcept {
    if constexpr (std::is_same_v<decltype(Next), Node * Node::*>)
      node.*Next = next;
    else  // release: for who else reads the word
      (node.*Next).store(next, std::memory_order_release);
  }

  std::atomic<Node*> head_{nullptr};
};

}  // namespace otter::rts
