#pragma once

// otter/detail/guarded_change.hpp - the border of a module whose class is asked about a change.

#include <otter/detail/throw_probe.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/exit_reason.hpp>

namespace otter::detail {

/// Runs `f` and hands out what it throws as a reason: the border of the module.
template <class F>
bool guarded_change(exit_reason& why, F&& f) {
  try {
    f();
    return true;
  } catch (process_exit const& e) {
    why = e.reason();
  } catch (unwinding const&) {
    throw;
  } catch (throw_probe const&) {
    // never: it notes where what comes below was thrown
  } catch (...) {
    why = exit_reason::from_current_exception("code_change", thrown_at());
  }
  return false;
}

}  // namespace otter::detail
