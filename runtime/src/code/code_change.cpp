// A process that goes on with a body of another version.

#include <fmt/format.h>

#include <optional>
#include <otter/detail/code_change.hpp>
#include <otter/error.hpp>

#include "code/code_table.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter::detail {

namespace {

rts::code_table& table_of(rts::here const& at) {
  auto* const modules = static_cast<rts::code_table*>(at.system->code().get());
  if (modules == nullptr) throw error(errc::undef, "no module is loaded");
  return *modules;
}

}  // namespace

module_class class_of_body(std::string_view name) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  auto const at = rts::here::in_process(entry);
  return table_of(at).class_of(*at.self->body(), name);
}

module_class current_class(std::string_view module, std::string_view name) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  return table_of(rts::here::in_process(entry)).current_class(module, name);
}

module_class prepared_class(code::prepared const& set, std::string_view module,
                            std::string_view name) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  return table_of(rts::here::in_process(entry))
      .prepared_class(rts::prepared_access::number(set), module, name);
}

std::optional<module_class> class_of_part(void const* code, std::string_view name) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  auto const at = rts::here::in_process(entry);
  auto* const modules = static_cast<rts::code_table*>(at.system->code().get());
  if (modules == nullptr) return std::nullopt;
  return modules->class_at(code, name);
}

part_use::part_use(void const* code) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  auto const at = rts::here::in_process(entry);
  auto* const modules = static_cast<rts::code_table*>(at.system->code().get());
  if (modules == nullptr) return;
  who_ = at.self->self_pid();
  version_ = modules->enter_part(who_, code);
  if (version_ != nullptr) table_ = modules;
}

/// The table lives as long as the node, and so longer than what its processes have.
part_use::~part_use() {
  if (table_ == nullptr) return;
  rts::runtime_entry entry;
  static_cast<rts::code_table*>(table_)->leave_part(
      who_, static_cast<rts::module_version const*>(version_));
}

retired_body replace_body(reactive_ptr next) {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  auto const at = rts::here::in_process(entry);
  return retired_body(at.self->replace_body(std::move(next)));
}

retired_body::~retired_body() {
  if (body_ == nullptr) return;
  // What it owns is a user's, as at the end of a process.
  std::optional<rts::user_code> border;
  if (rts::current_worker() != nullptr) border.emplace();
  body_.reset();
}

}  // namespace otter::detail
