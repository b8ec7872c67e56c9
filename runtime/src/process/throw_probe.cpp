// process/throw_probe.cpp - see the public header.
//
// What a handler's type decides, libstdc++ asks of its std::type_info: a virtual function. The
// compiler describes throw_probe where its destructor is defined, which is nowhere: the description
// that all handlers refer to is an object of ours, under the name that the compiler would give it.

#include <otter/detail/throw_probe.hpp>
#include <typeinfo>

#ifdef __GLIBCXX__

#include <cxxabi.h>
#include <dlfcn.h>
#include <unwind.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <otter/detail/unwinding.hpp>
#include <otter/exit_reason.hpp>
#include <string_view>

#include "process/process_system.hpp"
#include "process/throw_note.hpp"

namespace otter::rts {

// By the names that the linker knows them by: only their addresses are wanted.
void throw_entry() asm("__cxa_throw");
void rethrow_entry() asm("__cxa_rethrow");
void turn_entry() asm("_ZN5otter3rts7process3runEv");

namespace {

bool begins_at(std::uintptr_t place, void (*function)()) noexcept {
  return place == reinterpret_cast<std::uintptr_t>(function);
}

/// Whether a function is the one that throws. A sanitizer has one of its own in front, of the same
/// name: so the address of the name may be the sanitizer's, and the name has to be asked for.
bool throws(std::uintptr_t function) noexcept {
  if (begins_at(function, &throw_entry) || begins_at(function, &rethrow_entry) ||
      function == reinterpret_cast<std::uintptr_t>(&std::rethrow_exception))
    return true;
  auto* const entry = reinterpret_cast<void*>(function);
  Dl_info found{};
  if (::dladdr(entry, &found) == 0 || found.dli_sname == nullptr || found.dli_saddr != entry)
    return false;
  std::string_view const name = found.dli_sname;
  return name == "__cxa_throw" || name == "__cxa_rethrow" ||
         name == "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE";
}

struct walk {
  throw_note& note;
  int ahead = 8;  ///< so many frames may still be ahead of who threw: this file's, the unwinder's
};

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* argument) {
  auto& [note, ahead] = *static_cast<walk*>(argument);
  std::uintptr_t const function = _Unwind_GetRegionStart(context);
  if (ahead > 0 && throws(function)) {
    note.depth = 0;
    ahead = 1;  // or a sanitizer's
    return _URC_NO_REASON;
  }
  --ahead;
  if (begins_at(function, &turn_entry)) return _URC_END_OF_STACK;  // the rest is the scheduler
  int at_its_beginning = 0;
  std::uintptr_t const at = _Unwind_GetIPInfo(context, &at_its_beginning);
  if (at == 0 || note.depth == note.frames.size()) return _URC_END_OF_STACK;
  // Where a call returns to may be the next function's already, if the call never returns.
  note.frames[note.depth++] = reinterpret_cast<void*>(at_its_beginning != 0 ? at : at - 1);
  return _URC_NO_REASON;
}

throw_note* note_here() noexcept {
  here const at = here::now();
  if (at.on == nullptr) return nullptr;  // no worker's thread
  return at.local->system.limits().throw_backtraces ? &at.local->thrown : nullptr;
}

/// Ends that are no errors: nobody asks where those came from.
bool is_an_end(std::type_info const& thrown) noexcept {
  return thrown == typeid(detail::unwinding) || thrown == typeid(process_exit);
}

}  // namespace

// Not in the unnamed namespace: an object of such a type is no other file's either.
class probing_type final : public std::type_info {
 public:
  explicit probing_type(char const* name) noexcept : std::type_info(name) {}
  /// Asked by the unwinder; `object` is what was thrown, or what it points to. Must not throw.
  bool __do_catch(std::type_info const* thrown, void** object, unsigned) const override {
    if (thrown == nullptr || is_an_end(*thrown)) return false;
    if (throw_note* const note = note_here()) {
      note->object = *object;
      note->depth = 0;
      walk w{*note};
      _Unwind_Backtrace(&note_frame, &w);
    }
    return false;
  }
};

extern probing_type const probe asm("_ZTIN5otter6detail11throw_probeE");
// Before whatever may start a node.
[[gnu::init_priority(101)]] probing_type const probe("N5otter6detail11throw_probeE");

}  // namespace otter::rts

std::span<void* const> otter::detail::thrown_at() noexcept {
  rts::throw_note* const note = rts::note_here();
  if (note == nullptr || note->object == nullptr) return {};
  std::type_info const* const type = abi::__cxa_current_exception_type();
  std::exception_ptr const current = std::current_exception();
  if (type == nullptr || current == nullptr) return {};
  void* object = nullptr;
  static_assert(sizeof current == sizeof object, "the Itanium ABI: a pointer to the object");
  std::memcpy(&object, &current, sizeof object);
  if (type->__is_pointer_p()) std::memcpy(&object, object, sizeof object);
  if (object != note->object) return {};
  note->object = nullptr;
  return {note->frames.data(), note->depth};
}

#else  // another C++ runtime: nothing is noted

otter::detail::throw_probe::~throw_probe() = default;
std::span<void* const> otter::detail::thrown_at() noexcept { return {}; }

#endif
