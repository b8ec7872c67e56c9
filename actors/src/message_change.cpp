// Values of another layout: who takes them apart, who puts them together.

#include <fmt/format.h>

#include <otter/detail/call.hpp>
#include <otter/detail/held_form.hpp>
#include <otter/detail/message_change.hpp>
#include <otter/detail/unwinding.hpp>

namespace otter::detail {

namespace {

message_form const* form_in(held_form const& form) noexcept {
  return form ? static_cast<message_form const*>(form->how) : nullptr;
}

/// "shop::order (16 bytes, layout 1f2e, int id, long count)"
std::string layout_text(type_descriptor const& type, message_form const* form) {
  std::string fields;
  if (form != nullptr) form->print_fields(fields);
  return fmt::format("{} ({} bytes, layout {:x}{}{})", type.name, type.size, type.layout,
                     fields.empty() ? "" : ": ", fields);
}

converted_value convert_by(message_form const* old, type_descriptor const& of, void* from,
                           source use, message_form const* now, type_descriptor const& to,
                           signal_kind kind) {
  converted_value result;
  misfit why;
  value_parts parts;
  if (old == nullptr)
    why.of("its layout is listed by no module that is loaded", {}, {}, {});
  else if (now == nullptr)
    why.of("the layout that is wanted is listed by no module that is loaded", {}, {}, {});
  else if (old->take_apart(from, parts, why))
    result.value.reset(now->put_together(parts, use, kind, why));
  if (result.value)
    result.value->type = &to;  // of whoever asked, whoever made it
  else
    result.why = fmt::format("{} does not become {}: {}", layout_text(of, old),
                             layout_text(to, now), why.text());
  return result;
}

}  // namespace

void print_field(std::string& out, std::string_view type, std::string_view name) {
  if (!out.empty()) out += ", ";
  out += type;
  out += ' ';
  out += name;
}

converted_value convert_value(type_descriptor const& of, void* from, source use,
                              type_descriptor const& to, signal_kind kind,
                              message_form const& form) {
  held_form const old(of);
  return convert_by(form_in(old), of, from, use, &form, to, kind);
}

converted_value convert_value(type_descriptor const& of, void* from, source use,
                              type_descriptor const& to, signal_kind kind) {
  held_form const old(of);
  held_form const now(to);
  return convert_by(form_in(old), of, from, use, form_in(now), to, kind);
}

void convert_answer(response& got, type_descriptor const& wanted) {
  try {
    type_descriptor const& given = *got.reply->type;
    // An answer of another name is one of another version only if versions of the request say so.
    // Nothing becomes an answer that says nothing, and the other way round.
    type_descriptor const& nothing = descriptor_of<void_reply>();
    bool const changed = relate(given, wanted) == type_relation::other_layout ||
                         (!same_type(given, nothing) && !same_type(wanted, nothing) &&
                          answers_of_one_name(given, wanted));
    if (changed) {
      converted_value made =
          convert_value(given, got.reply->payload(), source::taken, wanted, signal_kind::reply);
      got.reply = std::move(made.value);
      if (!got.reply) got.why = exit_reason::bad_return_value(made.why);
      return;
    }
    got.why = exit_reason::bad_return_value(given.name);
  } catch (unwinding const&) {
    throw;
  } catch (...) {
    got.why = exit_reason::from_current_exception("answer");
  }
  got.reply.reset();
}

converted_value convert_event(event& e, type_descriptor const& to) {
  signal_kind const kind = e.what() == event::kind::request ? signal_kind::request
                           : e.what() == event::kind::cast  ? signal_kind::cast
                                                            : signal_kind::message;
  converted_value made = convert_value(*e.type(), e.payload(), source::taken, to, kind);
  if (made.value && kind == signal_kind::request)
    static_cast<request_envelope&>(*made.value).caller = e.caller();
  return made;
}

envelope_ptr as_message(event& cast) noexcept {
  static_assert(header_size(signal_kind::cast) == header_size(signal_kind::message));
  envelope_ptr e(cast.release());
  e->kind = signal_kind::message;
  return e;
}

}  // namespace otter::detail
