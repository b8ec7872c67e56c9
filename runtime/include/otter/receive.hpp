#pragma once

// otter/receive.hpp - waiting for a message, by type and by content.
//
//   otter::receive(clauses...)             the first message in the mailbox that a clause matches
//   otter::receive_from(ref, clauses...)   the same, not looking at what was there before `ref`
//   otter::when(predicate, lambda)         a clause with a condition
//   otter::after(limit, lambda)            what to do when none has come in time
//   otter::sleep_for(time)                 a receive that matches nothing
//
// A clause is a lambda with one parameter: its type is the pattern. A lambda that takes
// `any_message&` (or `any_message`) matches everything. For each message, oldest first, the
// clauses are tried in order; messages that none matches stay where they are, in order (MB-1,
// MB-2). The value of receive() is what the matching lambda returns.
//
//     int n = otter::receive([](pong p) { return p.count; },
//                            otter::after(1s, [] { return -1; }));

#include <functional>
#include <otter/detail/envelope.hpp>
#include <otter/duration.hpp>
#include <otter/message.hpp>
#include <otter/ref.hpp>
#include <otter/shared.hpp>
#include <type_traits>
#include <utility>

namespace otter {
namespace detail {

/// One pass through the mailbox of the calling process.
///
/// Ownership: a message stays in the mailbox until take(). Threads: the process that receives.
class mailbox_scan {
 public:
  mailbox_scan(duration limit, ref marker);
  ~mailbox_scan();
  mailbox_scan(mailbox_scan const&) = delete;
  mailbox_scan& operator=(mailbox_scan const&) = delete;

  /// The next message, waiting for it if need be; null when the time is over. Exits: may.
  envelope* next();
  /// Removes the message that next() gave last. Throws: error(abandoned).
  envelope_ptr take();

 private:
  void* process_;
  envelope** position_;   // where the pointer to the next candidate stands
  envelope** candidate_;  // where the pointer to the last candidate stands
  duration limit_;
  bool late_ = false;
  bool wait_made_ = false;
  alignas(8) unsigned char wait_[56];  // the runtime's record of the wait, once there is one
};

template <class T>
struct parameter_of : parameter_of<decltype(&T::operator())> {};
template <class R, class A>
struct parameter_of<R (*)(A)> {
  using type = A;
};
template <class R, class C, class A>
struct parameter_of<R (C::*)(A)> {
  using type = A;
};
template <class R, class C, class A>
struct parameter_of<R (C::*)(A) const> {
  using type = A;
};
template <class R, class C, class A>
struct parameter_of<R (C::*)(A) noexcept> {
  using type = A;
};
template <class R, class C, class A>
struct parameter_of<R (C::*)(A) const noexcept> {
  using type = A;
};

template <class Lambda>
using parameter_t = typename parameter_of<std::decay_t<Lambda>>::type;

template <class Lambda>
concept has_one_parameter = requires {
  typename parameter_t<Lambda>;
};

/// A lambda as a clause.
template <class Lambda>
struct clause {
  static_assert(has_one_parameter<Lambda>,
                "otter: a receive clause is a lambda with exactly one parameter, whose type is "
                "written out (not auto)");
  using parameter = parameter_t<Lambda>;
  using message = std::remove_cvref_t<parameter>;
  static constexpr bool any = std::is_same_v<message, any_message>;
  // A `T const&` clause reads a shared<T> in place.
  static constexpr bool reads = std::is_const_v<std::remove_reference_t<parameter>>;
  using result = std::invoke_result_t<Lambda&, parameter>;

  Lambda& lambda;

  bool matches(envelope& e) const noexcept {
    if constexpr (any) {
      return true;
    } else {
      if (same_type(*e.type, descriptor_of<message>())) return true;
      if constexpr (reads) return same_type(*e.type, descriptor_of<shared<message>>());
      return false;
    }
  }

  result run(envelope_ptr e) const {
    if constexpr (any) {
      any_message m(std::move(e));
      if constexpr (std::is_lvalue_reference_v<parameter>)
        return std::invoke(lambda, m);
      else
        return std::invoke(lambda, std::move(m));
    } else {
      if constexpr (reads) {
        if (!same_type(*e->type, descriptor_of<message>()))
          return std::invoke(lambda, **static_cast<shared<message>*>(e->payload()));
      }
      return std::invoke(lambda, static_cast<parameter&&>(*static_cast<message*>(e->payload())));
    }
  }
};

template <class Predicate, class Lambda>
struct guarded {
  Predicate predicate;
  Lambda lambda;
};

template <class Predicate, class Lambda>
struct clause<guarded<Predicate, Lambda>> {
  using inner = clause<Lambda>;
  using message = typename inner::message;
  using result = typename inner::result;
  guarded<Predicate, Lambda>& both;

