#pragma once

// process/process.hpp - one process: its block, and how a turn of it goes.
//
// The block holds what must be at hand; what few processes have is in process_extra. A process
// that waits between two events has no stack: run() returned (doc/stacks.md). Its sources:
//
//   process.cpp   turns                                exits.cpp      exit signals, links
//   waiting.cpp   waiting, safe points                 monitors.cpp   monitors, aliases
//   dying.cpp     the end, step by step
//   signals.cpp   acting on what came                  calls.cpp      requests and replies
//   send.cpp      pushing, limits                      timers.cpp     timers
//   memory.cpp    what it holds, and its limit         spawn_request.cpp
//   room.cpp      waiting for room in a full mailbox
//   dictionary.cpp  values that belong to it           terminate.cpp  exits that meet a noexcept
//   estate.cpp    what it owns in a room above
//   system_monitor.cpp  what one process is told of others

#include <atomic>
#include <cstdint>
#include <otter/detail/throw_probe.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/error.hpp>
#include <otter/reactive.hpp>
#include <otter/spawn.hpp>
#include <utility>

#include "base/cache_line.hpp"
#include "base/keyed_set.hpp"
#include "base/number_set.hpp"
#include "message/pid_access.hpp"
#include "process/inbox.hpp"
#include "process/mailbox.hpp"
#include "process/notice.hpp"
#include "process/places.hpp"
#include "process/process_parts.hpp"
#include "process/signal_queue.hpp"
#include "process/signals.hpp"
#include "process/timer_block.hpp"
#include "scheduler/scheduler.hpp"

namespace otter::rts {

class process_system;
struct here;
struct local_state;

/// In how many reductions a turn looks at the clock; a power of two.
constexpr unsigned usual_look = 32;

/// Ownership: the table of the process_system owns the block for ever; an *occupant* has it from
///            open() to the end of its death.
/// Threads:   `inbox_`, `bits_`, `limit_`, `places_`, `backlog_`, `killed_`, `waits_for_`,
///            `circle_told_`, `estate_` any. `parent_` and the leader are read by any, by [GL1].
///            Everything else: who runs the process (or, before open(), who spawns it).
/// Invariant: bits_ names the occupant; it changes only while the inbox is closed or about to be
///            closed by the dying occupant, so a signal in an inbox can be compared with it.
class process final : public runnable {
 public:
  explicit process(std::uint32_t index) noexcept;
  ~process() = default;

  // --- for the table ---
  std::uint32_t table_next = 0;
  std::uint32_t index() const noexcept {
    return static_cast<std::uint32_t>(bits()) & ((1u << pid_access::index_bits) - 1);
  }

