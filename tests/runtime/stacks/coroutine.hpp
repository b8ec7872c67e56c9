#pragma once

// A body that runs on a stack of its own and takes turns with the test. Nothing in a body asserts:
// it notes what it sees, and the test asserts.

#include <functional>
#include <utility>

#include "stacks/stack_source.hpp"
#include "stacks/switch.hpp"

namespace otter::rts::testing {

class coroutine {
 public:
  using function = std::function<void(coroutine&)>;

  coroutine(stack& home, stack& own, function body)
      : home_(home), own_(own), body_(std::move(body)) {
    make_context(own_, &coroutine::run, this);
  }
  coroutine(coroutine const&) = delete;
  coroutine& operator=(coroutine const&) = delete;

  void resume() noexcept { switch_to(home_, own_); }  // on the test's stack
  void pause() noexcept { switch_to(own_, home_); }   // in the body
  bool done() const noexcept { return done_; }

 private:
  static void run(void* argument) noexcept {
    auto& self = *static_cast<coroutine*>(argument);
    self.body_(self);
    self.done_ = true;
    for (;;) self.pause();
  }

  stack& home_;
  stack& own_;
  function body_;
  bool done_ = false;
};

}  // namespace otter::rts::testing
