#pragma once

// exits_contract.hpp - is "Exits: may / never", which stands at each public function, true?
//
//   exits                     what the header says of a function
//   contract_entry<Fixture>   one public function: its name, its mark, and a call of it
//   check_contract(entries)   calls each one wherever the mark matters, with an exit waiting
//
// The places: where nothing is special; a noexcept function; a destructor at the end of its scope;
// a destructor while an exception unwinds, and while the token itself does; under defer_exit; under
// no_suspend. Each time the process has used up its turn and was sent a kill or another exit signal
// before, and must be dead of it afterwards: what was put off is not lost.

#include <otter/detail/unwinding.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <span>
#include <string>
#include <string_view>

#include "on_every_driver.hpp"

namespace otter_test {

enum class exits {
  may,          ///< a safe point: ends a process that must end
  if_it_waits,  ///< the same, but only a call that has to wait
  never,        ///< may be called wherever no exception may come out
};

/// Does the call in the table have to wait? `perhaps`: the answer may be there already.
enum class waits { no, perhaps, yes };

template <class Fixture>
struct contract_entry {
  char const* name;
  exits mark;
  waits wait;
  void (*call)(Fixture&);
};

namespace contract {

/// What came out of a call.
enum class outcome { returned, token, exiting, would_suspend, something_else };

inline std::string_view text_of(outcome o) {
  switch (o) {
    case outcome::returned:
      return "returned";
    case outcome::token:
      return "the token came out";
    case outcome::exiting:
      return "error(exiting)";
    case outcome::would_suspend:
      return "error(would_suspend)";
    case outcome::something_else:
      break;
  }
  return "something else came out";
}

template <class Call>
outcome outcome_of(Call&& call) {
  try {
    call();
  } catch (otter::detail::unwinding const&) {
    return outcome::token;
  } catch (otter::error const& e) {
    return e.code() == otter::errc::exiting         ? outcome::exiting
           : e.code() == otter::errc::would_suspend ? outcome::would_suspend
                                                    : outcome::something_else;
  } catch (...) {
    return outcome::something_else;
  }
  return outcome::returned;
}

/// An exit signal is on its way to the calling process, which has no reductions left.
inline void exit_pending(otter::exit_reason const& reason) {
  {
    otter::no_suspend guard;  // under which a checkpoint counts and does not yield
    for (int i = 0; i < 10'000; ++i) otter::checkpoint();
  }
  otter::exit(otter::self(), reason);
}

/// Runs `f` when it is destroyed: at the end of a scope, or while the stack unwinds.
template <class F>
struct [[nodiscard]] when_destroyed {
  F f;
  ~when_destroyed() { f(); }
};
template <class F>
when_destroyed(F) -> when_destroyed<F>;

constexpr int repeated = 5;

}  // namespace contract

template <class Fixture>
class contract_check {
 public:
  contract_check(driver_report& report, contract_entry<Fixture> const& entry,
                 otter::exit_reason sent)
      : report_(report), entry_(entry), sent_(std::move(sent)) {}

  void everywhere() {
    bool const safe = in_the_open();
    if (entry_.mark == exits::never && safe) {  // else the whole program would end here
      in_a_noexcept_function();
      in_a_destructor();
    }
    if (under_defer_exit()) in_a_guarded_destructor();
    under_no_suspend();
    while_an_exception_unwinds();
    while_the_token_unwinds();
  }

 private:
  using outcome = contract::outcome;

  /// Runs `body(fixture, told)` in a process of its own that ends by the signal; `told` takes down
  /// what came out of a call. True if each was `expected`.
  template <class Body>
  bool in_a_process(std::string_view place, outcome expected, Body body) {
    bool good = true;
    int calls = 0;
    // The process writes to our stack, which stays while we wait for its end.
    auto const told = [&](outcome o) {
      ++calls;
      bool const no_need_to_wait = o == outcome::returned && entry_.wait == waits::perhaps;
      if (o == expected || (no_need_to_wait && expected != outcome::token)) return;
      good = false;
      report_.check(fmt::format("{} {}: {}", entry_.name, place, contract::text_of(o)), false);
    };
    otter::spawned const p = otter::spawn_monitor([&] {
      Fixture fixture;
      body(fixture, told);
      otter::checkpoint();
    });
    std::string const end =
        otter::receive(otter::when([&](otter::down const& d) { return d.ref == p.ref; },
                                   [](otter::down d) { return to_string(d.reason); }));
    report_.equal(
        fmt::format("{} {}: the end", entry_.name, place), end,
        to_string(sent_ == otter::exit_kind::kill ? otter::exit_reason::killed() : sent_));
    if (calls == 0) report_.check(fmt::format("{} {}: was called", entry_.name, place), false);
    return good && calls > 0;
  }

