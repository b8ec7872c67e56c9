// process/dictionary.cpp - values that belong to a process (P-21). A value lives in an envelope,
// since that is a block with a type; the process keeps a list of them, newest first: few have more
// than a handful.

#include <optional>
#include <otter/dictionary.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter {
namespace rts {

namespace {

/// The place that points at the value of that type, or at the null at the end.
envelope** find_value(process_extra& extra, type_descriptor const& type) noexcept {
  envelope** place = &extra.values;
  while (*place != nullptr && !same_type(*(*place)->type, type)) place = &(*place)->next;
  return place;
}

envelope* take_value(process_extra& extra, type_descriptor const& type) noexcept {
  envelope** const place = find_value(extra, type);
  envelope* const found = *place;
  if (found != nullptr) *place = found->next;
  return found;
}

}  // namespace

void process::destroy_values() noexcept {
  if (extra_ == nullptr || extra_->values == nullptr) return;
  std::optional<user_code> border;
  if (!attached()) border.emplace();  // an attached thread is always in its own code
  // One by one: the destructor of a value may still look at the others.
  while (envelope* e = extra_->values) {
    extra_->values = e->next;
    detail::delete_envelope(e);
  }
}

}  // namespace rts

namespace detail {

using rts::here;
using rts::process_extra;
using rts::runtime_entry;

envelope_ptr dictionary_put(envelope_ptr value) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  process_extra& extra = here::in_process().self->extra();
  envelope_ptr before(rts::take_value(extra, *value->type));
  value->next = extra.values;
  extra.values = value.release();
  return before;
}

void* dictionary_get(type_descriptor const& type) noexcept {
  runtime_entry entry;
  rts::process* const self = rts::current_process_or_null();
  if (entry.refused() || self == nullptr || self->extra_if_any() == nullptr) return nullptr;
  envelope* const found = *rts::find_value(*self->extra_if_any(), type);
  return found != nullptr ? found->payload() : nullptr;
}

envelope_ptr dictionary_erase(type_descriptor const& type) noexcept {
  runtime_entry entry;
  rts::process* const self = rts::current_process_or_null();
  if (entry.refused() || self == nullptr || self->extra_if_any() == nullptr) return {};
  return envelope_ptr(rts::take_value(*self->extra_if_any(), type));
}

}  // namespace detail
}  // namespace otter