  // --- any thread ---
  bool is(pid p) const noexcept {
    return bits_.load(std::memory_order_relaxed) == pid_access::bits(p);
  }
  std::uint64_t bits() const noexcept { return bits_.load(std::memory_order_relaxed); }
  inbox& signals() noexcept { return inbox_; }
  /// Makes it runnable after a push that woke it.
  void wake_up(worker* here) noexcept;
  /// Its block is wanted soon, whoever has it then.
  void fetch_block() const noexcept {
    auto const* const at = reinterpret_cast<char const*>(this);
    for (std::size_t i = 0; i < sizeof(process); i += cache_line) __builtin_prefetch(at + i);
  }
  /// What the turn of a body begins with. For who has woken it and not yet made it runnable: as
  /// whoever runs it, by [I2] of the inbox.
  void fetch_body() const noexcept {
    __builtin_prefetch(body_);
    if (timeout_ == nullptr) return;
    auto const* const at = reinterpret_cast<char const*>(timeout_);
    __builtin_prefetch(at);
    __builtin_prefetch(at + sizeof(timer_block) - 1);
  }
  /// Pid, name and label for reports. In a signal handler it takes no lock that is held, and then
  /// leaves the name out.
  enum class in_signal : bool { no, yes };
  void describe_to(char* buffer, std::size_t size, in_signal where) const noexcept;
  std::uint32_t backlog() const noexcept { return backlog_.load(std::memory_order_relaxed); }
  std::atomic<std::uint64_t>& limit_word() noexcept { return limit_; }
  place_count& places() noexcept { return places_; }
  /// A kill is on its way to `to`, the first one counts. May be called when `to` has ended.
  void note_kill(pid to, std::int64_t now_ns) noexcept;
  /// When the occupant is to be abandoned, ns of the driver's clock; INT64_MAX: nobody killed it.
  std::int64_t abandon_at() const noexcept;
  /// Bits of the process that this one waits for, in a call or for room in its mailbox; 0: none.
  /// Written by the process itself, for reports of circles (circles.cpp).
  std::atomic<std::uint64_t>& waits_for() noexcept { return waits_for_; }
  /// Whether the circle that its present wait is part of has been reported.
  std::atomic<bool>& circle_told() noexcept { return circle_told_; }
  /// Whether somebody waits for an answer of this process, or for room in its mailbox.
  bool is_waited_for() const noexcept { return !open_requests_.empty() || in_line_for_room(); }
  /// Whether it has a name. Changed by the name table under its mutex, except that a dying process
  /// exchanges it for `nameless` first: then nobody can name it any more.
  enum : std::uint8_t { unnamed, named, nameless };
  std::atomic<std::uint8_t>& name_state() noexcept { return name_state_; }
  /// It owns things of a room above: their end is to be told (estate.cpp). False: `who` has ended.
  /// May be called when the block has another occupant.
  bool mark_owner(pid who) noexcept;
  /// The bits of the occupant if it lives and has `leader`, of this node, as its group leader; else
  /// 0. Old at once, and a change of leader that is on its way does not count.
  std::uint64_t bits_if_led_by(pid leader) const noexcept;

  // --- life ---
  /// A fresh occupant: returns its pid. By the spawner; nobody else sees the block yet.
  pid occupy(process_system& system, reactive_ptr body, pid parent, pid group_leader);
  /// Takes it back before open(): nothing has happened.
  void vacate() noexcept;
  void open() noexcept { inbox_.open(); }
  void run() noexcept override;

  // --- the process itself ---
  pid self_pid() const noexcept;
  process_system& system() const noexcept { return *system_; }
  scheduler& sched() noexcept;
  /// Waits until something has arrived, or the limit is over (then false). May return true without
  /// a reason; callers loop. A safe point. Throws: the unwinding token; error(exiting,
  /// would_suspend).
  bool wait(wait_limit& limit);
  bool wait(std::int64_t due_ns);
  /// Waits for a signal whatever happens; exit signals are kept. The process must be suspendable.
  void wait_for(wake_signal& s) noexcept;
  /// Throws: error(exiting, would_suspend) where waiting is forbidden.
  void require_suspendable();
  /// Counts work; yields or exits when the budget is used up. `may_exit`: the public function's
  /// contract.
  void charge(int cost) { charge(cost, current_worker()); }
  void charge(int cost, worker* here) {
    reductions_ += static_cast<std::uint64_t>(cost);
    if (here != nullptr && (here->reductions -= cost) <= 0) checkpoint();
  }
  /// A safe point without waiting.
  void checkpoint(unsigned look_every = usual_look);
  /// Throws the unwinding token if an exit signal has come and it may be thrown here.
  void exit_if_asked();
  /// Takes in what has arrived; true if there was anything.
  bool drain() noexcept { return (attached() || !inbox_.nothing_waits()) && drain_inbox(); }

  void own(resource& r) noexcept;
  /// It may be in no list, but in no other process's.
  void disown(resource& r) noexcept;
  bool take_notice(notice& n) noexcept;
  /// It has a limit on its mailbox, and twice as many messages lie there: what is behind a notice
  /// stays in the socket until some are received. Twice, since as many may lie there that others
  /// have sent; those must not keep a receive from the data that it waits for.
  bool holds_enough() const noexcept {
    std::uint64_t const word = limit_.load(std::memory_order_relaxed);
    return word != 0 && mailbox_.size() / 2 >= mailbox_bound(word).limit;
  }

