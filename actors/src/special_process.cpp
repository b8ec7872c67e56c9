// What a process that handles raw events has in common with a behaviour.

#include <otter/detail/system_messages.hpp>
#include <otter/special_process.hpp>
#include <utility>

namespace otter::detail {

void special_core::begin(alias_ref starter, step&& init) {
  // The object is destroyed with the body; what did not start does not terminate.
  started(starter, init);
}

void special_core::ended(step& out, event& e) {
  if (out.what != step::kind::stop) step_from_bad_return(out, "ignore() or fail()");
  finish(out, describe_event(e));
}

/// Only a callback of a special process may ask.
special_core* special_core::of_this_process() noexcept {
  reactive* body = current_body();
  if (body == nullptr) return nullptr;
  for (reactive_ptr* inner = body->inner(); inner != nullptr; inner = body->inner())
    body = inner->get();
  return static_cast<special_core*>(body);
}

void special_core::stop_this(exit_reason reason) noexcept {
  special_core* const self = of_this_process();
  if (self == nullptr || self->out_ == nullptr || self->out_->what != step::kind::go_on) return;
  self->out_->what = step::kind::stop;
  self->out_->reason = std::move(reason);
}
void special_core::start_timeout_of_this(duration delay, std::uint64_t token) {
  if (special_core* const self = of_this_process()) self->start_timeout(delay, token);
}
void special_core::stop_timeout_of_this() noexcept {
  if (special_core* const self = of_this_process()) self->stop_timeout();
}
void special_core::shrink_this() noexcept {
  if (special_core* const self = of_this_process()) self->shrink();
}

}  // namespace otter::detail
