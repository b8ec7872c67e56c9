#pragma once

// otter/detail/throw_probe.hpp - where an exception was thrown, for the report of what it ended.
//
//   otter::detail::throw_probe   a handler of this type in front of a catch (...) notes the place
//   otter::detail::thrown_at()   what it has noted: asked in that catch (...)
//
//     try { callback(); }
//     catch (throw_probe const&) {}  // never
//     catch (...) { report(thrown_at()); }
//
// An exception is thrown in two steps: first the unwinder looks for who catches it, while all the
// frames still stand, and then it leaves them. Whether a handler catches is decided by its type, in
// the first step. This type always says no, and notes the frames. So only an exception that comes
// as far as such a handler pays: none that the program catches itself does, and none is thrown
// more slowly.
//
// Not chosen: a __cxa_throw of our own in front of the C++ runtime's, since that is the program's
// to replace, sanitizers do, and each exception of the program would pay.

#include <span>

namespace otter::detail {

class [[gnu::visibility("default")]] throw_probe {
 public:
  throw_probe() = delete;
  virtual ~throw_probe();  // its type is described where this is: in throw_probe.cpp
};

/// Where the exception that is being handled was thrown, the innermost first: each lies within a
/// call. Empty if it is not known: it has passed no throw_probe in a process, or the node does not
/// want it. Valid until the process waits, or throws; once for each exception.
///
/// Called from: a catch block. Blocks: never. Exits: never.
std::span<void* const> thrown_at() noexcept;

}  // namespace otter::detail