  bool matches(envelope& e) const noexcept {
    if (!inner{both.lambda}.matches(e)) return false;
    try {  // a predicate that throws does not match (MB-13)
      if constexpr (inner::any) {
        any_message m{envelope_ptr(&e)};
        struct give_back {
          any_message& m;
          ~give_back() { m.release().release(); }
        } later{m};
        return static_cast<bool>(std::invoke(both.predicate, m));
      } else {
        if constexpr (inner::reads) {
          if (!same_type(*e.type, descriptor_of<message>()))
            return static_cast<bool>(std::invoke(
                both.predicate, std::as_const(**static_cast<shared<message>*>(e.payload()))));
        }
        return static_cast<bool>(
            std::invoke(both.predicate, std::as_const(*static_cast<message*>(e.payload()))));
      }
    } catch (...) {
      return false;
    }
  }
  result run(envelope_ptr e) const { return inner{both.lambda}.run(std::move(e)); }
};

template <class Lambda>
struct late {
  duration limit;
  Lambda lambda;
};

template <class T>
inline constexpr bool is_late = false;
template <class L>
inline constexpr bool is_late<late<L>> = true;

struct nothing {
  void operator()() const noexcept {}
};

template <class Clause>
struct result_of_clause {
  using type = typename clause<Clause>::result;
};
template <class L>
struct result_of_clause<late<L>> {
  using type = std::invoke_result_t<L&>;
};

template <class First, class... Rest>
struct result_of_receive {
  static constexpr bool all_void = (std::is_void_v<typename result_of_clause<First>::type> && ... &&
                                    std::is_void_v<typename result_of_clause<Rest>::type>);
  static constexpr bool any_void = (std::is_void_v<typename result_of_clause<First>::type> || ... ||
                                    std::is_void_v<typename result_of_clause<Rest>::type>);
  static_assert(all_void || !any_void,
                "otter: either all clauses of a receive return a value, or none does");
  using type = typename std::common_type<typename result_of_clause<First>::type,
                                         typename result_of_clause<Rest>::type...>::type;
};

inline duration limit_of() noexcept { return infinity; }
template <class First, class... Rest>
duration limit_of([[maybe_unused]] First& first, [[maybe_unused]] Rest&... rest) noexcept {
  if constexpr (is_late<First>)
    return first.limit;
  else
    return limit_of(rest...);
}

template <class Result, class First, class... Rest>
Result run_late(First& first, [[maybe_unused]] Rest&... rest) {
  if constexpr (is_late<First>)
    return first.lambda();
  else
    return run_late<Result>(rest...);
}
/// Tries the clauses from the first on; `which` counts those that did not match.
template <class First, class... Rest>
bool matches_any(envelope& e, int& which, [[maybe_unused]] First& first, Rest&... rest) noexcept {
  if constexpr (!is_late<First>) {
    if (clause<First>{first}.matches(e)) return true;
  }
  ++which;
  if constexpr (sizeof...(Rest) > 0) return matches_any(e, which, rest...);
  return false;
}

template <class Result, class First, class... Rest>
Result run_clause(int which, envelope_ptr e, First& first, Rest&... rest) {
  if constexpr (sizeof...(Rest) > 0) {
    if (which > 0) return run_clause<Result>(which - 1, std::move(e), rest...);
  }
  if constexpr (is_late<First>)
    return first.lambda();  // not reached: matches_any() never names it
  else
    return clause<First>{first}.run(std::move(e));
}

template <class... Clauses>
auto receive_with(ref marker, Clauses&... clauses) -> typename result_of_receive<Clauses...>::type {
  using result = typename result_of_receive<Clauses...>::type;
  constexpr int limits = (0 + ... + (is_late<Clauses> ? 1 : 0));
  static_assert(limits <= 1, "otter: a receive has one after() at most");
  envelope_ptr found;
  int which = 0;
  {
    mailbox_scan scan(limit_of(clauses...), marker);
    while (envelope* e = scan.next()) {
      which = 0;
      if (matches_any(*e, which, clauses...)) {
        found = scan.take();
        break;
      }
    }
  }
  if (found) return run_clause<result>(which, std::move(found), clauses...);
  if constexpr (limits == 1)
    return run_late<result>(clauses...);
  else
    __builtin_unreachable();  // without after() the scan ends with a message only
}

}  // namespace detail

/// A clause that also asks `predicate(message)`. It must be pure: it is called for messages that
/// stay in the mailbox, and may not call the runtime. One that throws does not match (MB-13).
template <class Predicate, class Lambda>
auto when(Predicate predicate, Lambda lambda) {
  return detail::guarded<Predicate, Lambda>{std::move(predicate), std::move(lambda)};
}

/// Runs `lambda` if no clause has matched a message within `limit`. after(0s) looks at what is
/// there and does not wait (MB-6). The clock is not restarted by messages that do not match.
/// Throws: error(timeout_value) for a limit below 0 or above 2^32-1 ms, except infinity.
template <class Lambda>
auto after(duration limit, Lambda lambda) {
  return detail::late<Lambda>{detail::checked_limit(limit), std::move(lambda)};
}
inline auto after(duration limit) {
  return detail::late<detail::nothing>{detail::checked_limit(limit), {}};
}

/// Waits for a message that one of the clauses matches.
///
/// Called from: a process, or an attached thread. Blocks: until a message matches or the limit is
/// over. Exits: may. Throws: what the matching lambda throws; error(would_suspend) under a
/// no_suspend guard if it would have to wait.
template <class... Clauses>
auto receive(Clauses&&... clauses) {
  static_assert(sizeof...(Clauses) > 0, "otter: a receive needs a clause");
  return detail::receive_with(ref{}, clauses...);
}

/// As receive(), but skips the messages that were in the mailbox when `marker` was made by
/// make_ref(), monitor(), alias() or a request: its cost does not grow with them (MB-12).
template <class... Clauses>
auto receive_from(ref marker, Clauses&&... clauses) {
  static_assert(sizeof...(Clauses) > 0, "otter: a receive needs a clause");
  return detail::receive_with(marker, clauses...);
}

/// Waits for `time`, touching no message (MB-9). Called from: a process. Exits: may.
void sleep_for(duration time);

}  // namespace otter
