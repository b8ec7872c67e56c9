#pragma once

// otter/detail/event_change.hpp - a handler of a gen_event that goes on in another version of its
// class. Its manager, which is of no module, asks for it. Compiled in the module.
//
//   otter::detail::box_successor       what takes the place of a handler
//   otter::detail::handler_change<H>   describes what is left, and makes what follows it

#include <memory>
#include <new>
#include <otter/detail/event_manager.hpp>
#include <otter/detail/object_change.hpp>
#include <otter/gen_event.hpp>
#include <string>
#include <type_traits>
#include <utility>

namespace otter::detail {

/// A successor that makes a handler, and no body.
class box_successor : public successor {
 public:
  std::string id;     // which the handler is to have
  event_box_ptr box;  // null before finish()
};

template <class H>
class handler_successor final : public box_successor {
 public:
  explicit handler_successor(succession& plan) : memory_(std::allocator<made>().allocate(1)) {
    try {
      convert_fields(plan, plan.fields, now_);
      run_change_hook<H>(plan, now_);
    } catch (...) {
      std::allocator<made>().deallocate(memory_, 1);
      throw;
    }
  }
  ~handler_successor() override {
    if (memory_ != nullptr) std::allocator<made>().deallocate(memory_, 1);
  }
  handler_successor(handler_successor const&) = delete;
  handler_successor& operator=(handler_successor const&) = delete;

  void finish() noexcept override {
    this->box.reset(::new (static_cast<void*>(std::exchange(memory_, nullptr)))
                        made(std::move(this->id), std::move(now_)));
  }

 private:
  using made = typed_event_box<H>;

  made* memory_;
  typename H::state now_{};
};

template <class H>
struct handler_change {
  static_assert(check_change<H>());

  static bool describe(void* object, succession& plan, exit_reason& why) {
    return guarded_change(
        why, [&] { describe_fields(static_cast<H*>(object)->system_state(), plan.fields); });
  }
  static bool succeed(succession& plan, std::unique_ptr<successor>& next, exit_reason& why) {
    return guarded_change(why, [&] { next = std::make_unique<handler_successor<H>>(plan); });
  }
};

}  // namespace otter::detail
