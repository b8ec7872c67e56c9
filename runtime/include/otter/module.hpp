#pragma once

// otter/module.hpp - what a module offers to the program that loads it.
//
//   OTTER_MODULE(entries...)       once in each module, outside of any namespace
//   otter::code::function<&f>()    an entry: f under a name, for code::latest (otter/code.hpp)
//   otter::code::on_load<&f>()     f runs when the module is loaded, and may refuse
//
//     static int twice(int n) { return 2 * n; }
//     OTTER_MODULE(otter::code::function<&twice>("twice"))
//
//     otter_add_module(sums VERSION 1 SOURCES sums.cpp)      # CMake: makes sums-1.so
//
// Name and version are said there and nowhere else. See runtime/doc/code_loading.md.

#include <new>
#include <otter/detail/module_table.hpp>
#include <otter/detail/throw_probe.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/type_descriptor.hpp>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace otter {

namespace detail {

template <auto Function, class Type>
struct module_thunk;

/// The border of a module: nothing but a plain reason is thrown across it.
template <auto Function, class Result, class... Args>
struct module_thunk<Function, Result (*)(Args...)> {
  using arguments = std::tuple<std::decay_t<Args>...>;
  static_assert(!std::is_reference_v<Result>, "otter: a function of a module returns a value");
  static_assert(
      ((!std::is_lvalue_reference_v<Args> || std::is_const_v<std::remove_reference_t<Args>>)&&...),
      "otter: a function of a module takes its arguments by value or const&: the caller's "
      "are moved to it");

  static module_call_end run(void* given, void* result, exit_reason& why) {
    try {
      auto& tuple = *static_cast<arguments*>(given);
      if constexpr (std::is_void_v<Result>)
        std::apply(Function, std::move(tuple));
      else
        ::new (result) Result(std::apply(Function, std::move(tuple)));
      return module_call_end::returned;
    } catch (process_exit const& e) {
      why = e.reason();
      return module_call_end::exited;
    } catch (unwinding const&) {
      throw;
    } catch (throw_probe const&) {
      // never: it notes where what comes below was thrown
    } catch (...) {
      why = exit_reason::from_current_exception({}, thrown_at());
    }
    return module_call_end::crashed;
  }

  static constexpr type_descriptor const* result_type() noexcept {
    if constexpr (std::is_void_v<Result>)
      return nullptr;
    else
      return &descriptor_of<Result>();
  }
};

template <auto Function, class Result, class... Args>
struct module_thunk<Function, Result (*)(Args...) noexcept>
    : module_thunk<Function, Result (*)(Args...)> {};

}  // namespace detail

namespace code {

/// The function `Function` under `name`, a literal. It is called with the arguments' own types: a
/// caller that means others is told so.
template <auto Function>
constexpr detail::module_entry function(std::string_view name) noexcept {
  using thunk = detail::module_thunk<Function, decltype(Function)>;
  return {name, detail::module_entry::kind::function, &descriptor_of<typename thunk::arguments>(),
          thunk::result_type(), &thunk::run};
}

/// Runs in a process of its own when the module has been loaded, before anybody can call it. If it
/// returns false, throws or exits, the module is not loaded (CL-7). The load waits for it: so it
/// must not load, purge or delete modules itself.
template <auto Function>
constexpr detail::module_entry on_load() noexcept {
  using thunk = detail::module_thunk<Function, decltype(Function)>;
  using result = decltype(Function());
  static_assert(std::is_void_v<result> || std::is_same_v<result, bool>,
                "otter: on_load takes nothing and returns bool or void");
  return {"on_load", detail::module_entry::kind::on_load,
          &descriptor_of<typename thunk::arguments>(), thunk::result_type(), &thunk::run};
}

}  // namespace code
}  // namespace otter

#define OTTER_MODULE(...)                                                                    \
  namespace {                                                                                \
  constexpr ::otter::detail::module_entry otter_module_entries[] = {__VA_ARGS__};            \
  }                                                                                          \
  extern "C"                                                                                 \
      [[gnu::visibility("default")]] const ::otter::detail::module_table otter_module_table; \
  const ::otter::detail::module_table otter_module_table = {                                 \
      .count = sizeof otter_module_entries / sizeof *otter_module_entries,                   \
      .entries = otter_module_entries,                                                       \
      .description = otter_module_description,                                               \
      .runtime = &otter_one_runtime};                                                        \
  static_assert(true, "a semicolon may follow")
