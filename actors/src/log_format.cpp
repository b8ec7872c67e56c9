// An event as text: for people, and as JSON.

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <otter/log_handler.hpp>
#include <otter/print.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "log_core.hpp"

namespace otter {

namespace logger {
namespace {

constexpr std::array<std::string_view, 8> level_names = {
    "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"};

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// `text` with control characters escaped; where line feeds are kept, what follows is indented.
enum class line_feeds : bool { escape, indent };
void put_plain(std::string& out, std::string_view text, line_feeds feeds) {
  for (char const c : text) {
    if (c == '\n' && feeds == line_feeds::indent)
      out += "\n    ";
    else if (c == '\n')
      out += "\\n";
    else if (is_control(c))
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
}

/// A value in a line of others: in quotation marks if it could be taken for more than one.
void put_word(std::string& out, value const& v) {
  std::string const text = to_string(v);
  bool const plain = !text.empty() && text.find_first_of(" =\"\\") == std::string::npos &&
                     std::none_of(text.begin(), text.end(), is_control);
  if (plain) {
    out += text;
    return;
  }
  text_sink quoted(2 * max_text + 2);
  quoted.put_quoted(text);
  out += quoted.text();
}

void put_fields(std::string& out, event const& e) {
  for (named_value const& f : e.fields) {
    if (e.is_report) {
      out += "\n  ";
      for (char const c : f.name) out += c == '_' ? ' ' : c;
      out += ": ";
      put_plain(out, to_string(f.what), line_feeds::indent);
    } else {
      out += ' ';
      put_plain(out, f.name, line_feeds::escape);
      out += '=';
      put_word(out, f.what);
    }
  }
}

/// 2026-11-28T09:30:29.123Z
std::string time_text(system_time_point time) {
  namespace c = std::chrono;
  auto const days = c::floor<c::days>(time);
  c::year_month_day const date(c::sys_days(days.time_since_epoch()));
  auto const ms = c::floor<c::milliseconds>(time - days).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

// --- JSON ---

/// The length of the UTF-8 character at the beginning of `text`; 0 if there is none.
std::size_t character(std::string_view text) noexcept {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto const follows = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  unsigned const first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    if (!follows(1) || !follows(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;   // longer than needed
    if (first == 0xed && byte(1) >= 0xa0) return 0;  // half of a surrogate pair
    return 3;
  }
  if (first >= 0xf0 && first < 0xf5) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
    return 4;
  }
  return 0;
}

void put_json(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t const size = character(text);
    char const c = text.front();
    if (size == 0)
      out += "\\ufffd";
    else if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c == '\n')
      out += "\\n";
    else if (is_control(c))
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out += '"';
}

void put_json(std::string& out, value const& v) {
  auto const* text = std::get_if<std::string>(&v);
  auto const* number = std::get_if<double>(&v);
  if (text != nullptr)
    put_json(out, std::string_view(*text));
  else if (number != nullptr && !std::isfinite(*number))
    put_json(out, std::string_view(to_string(v)));  // JSON has no such numbers
  else
    out += to_string(v);
}

void put_json_member(std::string& out, std::string_view name, std::string_view text) {
  out += out.back() == '{' ? "" : ",";
  put_json(out, name);
  out += ':';
  put_json(out, text);
}

std::string json_line(event const& e) {
  std::string out = "{";
  put_json_member(out, "time", time_text(e.time));
  put_json_member(out, "level", to_string(e.level));
  put_json_member(out, "module", e.module);
  if (e.process) put_json_member(out, "process", to_string(e.process));
  put_json_member(out, "text", e.text);
  if (!e.file.empty()) {
    put_json_member(out, "file", e.file);
    out += fmt::format(",\"line\":{}", e.line);
  }
  out += ",\"fields\":{";
  for (named_value const& f : e.fields) {
    out += out.back() == '{' ? "" : ",";
    put_json(out, std::string_view(f.name));
    out += ':';
    put_json(out, f.what);
  }
  out += "}}";
  return out;
}

std::string text_line(event const& e, text_options const& options) {
  std::string out;
  if (options.time) out = time_text(e.time) + ' ';
  out += to_string(e.level);
  if (options.process && e.process) out += fmt::format(" {}", e.process);
  out += ' ';
  put_plain(out, e.module, line_feeds::escape);
  if (options.place && !e.file.empty()) out += fmt::format(" {}:{}", e.file, e.line);
  out += ": ";
  put_plain(out, e.text, line_feeds::escape);
  put_fields(out, e);
  return out;
}

}  // namespace

std::string_view to_string(level at) noexcept {
  auto const i = static_cast<std::size_t>(at);
  return i < level_names.size() ? level_names[i] : "?";
}

std::optional<level> level_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i != level_names.size(); ++i)
    if (level_names[i] == name) return static_cast<level>(i);
  return std::nullopt;
}

std::string to_string(value const& v) {
  return std::visit(
      [](auto const& held) -> std::string {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(held)>, std::string>)
          return held;
        else
          return fmt::format("{}", held);
      },
      v);
}

formatter text_format(text_options options) {
  return [options](event const& e) { return text_line(e, options); };
}
formatter json_format() { return json_line; }

}  // namespace logger

std::string detail::log_event_text(logger::event const& e) {
  std::string out;
  logger::put_plain(out, e.text, logger::line_feeds::escape);
  logger::put_fields(out, e);
  return out;
}

}  // namespace otter