  mailbox& messages() noexcept { return mailbox_; }
  bool trap_exit(bool on) noexcept;
  bool traps_exit() const noexcept { return has(flag_trap_exit); }

  std::uint64_t next_id() noexcept { return ++last_id_; }
  ref make_own_ref(std::uint64_t id) const noexcept;

  process_extra& extra();  // throws std::bad_alloc
  process_extra* extra_if_any() const noexcept { return extra_; }
  pid parent_pid() const noexcept;
  pid group_leader_pid() const noexcept;
  void set_group_leader(pid leader) noexcept;

  // --- links and exits (exits.cpp) ---
  void link_to(pid other);
  void unlink_from(pid other) noexcept;
  /// Room for one link more. Throws: std::bad_alloc.
  void reserve_link() {
    if (!links_.reserve_one()) throw std::bad_alloc();
  }
  /// After it, or the first link of a process. It is not linked to `peer`.
  void add_link(std::uint64_t peer) noexcept { links_.insert(peer); }
  /// It is to end with `reason`; acted upon at the next safe point.
  void die(exit_reason reason, bool by_signal) noexcept;

  // --- monitors, aliases (monitors.cpp) ---
  monitor_ref watch(pid target, alias_mode mode, std::string* name, envelope* tag,
                    detail::down_maker make);
  bool unwatch(monitor_ref ref, demonitor_flush flush) noexcept;
  void add_watcher(request_envelope& entry) noexcept;
  bool end_start_monitor() noexcept;
  void forget_monitor(monitor_ref ref) noexcept;
  void add_own_ref(own_ref& r) noexcept { own_refs_.insert(r); }
  own_ref* find_own_ref(std::uint64_t id) noexcept { return own_refs_.find(id); }
  void drop_own_ref(own_ref& r) noexcept;
  void forget_own_ref(own_ref& r) noexcept {
    own_refs_.remove(r);
    drop_own_ref(r);
  }

  // --- calls (calls.cpp) ---
  friend struct call_engine;
  /// How many calls stand in the mailbox.
  std::uint32_t waiting_calls() const noexcept { return waiting_calls_; }
  /// Whether an answer to that call is still owed, as far as this process knows.
  bool owes_answer(ref call) const noexcept { return open_requests_.find(call) != nullptr; }

  // --- room in the full mailbox of another (room.cpp) ---
  /// Uses the first of the places that it was given, and keeps the others until its turn ends.
  /// extra() has been called.
  void keep_room(peer_signal& given) noexcept;
  /// Uses a place that it keeps at `to`; false if it has none.
  bool use_room(process const& to) noexcept {
    if (!has(flag_keeps_room) || !to.is(extra_->room->from)) return false;
    if (--extra_->room->places == 0) forget_room();
    return true;
  }

  // --- timers (timers.cpp) ---
  void set_timeout(std::int64_t delay_ns, std::uint64_t token);
  void clear_timeout() noexcept;
  bool time_out(timer_block& t) noexcept;
  timer_list& timers() noexcept { return timers_; }

  // --- events of a reactive body ---
  void request_stop(exit_reason reason) noexcept;
  void pause_messages(bool paused) noexcept { set(flag_paused, paused); }
  /// Throws: std::bad_alloc.
  void pause_messages_but_exit_of(pid parent);
  void receive_system_messages() noexcept;
  reactive* body() noexcept { return body_; }
  /// The innermost one; gives that which it was. Throws: as code_watch::replaced().
  reactive_ptr replace_body(reactive_ptr next);

  // --- guards ---
  void defer(int by) noexcept { defers_ = static_cast<std::uint16_t>(defers_ + by); }
  void forbid_suspend(int by) noexcept {
    no_suspends_ = static_cast<std::uint16_t>(no_suspends_ + by);
  }
  bool deferring() const noexcept { return defers_ != 0 || no_suspends_ != 0; }
  bool is_dying() const noexcept { return has(flag_dying); }
  /// Why it is to end; meaningful once it is.
  exit_reason const& reason_to_end() const noexcept { return reason_; }
  bool ending_soon() const noexcept { return has(flag_exit_pending); }

