#pragma once

// otter/detail/behaviour_core.hpp - what every behaviour's process does, whatever its kind.
//
//   otter::detail::behaviour_class   what the compiler made of one class: its hooks
//   otter::detail::behaviour_core    start, system messages, the parent's exit, the end
//
// gen_server, gen_statem, gen_event and special_process each add what they do with an event. The
// hooks are compiled where the class is. They catch whatever the class throws and turn it into a
// step, so that no exception of a module crosses its border.

#include <cstdint>
#include <memory>
#include <otter/busy_policy.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/detail/system_messages.hpp>
#include <otter/detail/throw_probe.hpp>
#include <otter/outcome.hpp>
#include <otter/reactive.hpp>
#include <otter/start.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace otter::detail {

/// The class says when it answers `busy`.
template <class Object>
concept has_busy_policy = requires(Object const& o) {
  requires std::is_same_v<std::remove_cvref_t<decltype(o.busy)>, busy_policy>;
};

/// Constant, one per class and module. A hook is null where the class has no such member.
struct behaviour_class {
  std::string_view kind;       // "gen_server"
  std::string_view name;       // of the class
  void const* mark = nullptr;  // object_mark of the class
  void (*terminate)(void* object, exit_reason const& reason, step& out) = nullptr;
  void (*hibernate)(void* object, step& out) = nullptr;
  void (*status)(void const* object, std::string& out) = nullptr;
  /// What sys::get_state() of a class with that mark sees; else the object, if the mark is its own.
  void* (*find)(void* object, void const* mark) = nullptr;
  busy_policy const& (*busy)(void const* object) = nullptr;
  /// Of one that is no module's, but has parts that are: those of `wanted.module` go on in another
  /// version. Throws: as system_host::system_change_code().
  void (*change_parts)(void* object, code_change_request& wanted) = nullptr;
  /// The parent's exit ends it only while it is suspended; else it is an event like others.
  bool sees_parent_exit = false;
};

/// Turns the exception that is being handled into a step; the unwinding token is thrown on.
/// Called from: a catch block, behind one of a throw_probe.
void step_from_exception(step& out, std::string_view place);
/// Makes `out` an end because a callback gave what its behaviour does not know.
void step_from_bad_return(step& out, std::string_view what) noexcept;

/// The entry for a type, or null.
template <class Entry>
[[gnu::noinline]] Entry const* find_foreign_entry(std::span<Entry const> table,
                                                  type_descriptor const& type) noexcept {
  for (Entry const& h : table)  // one type, described in two modules
    if (same_type(*h.type, type)) return &h;
  return nullptr;
}
template <class Entry>
inline Entry const* find_entry(std::span<Entry const> table, type_descriptor const& type) noexcept {
  for (Entry const& h : table)
    if (h.type == &type) return &h;
  return find_foreign_entry(table, type);
}

/// What a behaviour was doing, for its report.
struct last_event {
  char const* kind = "message";
  type_descriptor const* type = nullptr;
  void const* payload = nullptr;  // null if it was taken
  from caller{};
  /// The event as far as it can still be shown: what a handler may have moved from is only named.
  [[nodiscard]] std::string text() const;
};
last_event describe_event(event& e) noexcept;

/// How far the object of a body has come: see late_object.
enum class object_stage : unsigned char { beginning, nothing, constructed };

/// The body of a behaviour. There may be millions: what few of them have is elsewhere, and this is
/// three words, so that a server of up to three words more is one cache line.
///
/// Threads: its own process, except construction.
/// Invariant: on_event() is called only between started() and finish(), and not while suspended.
class behaviour_core : public reactive, public kin {
 public:
  void handle(event& e) final;
  std::string describe() const final;
  void* upper_part() noexcept final { return static_cast<kin*>(this); }
  std::string_view initial_call() const noexcept final { return type().name; }

 protected:
  /// Throws: std::bad_alloc.
  explicit behaviour_core(origin const& from);
  ~behaviour_core() override;

  /// What few behaviours have.
  struct rare_parts {
    rare_parts() noexcept;
    ~rare_parts();
    std::unique_ptr<debug_state> debug;
    duration hibernate_after = infinity;
    duration idle = infinity;  // a server's time-out, while it runs
    std::uint32_t token = 0;   // of that; an older one is stale
  };
  /// Throws: std::bad_alloc.
  rare_parts& rare();
  [[nodiscard]] rare_parts* rare_if_any() const noexcept { return rare_.get(); }
  [[nodiscard]] debug_state* debug() const noexcept {
    return rare_ == nullptr ? nullptr : rare_->debug.get();
  }

