#pragma once

// otter/detail/statem_core.hpp - a state machine without its types: the engine of all gen_statems.
//
//   otter::detail::statem_step    what a handler wants
//   otter::detail::statem_class   what the compiler made of one class and callback module
//   otter::detail::statem_core    the process body; gen_statem.hpp adds object and state to it
//
// The order of things within a transition is doc/gen_statem.md, "One transition, step by step".

#include <cstdint>
#include <memory>
#include <optional>
#include <otter/detail/behaviour_core.hpp>
#include <otter/states.hpp>
#include <otter/timer.hpp>
#include <span>
#include <string>
#include <vector>

namespace otter::detail {

struct statem_class;

struct statem_action {
  enum class kind : unsigned char {
    reply,
    next_event,
    start_timeout,
    start_timeout_at,
    cancel_timeout,
    update_timeout,
    push_module,
    change_module,
    pop_module,
  };
  kind what;
  event_type event = event_type::internal;
  from who{};  // reply, next_event of a call
  envelope_ptr content{};
  duration limit{};  // start_timeout; of start_timeout_at, since the clock's epoch
  std::string name{};
  statem_class const* module = nullptr;
};

/// stop(): an end, and whom to answer before it.
class [[nodiscard]] leaving {
 public:
  using otter_thrown_as = leaving;  // for otter::result

  explicit leaving(exit_reason why) noexcept : reason(std::move(why)) {}

  template <class Request, class Reply>
  leaving reply(caller<Request> const& who, Reply&& value) && {
    using wire = reply_t<Request>;
    static_assert(std::is_convertible_v<Reply, wire>,
                  "otter: this is not the answer that the request names (see its `reply`)");
    replies.push_back(statem_action{.what = statem_action::kind::reply,
                                    .who = who,
                                    .content = pack_reply<wire>(std::forward<Reply>(value))});
    return std::move(*this);
  }
  leaving reply(from who) && {
    replies.push_back(statem_action{.what = statem_action::kind::reply,
                                    .who = who,
                                    .content = pack_reply<void_reply>(void_reply{})});
    return std::move(*this);
  }

  exit_reason reason;
  std::vector<statem_action> replies{};
};

/// What a handler wants, but for the state itself.
struct statem_step {
  enum class move : unsigned char { keep, next, repeat };

  step end{};  // its kind, reason and whether it crashed
  move how = move::keep;
  bool changed = false;  // the state is another one now
  std::optional<bool> postpone{};
  std::optional<bool> hibernate{};
  std::vector<statem_action> actions{};

  /// Whether an enter call may want this.
  [[nodiscard]] bool may_follow_enter() const noexcept {
    if (how == move::next || postpone) return false;
    for (statem_action const& a : actions)
      if (a.what == statem_action::kind::next_event || a.module != nullptr ||
          a.what == statem_action::kind::pop_module)
        return false;
    return true;
  }
  void take(leaving&& form) noexcept {
    end.what = step::kind::stop;
    end.reason = std::move(form.reason);
    actions = std::move(form.replies);
  }
};

class statem_core;

/// One event under treatment, or waiting for it.
struct machine_event {
  event_type type = event_type::info;
  from caller{};
  type_descriptor const* what = nullptr;
  void* payload = nullptr;   // null if it was taken
  envelope_ptr content{};    // what payload points into, if the machine owns it
  event* arrived = nullptr;  // else the runtime does
  bool is_response = false;  // to a request of the machine's own: its type says nothing of it
  bool was_postponed = false;

  [[nodiscard]] last_event describe() const noexcept;
};

/// Deals with an event in the present state. False: that state has no handler for it.
using statem_handler_function = bool (*)(statem_core& machine, machine_event& e);

struct statem_handler {
  type_descriptor const* type;
  statem_handler_function run;
};

/// Constant, one per class and callback module.
struct statem_class : behaviour_class {
  std::span<statem_handler const> events{};
  // Null where there is no such member.
  statem_handler_function any_info = nullptr;
  statem_handler_function response = nullptr;
  void (*enter)(statem_core& machine, void const* old_state, statem_step& out) = nullptr;
  std::string_view (*state)(statem_core const& machine) noexcept = nullptr;
};

/// The body of every gen_statem.
///
/// Invariant: between two events of the mailbox there is nothing left to do: no event is queued and
/// no time-out of zero is due.
class statem_core : public behaviour_core {
 public:
  /// Acts on what a handler wants: actions, then the enter call if one is due, and so on. Called
  /// from a handler's thunk, which holds the state that was left.
  void transit(statem_step& wanted, void const* old_state);

 protected:
  statem_core(statem_class const& type, origin const& from);
  ~statem_core() override;

  /// Acts on what init wanted, and tells the starter. Called from start().
  void begin(alias_ref starter, statem_step init);

 private:
  struct waiting_events;  // the queue, what is postponed, time-outs, earlier modules

  behaviour_class const& type() const noexcept final;
  void on_event(event& e) final;
  std::string more_status() const final;
  void check_changeable() const final;
  void take_over(behaviour_core& before) noexcept final;

  void on_timer(std::uint64_t token);
  void settle();
  void sleep();
  void process(machine_event& e);
  /// False if there is none.
  bool dispatch(machine_event& e);
  /// The handler for what `e` has another layout of: that is made of it.
  [[gnu::cold, gnu::noinline]] statem_handler const* find_for_other_layout(machine_event& e);
  void refuse(machine_event& e);
  void run_queue();
  void conclude(machine_event* e);
  void act(statem_action& a);
  void postpone(machine_event&& e);
  void shed_postponed();
  bool shed_retried(machine_event const& e);
  void end(step& how);
  void arm_timer();
  waiting_events& waiting();

  statem_class const* class_;
  std::unique_ptr<waiting_events> waiting_;
  // Of the transition that is going on.
  machine_event* current_ = nullptr;
  bool changed_ = false;
  bool postponed_ = false;
  bool hibernate_ = false;
};

}  // namespace otter::detail
