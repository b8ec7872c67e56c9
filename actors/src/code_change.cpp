// Bringing a behaviour's process to another version of its class.

#include <fmt/format.h>

#include <otter/detail/behaviour_core.hpp>
#include <otter/detail/code_change.hpp>
#include <otter/detail/misfit.hpp>
#include <otter/detail/succession.hpp>
#include <otter/detail/system_message.hpp>
#include <otter/exit.hpp>
#include <utility>

#include "report.hpp"

namespace otter::detail {

void refuse_change(std::string_view text) {
  throw process_exit(exit_reason::error("code_change", text));
}

void refuse_unsuspended(std::string_view server, std::string_view module) {
  throw process_exit(exit_reason::error(
      "unknown_system_msg",
      fmt::format("{} is asked to change to module {}, and is not suspended", server, module)));
}

module_class class_to_go_to(code_change_request const& wanted, std::string_view name) {
  return wanted.of ? prepared_class(*wanted.of, wanted.module, name)
                   : current_class(wanted.module, name);
}

std::unique_ptr<successor> prepare_succession(change_class const& old, change_class const& now,
                                              void* object, succession& plan) {
  std::unique_ptr<successor> next;
  exit_reason why;
  if (!old.describe(object, plan, why) || !now.succeed(plan, next, why))
    throw process_exit(std::move(why));
  return next;
}

void succession::refuse(state_field const& field, std::string_view wanted,
                        misfit const& why) const {
  refuse_change(fmt::format(
      "from version {} to {}: the field \"{}\" is a {}, and its value does not fit into a "
      "{} ({}); let code_change() bring it there",
      from_version, to_version, field.name, field.type->name, wanted, why.text()));
}

void succession::refuse_state() const {
  refuse_change(
      fmt::format("from version {} to {}: it is in the state {}, which is not one any more; "
                  "let code_change() say in which it goes on",
                  from_version, to_version, state.name));
}

void behaviour_core::inherit(behaviour_core& before) noexcept {
  take_family_of(before);
  follows_parent_ = before.follows_parent_;
  entered_ = before.entered_;
  suspended_ = before.suspended_;
  hibernates_ = before.hibernates_;
  rare_ = std::move(before.rare_);
  take_over(before);
}

/// Everything that can fail comes first, in the two modules and here; then the bodies change
/// places, and what is left are moves.
void behaviour_core::change_code(code_change_request& wanted, retired_body& before) {
  std::string const& module = wanted.module;
  if (!suspended_ && !wanted.check) refuse_unsuspended(self_text(), module);
  if (type().change_parts != nullptr) return type().change_parts(object(), wanted);
  check_changeable();
  module_class const from = class_of_body(type().name);
  module_class const to = class_to_go_to(wanted, type().name);
  auto const& old = *static_cast<change_class const*>(from.behaviour);
  auto const& now = *static_cast<change_class const*>(to.behaviour);
  if (from.module != module || old.kind != now.kind)
    refuse_change(fmt::format("{} is a {} of module {}, and not a {} of {}", type().name, old.kind,
                              from.module, now.kind, module));
  succession plan(wanted.extra, from.version, to.version);
  std::unique_ptr<successor> const next = prepare_succession(old, now, object(), plan);
  if (wanted.check) return;  // what was made for it goes, and nothing has moved
  before = replace_body(std::move(next->next));
  next->core->inherit(*this);
  plan.move_all();
  next->finish();
}

}  // namespace otter::detail
