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
