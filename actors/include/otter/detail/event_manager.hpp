#pragma once

// otter/detail/event_manager.hpp - the process of a gen_event: a gen_server whose state is its
// handlers. otter/gen_event.hpp packs the types.

#include <list>
#include <memory>
#include <optional>
#include <otter/detail/code_change.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace otter {

/// Why a handler is no longer there.
struct handler_end {
  enum class kind : unsigned char {
    deleted,  ///< delete_handler()
    removed,  ///< it returned remove()
    swapped,  ///< another has taken its place
    stopped,  ///< the manager stops, or the process that supervised it has ended
    error,    ///< an exception left it: `reason`
  };
  kind what = kind::deleted;
  exit_reason reason{};
};

/// Sent to who added a supervised handler, once, when that handler is gone (GE-9).
struct handler_exited {
  pid manager;
  std::string handler;  ///< the name of its class
  std::string id;
  exit_reason reason;  ///< normal: deleted or removed; shutdown: the manager stops; or the error
  bool swapped = false;
  // If it was swapped: what has taken its place, and who supervises that; none: nobody does.
  std::string successor{};
  std::string successor_id{};
  pid successor_owner{};
};

/// One line of which_handlers().
struct handler_info {
  std::string handler;
  std::string id;
  bool supervised = false;
  friend bool operator==(handler_info const&, handler_info const&) = default;
};

namespace detail {

class event_manager;
class event_box;
using event_box_ptr = std::unique_ptr<event_box>;

/// What a handler wants after an event.
struct handler_wish {
  enum class kind : unsigned char { keep, remove, swap };
  kind what = kind::keep;
  bool hibernate = false;
  /// swap: makes the new one, given the old one that has terminated. Throws what it throws.
  std::unique_ptr<struct handler_maker> next{};
};
struct handler_maker {
  virtual ~handler_maker() = default;
  /// `old` is null if there was none.
  virtual event_box_ptr make(event_box* old) = 0;
};

/// Runs a terminate() of the handler with what a caller hands to it, in place of the one that gets
/// a handler_end.
struct handler_farewell {
  virtual ~handler_farewell() = default;
  virtual void say(event_box& box) = 0;
};

/// Of a supervised handler.
struct handler_bond {
  pid owner{};               // who supervises it; none: nobody
  bool linked_here = false;  // to the owner, because of this handler
};

/// How one handler is put in the place of another.
struct handler_swap {
  handler_maker& maker;
  handler_farewell* farewell = nullptr;
  pid owner{};  // of the new one; none: who supervised the old one
};

/// A handler without its type. Threads: the manager's process.
class event_box {
 public:
  event_box(void const* mark, std::string_view name, std::string id)
      : mark_(mark), name_(name), id_(std::move(id)) {}
  virtual ~event_box() = default;

  /// False: it has nothing for that type. Throws what the handler throws.
  virtual bool event(type_descriptor const& type, void* payload, handler_wish& out) = 0;
  virtual bool info(any_message& message, handler_wish& out) = 0;
  /// What it accepts of that name, with another layout; or null.
  virtual type_descriptor const* other_layout(type_descriptor const& type) const noexcept = 0;
  /// Runs terminate() and keeps its result. Throws what it throws.
  virtual void terminate(handler_end const& end) = 0;
  virtual void* object() noexcept = 0;

  [[nodiscard]] bool is(void const* mark, std::string_view id) const noexcept {
    return mark_ == mark && id_ == id;
  }
  [[nodiscard]] void const* mark() const noexcept { return mark_; }
  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  [[nodiscard]] std::string const& id() const noexcept { return id_; }

  handler_bond bond{};
  part_use use{};  // of the module that its class is of

 private:
  void const* mark_;
  std::string_view name_;  // constant: of its class
  std::string id_;
};

/// The answer to a job.
struct event_answer {
  any_message value{};
  exit_reason failed{};
  bool done = true;
};

/// Something to be done with the handlers, made where the caller is.
struct event_job {
  virtual ~event_job() = default;
  virtual void run(event_manager& manager, event_answer& answer) = 0;
};
struct event_request {
  using reply = event_answer;
  std::unique_ptr<event_job> job;
};
struct event_notice {
  any_message event;
};

/// Ownership: of its handlers. Threads: its own process.
class event_manager : public gen_server<event_manager> {
 public:
  using accepts = otter::accepts<event_request, event_notice>;

  event_manager();

  outcome handle_cast(event_notice notice);
  call_outcome<event_answer> handle_call(event_request request);
  outcome handle_info(exited end);
  outcome handle_info(any_message& message);
  void terminate(exit_reason const& reason);
  std::string format_status() const;
  void* find_object(void const* mark) noexcept;
  /// The handlers of that module go on in another version, all or none; the others stay (GE-13).
  void change_parts(code_change_request& wanted);

  // --- for jobs ---
  event_box* find(void const* mark, std::string_view id) noexcept;
  /// In front of the others. `owner`: whose end takes it away; none: nobody's. Throws: error(undef)
  /// if its module was purged.
  void add(event_box_ptr box, pid owner);
  void notify(type_descriptor const& type, void* payload);
  /// Runs its terminate(), tells the owner, and takes it out. Null if terminate() threw: reported.
  event_box_ptr take_out(event_box& box, handler_end const& end,
                         handler_farewell* farewell = nullptr);
  /// Takes `old` out, if there is one, and puts what is made in front. Throws what making it
  /// throws; then the old one is gone all the same.
  void swap(event_box* old, handler_swap const& how);
  /// Does what a handler wants.
  void obey(event_box& box, handler_wish& wish);
  /// A handler has thrown; called from a catch block.
  exit_reason drop_failed(event_box& box);
  [[nodiscard]] std::vector<handler_info> list() const;

 private:
  outcome goes_on();
  void event_of_other_layout(event_box& box, type_descriptor const& type, void* payload,
                             handler_wish& wish);
  bool info_of_other_layout(event_box& box, any_message& message, handler_wish& wish);
  /// Of a handler that is taken out. Without an owner: nothing.
  void tell_owner(handler_bond bond, handler_exited const& what);
  void bind(event_box& box, pid owner);

  std::list<event_box_ptr> handlers_;  // the latest added first
  std::string_view last_message_{};    // for reports: the type of what is handled
  bool hibernate_ = false;
};

}  // namespace detail
}  // namespace otter
