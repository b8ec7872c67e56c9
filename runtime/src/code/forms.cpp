// How values of one version of a type are found a way to another one.

#include <otter/detail/held_form.hpp>
#include <otter/error.hpp>

#include "code/code_table.hpp"
#include "process/process_system.hpp"

namespace otter {

namespace rts {

namespace {

/// Of the calling process's node; null if nothing was ever loaded there.
code_table* modules_here() {
  runtime_entry entry;
  refuse_abandoned(entry);
  return static_cast<code_table*>(here::in_process(entry).system->code().get());
}

/// Calls `f(form)` for each form of the version until that is true; the form, or null.
template <class F>
detail::type_form const* first_form(module_version const& v, F&& f) {
  detail::module_table const& table = v.code.table();
  for (std::size_t i = 0; i < table.count; ++i)
    for (detail::type_form const& form : table.entries[i].forms)
      if (f(form)) return &form;
  return nullptr;
}

}  // namespace

code_table::found_form code_table::hold_form(type_descriptor const& type) {
  std::lock_guard lock(mutex_);
  const auto is_it = [&](detail::type_form const& f) { return same_type(*f.type, type); };
  // The newest first: it stays the longest.
  for (auto v = versions_.rbegin(); v != versions_.rend(); ++v) {
    if (detail::type_form const* const form = first_form(**v, is_it)) {
      ++(*v)->conversions;
      (*v)->converted = (*v)->touched = true;
      return {form, v->get()};
    }
  }
  for (auto const& forms : of_program_)
    for (detail::type_form const& f : forms)
      if (is_it(f)) return {&f, nullptr};
  return {};
}

void code_table::let_go(module_version& version) noexcept {
  std::lock_guard lock(mutex_);
  --version.conversions;
  version.converted = true;
}

bool code_table::answers_of_one_name(type_descriptor const& a, type_descriptor const& b) {
  std::lock_guard lock(mutex_);
  const auto any_form = [&](auto&& f) {
    for (auto const& v : versions_)
      if (first_form(*v, f) != nullptr) return true;
    for (auto const& forms : of_program_)
      for (detail::type_form const& form : forms)
        if (f(form)) return true;
    return false;
  };
  return any_form([&](detail::type_form const& one) {
    return one.asked_by != nullptr && same_type(*one.type, a) &&
           any_form([&](detail::type_form const& other) {
             return other.asked_by != nullptr && other.asked_by->name == one.asked_by->name &&
                    same_type(*other.type, b) &&
                    linkage_of(*one.asked_by) == type_linkage::external &&
                    linkage_of(*other.asked_by) == type_linkage::external;
           });
  });
}

void code_table::add_forms(std::span<detail::type_form const> forms) {
  std::lock_guard lock(mutex_);
  for (auto const& v : versions_)
    if (v->code.contains(forms.data()))
      throw error(errc::badarg, "the messages of a module are listed in its OTTER_MODULE");
  for (auto const& known : of_program_)
    if (known.data() == forms.data()) return;
  of_program_.push_back(forms);
}

}  // namespace rts

namespace detail {

held_form::held_form(type_descriptor const& type) {
  rts::code_table* const modules = rts::modules_here();
  if (modules == nullptr) return;
  rts::code_table::found_form const found = modules->hold_form(type);
  form_ = found.form;
  version_ = found.version;
}

held_form::~held_form() {
  if (version_ == nullptr) return;
  // The frames of a process that was given up stay where they are, and its node may have ended.
  rts::runtime_entry entry;
  if (entry.refused()) return;
  static_cast<rts::code_table*>(rts::here::now(entry).system->code().get())
      ->let_go(*static_cast<rts::module_version*>(version_));
}

bool answers_of_one_name(type_descriptor const& a, type_descriptor const& b) {
  rts::code_table* const modules = rts::modules_here();
  return modules != nullptr && modules->answers_of_one_name(a, b);
}

void add_forms(std::span<type_form const> forms) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  auto& modules =
      rts::here::in_process(entry).system->code().make([]() -> std::unique_ptr<rts::code_watch> {
        return std::make_unique<rts::code_table>(*rts::here::now().system);
      });
  static_cast<rts::code_table&>(modules).add_forms(forms);
}

}  // namespace detail
}  // namespace otter