  outcome call(Fixture& f) const {
    return contract::outcome_of([&] { entry_.call(f); });
  }

  bool in_the_open() {
    bool const ends = entry_.mark == exits::may ||
                      (entry_.mark == exits::if_it_waits && entry_.wait == waits::yes);
    return in_a_process("in the open", ends ? outcome::token : outcome::returned,
                        [&](Fixture& f, auto& told) {
                          contract::exit_pending(sent_);
                          told(call(f));
                        });
  }

  void in_a_noexcept_function() {
    in_a_process("in a noexcept function", outcome::returned, [&](Fixture& f, auto& told) {
      contract::exit_pending(sent_);
      [&]() noexcept {
        for (int i = 0; i < contract::repeated; ++i) entry_.call(f);
      }();
      told(outcome::returned);
    });
  }

  void in_a_destructor() {
    in_a_process("in a destructor", outcome::returned, [&](Fixture& f, auto& told) {
      contract::exit_pending(sent_);
      {
        contract::when_destroyed at_end{[&] { entry_.call(f); }};
      }
      told(outcome::returned);
    });
  }

  bool under_defer_exit() {
    return in_a_process("under defer_exit", outcome::returned, [&](Fixture& f, auto& told) {
      contract::exit_pending(sent_);
      otter::defer_exit guard;
      for (int i = 0; i < contract::repeated; ++i) told(call(f));
    });
  }

  void in_a_guarded_destructor() {
    in_a_process("in a destructor with defer_exit", outcome::returned, [&](Fixture& f, auto& told) {
      contract::exit_pending(sent_);
      {
        contract::when_destroyed at_end{[&] {
          otter::defer_exit guard;
          entry_.call(f);
        }};
      }
      told(outcome::returned);
    });
  }

  void under_no_suspend() {
    in_a_process("under no_suspend",
                 entry_.wait == waits::no ? outcome::returned : outcome::would_suspend,
                 [&](Fixture& f, auto& told) {
                   contract::exit_pending(sent_);
                   otter::no_suspend guard;
                   for (int i = 0; i < contract::repeated; ++i) told(call(f));
                 });
  }

  void while_an_exception_unwinds() {
    in_a_process("while an exception unwinds",
                 entry_.wait == waits::no ? outcome::returned : outcome::exiting,
                 [&](Fixture& f, auto& told) {
                   contract::exit_pending(sent_);
                   try {
                     contract::when_destroyed at_end{[&] { told(call(f)); }};
                     throw 1;
                   } catch (int) {
                   }
                 });
  }

  void while_the_token_unwinds() {
    in_a_process("while the token unwinds",
                 entry_.wait == waits::no ? outcome::returned : outcome::exiting,
                 [&](Fixture& f, auto& told) {
                   contract::when_destroyed at_end{[&] { told(call(f)); }};
                   contract::exit_pending(sent_);
                   otter::checkpoint();
                 });
  }

  driver_report& report_;
  contract_entry<Fixture> const& entry_;
  otter::exit_reason const sent_;
};

/// Checks the mark of each function in the table. Called from: a process. A Fixture is made in the
/// process that calls, before the signal is sent.
template <class Fixture>
void check_contract(driver_report& report, std::span<contract_entry<Fixture> const> entries) {
  for (contract_entry<Fixture> const& entry : entries) {
    contract_check<Fixture>(report, entry, otter::exit_reason::kill()).everywhere();
    contract_check<Fixture>(report, entry, otter::exit_reason::of("asked")).everywhere();
  }
}

}  // namespace otter_test