  /// Tells the starter how the start went. True if the process goes on; else it is to end.
  bool started(alias_ref starter, step& init);
  /// Runs terminate(), answers who still waits, reports if the end is abnormal, and ends.
  void finish(step& end, last_event const& last);
  /// Nothing will come for long: lets the object shrink, then the runtime. False: hibernate()
  /// failed, and `out` says how.
  bool hibernate_now(step& out);

  /// Answers a call, and shows that to whom it may concern.
  void answer(from caller, envelope_ptr value) noexcept;
  /// For sys::trace() and its kin: costs nothing while nothing is debugged.
  void note_in(last_event const& e) noexcept {
    if (debug() != nullptr) [[unlikely]]
      show_in(e);
  }
  void note_state(std::string_view name) noexcept {
    if (debug() != nullptr) [[unlikely]]
      show_state(name);
  }

  // --- for a class with a busy_policy: busy_policy.cpp ---

  /// Whether the policy is not to serve this call or cast; then its caller has been told.
  bool shed(event& e, busy_policy const& policy);
  /// The same of a call that has waited in another place than the mailbox, with `behind` calls
  /// behind it there, beside those in the mailbox.
  bool shed_waiting(from caller, std::uint32_t behind, busy_policy const& policy);
  /// Whether the policy leaves out a call whose caller has given up, and this is one.
  bool shed_stale(from caller, busy_policy const& policy);
  /// What was not served so far, as lines for a status; empty if everything was.
  static std::string busy_status();

  /// An event that nobody handles: a call fails at its caller, anything else is reported. `why`,
  /// if it has the layout of another version: both, and what does not fit.
  void refuse_call(from caller, std::string_view request, std::string_view why = {});
  void report_unknown(last_event const& e, std::string_view why = {}) const;
  /// How and in what state it ends.
  void report_end(exit_reason const& reason, last_event const& last) const;

  /// What the hooks get: the object, or null while there is none.
  virtual void* object() const noexcept = 0;

  /// Whose exit ends it: who started it with a link. None: nobody.
  [[nodiscard]] pid parent() const noexcept { return follows_parent_ ? spawner() : pid{}; }
  /// True if it did not start, but a function has become it (GS-33).
  [[nodiscard]] bool entered() const noexcept { return entered_; }
  /// After how long without an event it is to hibernate; infinity: never by itself.
  [[nodiscard]] duration hibernate_after() const noexcept {
    return rare_ == nullptr || hibernates_ ? infinity : rare_->hibernate_after;
  }
  [[nodiscard]] bool suspended() const noexcept { return suspended_; }
  /// True from finish() on.
  [[nodiscard]] bool finished() const noexcept { return finished_; }
  object_stage& stage() noexcept { return stage_; }
  [[nodiscard]] object_stage stage() const noexcept { return stage_; }

 private:
  class host;  // what a system message sees of it
  /// What start_options wanted, before the first event.
  void begin_debugging();
  virtual behaviour_class const& type() const noexcept = 0;
  virtual void on_event(event& e) = 0;
  virtual void on_suspend() noexcept {}
  /// A system message was served, and the process is not suspended.
  virtual void after_system_message() {}
  /// More lines for reports and status, each beginning with a line feed; or nothing.
  virtual std::string more_status() const { return {}; }

  // --- when its process goes on in another version of its class ---
  /// Throws: process_exit, if it cannot be left now.
  virtual void check_changeable() const {}
  /// What else a behaviour of this kind keeps beside its object; `before` is of the same kind.
  virtual void take_over(behaviour_core&) noexcept {}

  bool shed_call(event& e, busy_policy const& policy);
  void on_system(event& e);
  void show_in(last_event const& e) noexcept;
  void show_state(std::string_view name) noexcept;

  void suspend(bool suspended);
  /// What it knows of its family, and what few behaviours have, from the body that it follows.
  void inherit(behaviour_core& before) noexcept;
  void change_code(code_change_request& wanted, retired_body& before);

  // These first, to fill up the word that kin begins.
  bool follows_parent_;  // the exit of who started it ends it too (GS-27)
  bool entered_;
  bool suspended_ = false;
  bool finished_ = false;
  bool hibernates_ = false;  // nothing but system messages has come since
  object_stage stage_ = object_stage::beginning;

 protected:
  bool armed_ = false;  // a server's timer runs: how long is in rare_parts

 private:
  std::unique_ptr<rare_parts> rare_;
};

}  // namespace otter::detail
