#pragma once

// io/tls_gates.hpp - how many handshakes of one context run at once on a node; the others wait.
//
// A handshake costs a thousand times what its first bytes cost the peer, so newcomers must not have
// all of the node. Each context has a gate of its own: a flood at one listener holds up those who
// come there, and nobody else. A gate exists while somebody is in it or before it.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "io/waiter.hpp"

namespace otter::rts {

class tls_context_data;

/// Ownership: of its gates. Threads: any; a mutex.
/// Invariant: a gate in the list has somebody inside or waiting. First come, first served.
class tls_gates {
  struct gate;

 public:
  tls_gates() = default;
  tls_gates(tls_gates const&) = delete;
  tls_gates& operator=(tls_gates const&) = delete;

  /// One handshake's place. Ownership: of the handshake's frame. Threads: its process's.
  class place {
   public:
    /// `who` is woken when it is time to try again; it outlives the place.
    place(tls_gates& gates, tls_context_data const& context, waiter& who) noexcept
        : gates_(gates), context_(context), who_(who) {}
    place(place const&) = delete;
    place& operator=(place const&) = delete;
    /// Leaves, and lets the next one in.
    ~place();

    /// False: it waits in line from now on. Throws: std::bad_alloc.
    bool try_enter(std::uint32_t most);

   private:
    friend class tls_gates;
    tls_gates& gates_;
    tls_context_data const& context_;
    waiter& who_;
    place* next_ = nullptr;
    gate* at_ = nullptr;
    bool inside_ = false;
  };

 private:
  struct gate {
    tls_context_data const* context = nullptr;  // compared, never followed
    std::uint32_t inside = 0;
    place* first = nullptr;
  };

  std::mutex mutex_;
  std::vector<std::unique_ptr<gate>> gates_;
};

inline bool tls_gates::place::try_enter(std::uint32_t most) {
  wakes woken;
  std::lock_guard lock(gates_.mutex_);
  if (inside_) return true;
  bool const in_line = at_ != nullptr;
  if (!in_line) {
    auto const found = std::find_if(gates_.gates_.begin(), gates_.gates_.end(),
                                    [&](auto const& g) { return g->context == &context_; });
    if (found != gates_.gates_.end()) {
      at_ = found->get();
    } else {
      auto made = std::make_unique<gate>();
      made->context = &context_;
      gates_.gates_.push_back(std::move(made));
      at_ = gates_.gates_.back().get();
    }
  }
  if (at_->inside < most && (at_->first == nullptr || at_->first == this)) {
    if (in_line) at_->first = next_;
    next_ = nullptr;
    inside_ = true;
    ++at_->inside;
    if (at_->first != nullptr && at_->inside < most) woken.add(at_->first->who_);
    return true;
  }
  if (!in_line) {
    place** end = &at_->first;
    while (*end != nullptr) end = &(*end)->next_;
    *end = this;
  }
  return false;
}

inline tls_gates::place::~place() {
  if (at_ == nullptr) return;
  wakes woken;
  std::lock_guard lock(gates_.mutex_);
  if (inside_) {
    --at_->inside;
  } else {
    place** mine = &at_->first;
    while (*mine != this) mine = &(*mine)->next_;
    *mine = next_;
  }
  // Who leaves the line may have been told that it is its turn.
  if (at_->first != nullptr)
    woken.add(at_->first->who_);
  else if (at_->inside == 0)
    std::erase_if(gates_.gates_, [&](auto const& g) { return g.get() == at_; });
}

}  // namespace otter::rts
