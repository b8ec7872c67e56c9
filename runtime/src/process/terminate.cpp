#include "process/terminate.hpp"

#include <cxxabi.h>
#include <execinfo.h>
#include <unwind.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <otter/detail/unwinding.hpp>
#include <otter/exit_reason.hpp>
#include <typeinfo>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "stacks/report.hpp"

namespace otter::rts {
namespace {

constexpr int error_output = 2;

// [T1] Written before our handler is installed; a thread that gets into it has read it from there.
std::atomic<std::terminate_handler> earlier{nullptr};
std::atomic<bool> entered{false};

bool is_token(std::type_info const* type) noexcept {
  return type != nullptr && *type == typeid(detail::unwinding);
}

struct frame_search {
  std::uintptr_t wanted;
  void* found;
};

_Unwind_Reason_Code compare_frame(_Unwind_Context* context, void* argument) {
  auto& search = *static_cast<frame_search*>(argument);
  if (static_cast<std::uintptr_t>(_Unwind_GetCFA(context)) != search.wanted) return _URC_NO_REASON;
  search.found = reinterpret_cast<void*>(_Unwind_GetIP(context));
  return _URC_END_OF_STACK;
}

/// Where in the function that the token could not leave it was called from; null if that cannot be
/// told. The unwinder has noted, in the exception's header, the frame at which its search ended.
void* stopping_frame() noexcept {
  std::exception_ptr const current = std::current_exception();
  void* object = nullptr;
  static_assert(sizeof current == sizeof object, "the Itanium ABI: a pointer to the object");
  std::memcpy(&object, &current, sizeof object);
  if (object == nullptr) return nullptr;
  auto const* const header = static_cast<_Unwind_Exception const*>(object) - 1;
  frame_search search{static_cast<std::uintptr_t>(header->private_2), nullptr};
  _Unwind_Backtrace(&compare_frame, &search);
  return search.found;
}

void explain() noexcept {
  char who[128] = "a process";
  report_line line;
  line.add("otter: ");
  if (process const* const self = current_process_or_null()) {
    self->describe_to(who, sizeof who, process::in_signal::no);
    line.add(who).add(" must end");
    try {
      line.add(" (").add(to_string(self->reason_to_end()).c_str()).add(")");
    } catch (...) {
      // Out of memory: the rest says enough.
    }
  } else {
    line.add(who).add(" must end");
  }
  line.add(", but a function that is noexcept, or a destructor, called something that may exit");
  line.write(error_output);
  report_line remedy;
  remedy
      .add(
          "otter: what to do: let it hold an otter::defer_exit, or call only functions whose "
          "comment says \"Exits: never\" (see otter/exit.hpp)")
      .write(error_output);
  if (void* frame = stopping_frame()) {
    report_line heading;
    heading.add("otter: that function is").write(error_output);
    ::backtrace_symbols_fd(&frame, 1, error_output);
  }
  void* frames[48];
  int const depth = ::backtrace(frames, static_cast<int>(std::size(frames)));
  report_line heading;
  heading.add("otter: the stack is").write(error_output);
  ::backtrace_symbols_fd(frames, depth, error_output);
}

[[noreturn]] void on_terminate() {
  // Who was installed after us may hand on to us, and we to him: once is enough. Relaxed: nothing
  // else is decided by it.
  if (!entered.exchange(true, std::memory_order_relaxed)) {
    if (is_token(abi::__cxa_current_exception_type())) explain();
    if (std::terminate_handler next = earlier.load(std::memory_order_acquire)) next();  // [T1]
  }
  std::abort();
}

}  // namespace

void install_terminate_handler() noexcept {
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  std::terminate_handler const found = std::get_terminate();
  if (found == &on_terminate) return;
  earlier.store(found, std::memory_order_release);  // [T1]
  std::set_terminate(&on_terminate);
}

}  // namespace otter::rts
