#pragma once

// otter/detail/unwinding.hpp - the token that unwinds the stack of a process that must end.
//
// Thrown at safe points only. It is no std::exception and carries nothing: the reason is in the
// process, since an exit signal that arrives while the stack is being unwound changes nothing any
// more. A `catch (...)` that swallows it is noticed at the next safe point, which throws it again.

namespace otter::detail {

class [[gnu::visibility("default")]] unwinding final{};

}  // namespace otter::detail
