#pragma once

// otter/detail/startable.hpp - how an object of a behaviour is started, whatever the behaviour.
//
//   otter::detail::startable     start(), start_link(), start_monitor(): a base of each behaviour
//   otter::detail::late_object   an object that is constructed in its own process, and until then
//                                the arguments for it, in the same memory

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <otter/detail/behaviour_core.hpp>
#include <otter/detail/system_messages.hpp>
#include <otter/proc_lib.hpp>
#include <otter/start.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace otter::detail {

/// The arguments of a start without options.
template <class... Args>
inline constexpr bool begins_with_options = false;
template <class First, class... Rest>
inline constexpr bool begins_with_options<First, Rest...> =
    std::is_same_v<std::remove_cvref_t<First>, start_options>;

/// `Body<Object, Args...>` is the process body; it is made of (origin, arguments...).
template <class Object, template <class, class...> class Body>
class startable {
 public:
  /// Starts a process with an `Object`; its constructor gets `args`, there. Returns when it is
  /// ready to serve, or has failed.
  ///
  /// Called from: a process, or an attached thread. Blocks: until then. Exits: may.
  /// Throws: error(badarg) for a name that is not allowed; error(system_limit); std::bad_alloc.
  template <class... Args>
  requires(!begins_with_options<Args...>) static start_result<Object> start(Args&&... args) {
    return start(start_options{}, std::forward<Args>(args)...);
  }
  template <class... Args>
  static start_result<Object> start(start_options const& options, Args&&... args) {
    starter s(options, start_mode::alone);
    return run(s, std::forward<Args>(args)...);
  }

  /// The same, linked to the caller, whose exit ends it.
  template <class... Args>
  requires(!begins_with_options<Args...>) static start_result<Object> start_link(Args&&... args) {
    return start_link(start_options{}, std::forward<Args>(args)...);
  }
  template <class... Args>
  static start_result<Object> start_link(start_options const& options, Args&&... args) {
    starter s(options, start_mode::link);
    return run(s, std::forward<Args>(args)...);
  }

  /// The same, not linked but monitored by the caller.
  template <class... Args>
  requires(!begins_with_options<Args...>) static monitored_start<Object> start_monitor(
      Args&&... args) {
    return start_monitor(start_options{}, std::forward<Args>(args)...);
  }
  template <class... Args>
  static monitored_start<Object> start_monitor(start_options const& options, Args&&... args) {
    starter s(options, start_mode::monitor);
    auto object = run(s, std::forward<Args>(args)...);
    return {std::move(object), s.monitor()};
  }

  /// For a function that proc_lib started, and that returns what this gives: its process goes on as
  /// an `Object`, which is constructed of `args`; init() is not called. `options` say nothing, or
  /// the name that the process has, and hibernate_after.
  ///
  /// Called from: such a function. Blocks: never.
  /// Throws: process_exit: process_was_not_started_by_proc_lib, process_not_registered (GS-33).
  template <class... Args>
  requires(!begins_with_options<Args...>) static becoming enter_loop(Args&&... args) {
    return enter_loop(start_options{}, std::forward<Args>(args)...);
  }
  template <class... Args>
  static becoming enter_loop(start_options const& options, Args&&... args) {
    return becoming(make_reactive<Body<Object, std::decay_t<Args>...>>(
        origin_of_becoming(options), std::forward<Args>(args)...));
  }

 private:
  template <class... Args>
  static start_result<Object> run(starter& s, Args&&... args) {
    static_assert(std::is_base_of_v<startable, Object>,
                  "otter: derive as `class counter : public otter::gen_server<counter>`");
    static_assert(std::is_constructible_v<Object, std::decay_t<Args>...>,
                  "otter: the class has no public constructor for these arguments");
    if (!s.name_is_free()) return tl::unexpected<start_error>(s.taken());
    auto started = s.run(
        make_reactive<Body<Object, std::decay_t<Args>...>>(s.begin(), std::forward<Args>(args)...));
    if (!started) return tl::unexpected<start_error>(std::move(started.error()));
    return server_ref<Object>(*started);
  }
};

/// How far it has come is known to the body that holds it, which has a byte to spare; it is passed
/// to each function, and to end() in the body's destructor.
///
/// Ownership: of the arguments, then of the object. Threads: made where the process is started,
/// then its own process.
template <class Object, class... Args>
class late_object {
 public:
  template <class... A>
  explicit late_object(alias_ref const& starter, A&&... args) {
    ::new (static_cast<void*>(memory_)) beginning{number_of(starter), {std::forward<A>(args)...}};
  }
  late_object(late_object const&) = delete;
  late_object& operator=(late_object const&) = delete;
  ~late_object() = default;

  void end(object_stage stage) noexcept {
    if (stage == object_stage::beginning) std::destroy_at(before());
    if (stage == object_stage::constructed) std::destroy_at(get(stage));
  }

  /// Calls `f(construct)`; construct() makes the object. Returns the address for the starter.
  template <class F>
  alias_ref begin(object_stage& stage, F&& f) {
    beginning b(std::move(*before()));
    std::destroy_at(before());
    stage = object_stage::nothing;
    f([&] {
      std::apply([&](auto&&... args) { ::new (memory_) Object(std::move(args)...); }, b.args);
      stage = object_stage::constructed;
    });
    return alias_of_spawner(b.starter);
  }
  /// Null before it is constructed.
  Object* get(object_stage stage) const noexcept {
    if (stage != object_stage::constructed) return nullptr;
    return std::launder(reinterpret_cast<Object*>(const_cast<std::byte*>(memory_)));
  }

 private:
  struct beginning {
    std::uint64_t starter;  // the number of the alias that waits for the start_ack
    std::tuple<Args...> args;
  };

  beginning* before() noexcept { return std::launder(reinterpret_cast<beginning*>(memory_)); }

  static constexpr std::size_t larger(std::size_t a, std::size_t b) { return a < b ? b : a; }

  alignas(larger(alignof(Object),
                 alignof(beginning))) std::byte memory_[larger(sizeof(Object), sizeof(beginning))];
};

}  // namespace otter::detail