  // --- attached threads ---
  void attach(attached_waker& waker) {  // throws std::bad_alloc
    extra().waker = &waker;
    set(flag_attached, true);
    set(flag_started, true);
  }
  bool attached() const noexcept { return has(flag_attached); }
  attached_waker* waker() noexcept { return extra_->waker; }
  /// The attached thread leaves: ends the process on that thread.
  void detach() noexcept;
  /// For its descriptor: the next push shall call wake(), or it is called at once.
  void rearm() noexcept;
  void unmark() noexcept;

  // --- spawn requests (spawn_request.cpp) ---
  bool abandon_spawn(request_id request) noexcept;

  // --- memory (memory.cpp) ---
  /// Throws: std::bad_alloc.
  void limit_heap(otter::max_heap_size const& limit);
  otter::max_heap_size heap_limit() const noexcept;
  std::uint64_t memory_in_use() const noexcept;
  /// Holds so many bytes more, or less.
  void account(std::ptrdiff_t bytes) noexcept;

  /// Gives back what its tables do not need at their present size.
  void shrink() noexcept;

  // --- what the system monitor is told (system_monitor.cpp) ---
  void turn_begins() noexcept;
  void turn_ends() noexcept;
  void note_busy_port() noexcept;

  // --- facts (info.cpp) ---
  /// The most bytes of stack that a measured process ever used; 0 for any other. Called from: its
  /// own turn.
  std::size_t stack_depth() const noexcept;
  std::vector<info> facts(std::vector<info_item> const& items);
  bool sensitive(bool on) noexcept;
  /// What it waits in, for reports of a shutdown; see class waiting.
  wait_place waiting_in() const noexcept { return waiting_in_; }
  void set_waiting_in(wait_place what) noexcept { waiting_in_ = what; }
  /// The node gives it up (abandonment); on a worker, its thread locked out.
  void abandon(std::string_view where) noexcept;
  void mark_fresh_priority(otter::priority p) noexcept;

 private:
  friend struct process_overview;
  enum : std::uint32_t {
    flag_started = 1,
    flag_trap_exit = 2,
    flag_exit_pending = 4,  // reason_ is set; the token is to be thrown
    flag_by_signal = 8,     // and it was a signal: ending() is not called
    flag_unwinding = 16,    // the token was thrown
    flag_stop = 32,         // the body asked to end: reason_ is set
    flag_dying = 64,        // no user code but destructors any more
    flag_paused = 128,
    flag_attached = 256,
    flag_sensitive = 512,
    flag_crashed = 1024,  // an exception was the reason: report it
    flag_long_queue = 2048,
    flag_abandoned = 4096,
    flag_in_body = 16384,            // user code is on a stack
    flag_answered = 8192,            // the request under treatment has been answered
    flag_heap_limited = 32768,       // extra_->max_heap counts
    flag_over_heap = 65536,          // and was exceeded: reported
    flag_probed = 131072,            // its safe points are asked for faults (simulation)
    flag_seen_large = 262144,        // the system monitor knows of its size
    flag_seen_long = 524288,         // and of its queue
    flag_receives_system = 1048576,  // system messages are plain messages to it
    flag_keeps_room = 2097152,       // extra_->room
    flag_line = 4194304,             // extra_->room_wanted is not empty; limit_ has the line's mark
  };
  bool has(std::uint32_t f) const noexcept { return (flags_ & f) != 0; }
  void set(std::uint32_t f, bool on) noexcept { flags_ = on ? flags_ | f : flags_ & ~f; }

  // --- turns (process.cpp) ---
  template <class F>
  void in_user_code(F&& f) noexcept {
    in_user_code(*current_worker(), std::forward<F>(f));
  }
  template <class F>
  [[gnu::always_inline]] void in_user_code(worker& w, F&& f) noexcept;
  void meet_fault();
  bool next_event(worker& w) noexcept;
  bool next_rarer_event(worker& w) noexcept;
  void handle_plain(envelope* e, worker& w) noexcept;
  void handle(envelope* e, worker& w) noexcept;
  void handle_ready(notice& n, worker& w) noexcept;
  void end_of_request(request_envelope& r) noexcept;
  void sleep(wait_limit* limit);
  void give_way();
  void abandon_here() noexcept;

