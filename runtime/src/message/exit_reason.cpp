// Exit reasons: their one-block details, equality and text. How exceptions become reasons is in
// exit_from_exception.cpp.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <otter/exit_reason.hpp>

#include "message/exit_detail.hpp"

namespace otter {
namespace {

using detail::exit_detail;

constexpr std::array<std::string_view, 18> kind_names{
    "normal",           "shutdown",  "shutdown",     "kill",         "killed", "noproc",
    "noconnection",     "timeout",   "mailbox_full", "calling_self", "busy",   "system_limit",
    "bad_return_value", "abandoned", "error",        "nocatch",      "user",   "call_failed"};
static_assert(kind_names.size() == static_cast<std::size_t>(exit_kind::call_failed) + 1);

void print(text_sink& out, const exit_reason& reason) {
  const std::string_view text = reason.text();
  switch (reason.kind()) {
    case exit_kind::call_failed:
      print(out, reason.cause());  // no deeper than max_depth
      out.put(" in call to ");
      out.put(text);
      return;
    case exit_kind::error:
      out.put(reason.type_name().empty() ? to_string(exit_kind::error) : reason.type_name());
      out.put("(\"");
      out.put(text);
      out.put("\")");
      if (!reason.place().empty()) {
        out.put(" at ");
        out.put(reason.place());
      }
      return;
    case exit_kind::user:
      if (!rts::print_payload(out, reason)) out.put(text);
      return;
    default:
      break;
  }
  out.put(to_string(reason.kind()));
  if (reason.kind() == exit_kind::shutdown_with || !text.empty()) {
    out.put("(");
    if (!rts::print_payload(out, reason)) out.put(text);
    out.put(")");
  }
}

}  // namespace

std::string_view to_string(exit_kind kind) noexcept {
  return kind_names[static_cast<std::size_t>(kind)];
}

exit_reason exit_reason::with_text(exit_kind kind, std::string_view text) noexcept {
  return {kind, exit_detail::make({.text = text})};
}

exit_reason exit_reason::with_moved(exit_kind kind, const type_descriptor& type, void* payload) {
  return {kind, exit_detail::make({.type = type.name, .payload_type = &type, .payload = payload})};
}

exit_reason exit_reason::error(std::string_view type, std::string_view text,
                               std::string_view place) noexcept {
  return {exit_kind::error, exit_detail::make({.type = type, .text = text, .place = place})};
}

exit_reason exit_reason::call_failed(exit_reason why, std::string_view called) noexcept {
  if (why.detail_ != nullptr && why.detail_->depth >= max_depth) {
    // A chain of calls through many servers: keep the first cause's kind, drop the steps between.
    const exit_reason* first = &why;
    while (&first->cause() != first) first = &first->cause();
    exit_reason shortened = *first;
    why = std::move(shortened);
  }
  return {exit_kind::call_failed, exit_detail::make({.text = called, .cause = &why})};
}

exit_reason exit_reason::without_payload() const noexcept {
  if (kind_ == exit_kind::call_failed) return call_failed(cause().without_payload(), text());
  if (payload_type() == nullptr) return *this;
  try {
    text_sink out{max_text};
    rts::print_payload(out, *this);
    return {kind_, exit_detail::make({.type = type_name(), .text = out.text()})};
  } catch (...) {
    return {kind_, exit_detail::undescribed()};
  }
}

std::string_view exit_reason::text() const noexcept {
  return detail_ != nullptr ? detail_->text : std::string_view{};
}

std::string_view exit_reason::type_name() const noexcept {
  return detail_ != nullptr ? detail_->type : std::string_view{};
}

const exit_reason& exit_reason::cause() const noexcept {
  return kind_ == exit_kind::call_failed && detail_ != nullptr && detail_->depth > 0
             ? detail_->cause
             : *this;
}

std::string_view exit_reason::place() const noexcept {
  return detail_ != nullptr ? detail_->place : std::string_view{};
}

std::span<void* const> exit_reason::backtrace() const noexcept {
  return detail_ != nullptr ? detail_->backtrace : std::span<void* const>{};
}

const type_descriptor* exit_reason::payload_type() const noexcept {
  return detail_ != nullptr ? detail_->payload_type : nullptr;
}

const void* exit_reason::payload() const noexcept {
  return detail_ != nullptr ? detail_->payload : nullptr;
}

void exit_reason::retain(exit_detail* detail) noexcept { detail->retain(); }
void exit_reason::release(exit_detail* detail) noexcept { detail->release(); }

bool exit_reason::equal(const exit_reason& a, const exit_reason& b) noexcept {
  if (a.kind_ != b.kind_ || a.type_name() != b.type_name() || a.text() != b.text()) return false;
  const type_descriptor* type = a.payload_type();
  const type_descriptor* other = b.payload_type();
  if ((type == nullptr) != (other == nullptr)) return false;
  if (type != nullptr) {
    if (!same_type(*type, *other)) return false;
    try {
      if (!type->equal(a.payload(), b.payload())) return false;
    } catch (...) {
      return false;  // a comparison that fails has not shown the two to be equal
    }
  }
  // No deeper than max_depth.
  return a.kind_ != exit_kind::call_failed || &a.cause() == &a || &b.cause() == &b ||
         a.cause() == b.cause();
}

std::string to_string(const exit_reason& reason) {
  text_sink out{2 * exit_reason::max_text};
  print(out, reason);
  return std::move(out).take();
}

}  // namespace otter
