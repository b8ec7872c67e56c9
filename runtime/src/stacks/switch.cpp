#include "stacks/switch.hpp"

#include <cxxabi.h>
#include <pthread.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdint>
#include <limits>

#include "stacks/guard.hpp"
#include "stacks/report.hpp"
#include "stacks/sanitizer_hooks.hpp"

namespace otter::rts {
namespace {

namespace fcontext = boost::context::detail;

// What the C++ runtime keeps per thread about exceptions: those being handled, innermost first, and
// how many are on their way. Two stacks that switch inside catch blocks would otherwise take each
// other's exception from the list.
//
// Boost.Context does the same from 1.88 on, but in its class fiber, above jump_fcontext, which
// changes registers and nothing else in every version. So we do it ourselves whatever
// BOOST_VERSION is; who moves this file to boost::context::fiber must take it out for
// BOOST_VERSION >= 108800, since doing it twice is wrong, too.
struct [[gnu::may_alias]] exception_state {
  void* caught;
  unsigned int uncaught;
};

exception_state* this_threads_exceptions() noexcept {
  return reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
}

// Lies in the frame of the switch that is under way.
struct transit {
  stack* from;
  stack* to;
};

// Also the place where an overflow is noticed that no guard has stopped: a frame larger than the
// guard page has stepped over it, or there is only a canary.
void check_leaving(stack& from, std::byte* here) noexcept {
  if (here < from.low()) stack_broken(from, "stack overflow in");
  if (here >= from.high()) stack_broken(from, "switched away from a stack it does not run on,");
  if (here < stack_access::deepest(from)) stack_access::deepest(from) = here;
  stack_access::left_at(from) = here;
  if (from.guard() == guard_kind::canary && !canary_intact(from.low())) {
    stack_broken(from, "stack overflow (its canary is damaged) in");
  }
}

}  // namespace
}  // namespace otter::rts

// The first frame of every stack. fcontext enters it like a function with the two words of a
// transfer_t as arguments, which is how both ABIs pass such a struct.
//
// In assembly, because it has to be the end of the walk for both kinds of unwinder: the undefined
// return address ends one by CFI, a zero return address and frame pointer end one by frame
// pointers. Boost's own last frame has neither.
#if defined(__x86_64__) || defined(__aarch64__)
#define OTTER_STACKS_BOTTOM_FRAME 1
#endif

extern "C" {
__attribute__((used, visibility("hidden"))) void otter_stack_main(void* origin,
                                                                  void* data) noexcept;
__attribute__((visibility("hidden"))) void otter_stack_bottom(boost::context::detail::transfer_t);
}

#if defined(__x86_64__)
asm(R"(
  .text
  .p2align 4
  .globl otter_stack_bottom
  .hidden otter_stack_bottom
  .type otter_stack_bottom, @function
otter_stack_bottom:
  .cfi_startproc
  .cfi_undefined rip
  endbr64
  xorl %ebp, %ebp
  movq $0, (%rsp)
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call otter_stack_main
  ud2
  .cfi_endproc
  .size otter_stack_bottom, .-otter_stack_bottom
)");
#elif defined(__aarch64__)
asm(R"(
  .text
  .p2align 4
  .globl otter_stack_bottom
  .hidden otter_stack_bottom
  .type otter_stack_bottom, %function
otter_stack_bottom:
  .cfi_startproc
  .cfi_undefined x30
  mov x29, xzr
  mov x30, xzr
  bl otter_stack_main
  brk #0
  .cfi_endproc
  .size otter_stack_bottom, .-otter_stack_bottom
)");
#else
void otter_stack_bottom(boost::context::detail::transfer_t t) { otter_stack_main(t.fctx, t.data); }
#endif

void otter_stack_main(void* origin, void* data) noexcept {
  using namespace otter::rts;
  auto const* const arrival = static_cast<transit const*>(data);
  stack& here = *arrival->to;
  stack_access::context(*arrival->from) = origin;
  sanitizer_hooks::arrive(here);
  stack_access::entry(here)(stack_access::argument(here));
  stack_broken(here, "the first function returned on");
}

namespace otter::rts {

void make_context(stack& s, stack_entry entry, void* argument) noexcept {
  if (s.has_context()) stack_broken(s, "a second context was made on");
  stack_access::entry(s) = entry;
  stack_access::argument(s) = argument;
  stack_access::thread(s) = nullptr;
  stack_access::caught(s) = nullptr;
  stack_access::uncaught(s) = 0;
  stack_access::left_at(s) = nullptr;
  sanitizer_hooks::begin(s);
  stack_access::context(s) = fcontext::make_fcontext(s.high(), s.size(), otter_stack_bottom);
}

void switch_to(stack& from, stack& to) noexcept {
  check_leaving(from, static_cast<std::byte*>(__builtin_frame_address(0)));
  void* const context = stack_access::context(to);
  if (context == nullptr) stack_broken(to, "switched to a stack on which nothing waits,");
  // The address of a thread's exception state is also the name of the thread. It was written into
  // `from` when that was entered, which spares the call of __cxa_get_globals().
  void* const thread = stack_access::thread(from);
  if (stack_access::thread(to) != thread) {
    if (stack_access::thread(to) != nullptr) {
      stack_broken(to, "continued on another thread than it was suspended on,");
    }
    stack_access::thread(to) = thread;  // its first switch
  }

  auto* const exceptions = static_cast<exception_state*>(thread);
  stack_access::caught(from) = exceptions->caught;
  stack_access::uncaught(from) = exceptions->uncaught;
  exceptions->caught = stack_access::caught(to);
  exceptions->uncaught = stack_access::uncaught(to);
  stack_access::context(to) = nullptr;  // it runs: a second switch to it would be noticed

  transit departure{&from, &to};
  sanitizer_hooks::leave(from, to);
  fcontext::transfer_t const back = fcontext::jump_fcontext(context, &departure);
  // Here again, from some other stack, whose switch_to() has already put our exceptions back.
  stack_access::context(*static_cast<transit const*>(back.data)->from) = back.fctx;
  sanitizer_hooks::arrive(from);
}

void discard_context(stack& s) noexcept {
  stack_access::context(s) = nullptr;
  stack_access::thread(s) = nullptr;
  sanitizer_hooks::forget(s);
}

thread_stack::thread_stack() noexcept {
  void* low = nullptr;
  std::size_t size = 0;
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
    ::pthread_attr_getstack(&attributes, &low, &size);
    ::pthread_attr_destroy(&attributes);
  }
  auto* const bottom = static_cast<std::byte*>(low);
  stack_access::place(*this, bottom, bottom + size, nullptr, stack_class::exact, guard_kind::none);
  stack_access::thread(*this) = this_threads_exceptions();
  sanitizer_hooks::adopt(*this);
}

thread_stack::~thread_stack() = default;

}  // namespace otter::rts