  bool is_usual(envelope const& chain) const noexcept;

  // --- signals (signals.cpp) ---
  bool drain_inbox() noexcept;
  void take_in(envelope* newest) noexcept;  // acts on each of the chain, oldest first
  void act_on_each(envelope* oldest) noexcept;
  bool accepts_at_once() const noexcept;
  void list_request(request_envelope& r) noexcept;
  void system_becomes_message(request_envelope& r) noexcept;
  void act(envelope* e) noexcept;
  void accept_message(envelope* e) noexcept;
  void on_exit_signal(exit_signal* e) noexcept;
  void on_link(link_entry* e) noexcept;
  void on_unlink(peer_signal* e) noexcept;
  void on_down(down_signal* e) noexcept;
  void on_reply(id_envelope* e) noexcept;
  void on_alias_message(id_envelope* e) noexcept;
  void on_timer(timer_block* t) noexcept;
  void on_query(request_envelope* e) noexcept;
  void on_attach_timer(peer_signal* e) noexcept;
  void on_room_wanted(peer_signal* e) noexcept;
  void on_room_returned(peer_signal* e) noexcept;
  void on_spawn_begun(spawn_signal* e) noexcept;
  void on_spawn_done(spawn_signal* e) noexcept;
  void enforce_limit() noexcept;
  void check_heap() noexcept;
  void observe_load() noexcept;
  void note_turn_begin() noexcept;
  void note_turn_end() noexcept;
  bool in_line_for_room() const noexcept { return has(flag_line); }
  void give_room(std::uint32_t least) noexcept;
  void give_room_by_half() noexcept {
    std::uint32_t const limit = mailbox_bound(limit_.load(std::memory_order_relaxed)).limit;
    if (places_.taken() <= limit - limit / 2) give_room(limit / 2);
  }
  void forget_room() noexcept;
  void return_room() noexcept;
  void watch_length() noexcept;
  void message_left_watched() noexcept;
  /// Its place is free. Nothing is left of it in the envelope, which may be sent on to others.
  void release_count(envelope* e) noexcept {
    if ((e->flags & detail::counted) == 0) return;
    e->flags = static_cast<std::uint8_t>(e->flags & ~detail::counted);
    places_.leave();
  }

 public:
  /// For whoever removes a message from the mailbox.
  void message_left(envelope* e) noexcept {
    release_count(e);
    // Senders count in steps of 64: their line is left alone in between.
    if (mailbox_.size() % 64 == 63) backlog_.store(mailbox_.size(), std::memory_order_relaxed);
    if (has(flag_line | flag_long_queue | flag_seen_long | flag_seen_large)) [[unlikely]]
      message_left_watched();
  }
  /// Turns the notice at `place` into the messages it stands for.
  void expand_notice(envelope** place) noexcept;

 private:
  // --- dying (dying.cpp) ---
  void finish() noexcept;
  bool die_in_portions() noexcept;
  void refuse_arrivals() noexcept;
  void dispose_mailbox() noexcept;
  void release_resources() noexcept;
  enum estate_state : std::uint8_t { owns_nothing, owns, ended };
  static std::uint16_t estate_word(std::uint64_t bits, estate_state state) noexcept;
  void release_estate() noexcept;
  bool tell_links(int& portion) noexcept;
  bool tell_watchers(int& portion) noexcept;
  bool drop_own_refs(int& portion) noexcept;
  void close_and_free() noexcept;
  void clear_timeout_at_death() noexcept;
  void answer_open(request_envelope& r) noexcept;
  void submit_self() noexcept;
  void report_crash() noexcept;
  void destroy_body() noexcept;
  void destroy_values() noexcept;

  // These fill a gap.
  std::atomic<bool> circle_told_{false};
  wait_place waiting_in_ = wait_place::none;
  std::uint16_t no_suspends_ = 0;

  // line 0, after the runnable's fields: what a sender touches
  inbox inbox_;
  std::atomic<std::uint64_t> bits_;
  std::atomic<std::uint32_t> backlog_{0};  // messages that wait, as the owner last said, by 64
  std::uint32_t flags_ = 0;
  std::atomic<std::uint64_t> limit_{0};  // mailbox_bound's word
  place_count places_;

  process_system* system_ = nullptr;
  reactive* body_ = nullptr;
  mailbox mailbox_;
  signal_queue system_messages_;
  [[no_unique_address]] number_set<link_key> links_;  // bits of those that it is linked to
  // With room for small members behind it.
  std::atomic<std::uint8_t> name_state_{nameless};
  std::uint16_t defers_ = 0;
  std::uint32_t waiting_calls_ = 0;  // requests in the mailbox
  /// Links that need more than that: dissolved by us and not yet acknowledged; and active ones for
  /// which links_ could get no memory.
  keyed_set<link_entry, link_key> link_entries_;
  keyed_set<request_envelope, request_key> open_requests_;  // calls to answer, monitors on us
  keyed_set<own_ref, own_ref_key> own_refs_;
  timer_list timers_;
  envelope* timeout_ = nullptr;  // the body's: its timer_block, then its event in the mailbox
  resource* resources_ = nullptr;
  std::uint64_t last_id_ = 0;
  awaited_call* call_ = nullptr;
  // Written by the spawner and the process itself; read by others in bits_if_led_by(), [GL1].
  std::atomic<std::uint64_t> parent_{0};
  std::atomic<std::uint64_t> leader_{0};  // bits of the group leader, which all have; 0: the parent
  process_extra* extra_ = nullptr;
  /// When an untrappable kill was sent: 20 bits of the generation that it was sent to, above 44
  /// bits of milliseconds. One word, as the block may get another occupant between a killer's look
  /// and its write: that one must not inherit the kill.
  std::atomic<std::uint64_t> killed_{0};
  std::atomic<std::uint64_t> waits_for_{0};
  std::uint64_t reductions_ = 0;
  [[no_unique_address]] exit_reason reason_;  // as above
  /// An estate_state below 14 bits of the occupant's generation, so that nobody marks the next one
  /// in its place: the slot would have to be used 16,384 times while he does.
  std::atomic<std::uint16_t> estate_{ended};
  std::atomic<std::uint32_t> leader_node_{0};
};
static_assert(sizeof(process) == 296, "with a million processes each word counts");

/// Runs f(body), a piece of the body. Whatever leaves it becomes the reason to end.
template <class F>
inline void process::in_user_code(worker& w, F&& f) noexcept {
  set(flag_in_body, true);
  reactive& body = *body_;  // beyond the border the block may be taken from us: abandon()
  try {
    user_code border(w);
    f(body);
  } catch (process_exit const& e) {
    die(e.reason(), false);
  } catch (detail::unwinding const&) {
    // reason_ is set: the token is only thrown when it is.
  } catch (detail::throw_probe const&) {
    // never: it notes where what comes below was thrown
  } catch (...) {
    if (!has(flag_exit_pending)) set(flag_crashed, true);
    die(exit_reason::from_current_exception({}, detail::thrown_at()), false);
  }
  set(flag_in_body, false);
}

/// While it lives, the process waits in the function `what`, also if a signal ends the wait.
class waiting {
 public:
  waiting(process& self, wait_place what) noexcept : self_(self), before_(self.waiting_in()) {
    self.set_waiting_in(what);
  }
  ~waiting() { self_.set_waiting_in(before_); }
  waiting(waiting const&) = delete;
  waiting& operator=(waiting const&) = delete;

 private:
  process& self_;
  wait_place before_;
};

process* current_process_or_null() noexcept;
process& current_process();

/// The calling process, which cannot be given up while this lives. None outside a process, and none
/// when it has been given up: its block may be another's by then.
class kept_process {
 public:
  kept_process() noexcept : self_(entry_.refused() ? nullptr : current_process_or_null()) {}
  explicit operator bool() const noexcept { return self_ != nullptr; }
  process* operator->() const noexcept { return self_; }

 private:
  runtime_entry entry_;
  process* self_;
};

}  // namespace otter::rts
