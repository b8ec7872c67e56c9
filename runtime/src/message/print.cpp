// Bounded text.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <ostream>
#include <otter/print.hpp>
#include <streambuf>

namespace otter {
namespace {

constexpr std::string_view cut_mark = "...";

/// A stream's way into a sink: no buffer, since the sink has one.
class sink_buffer : public std::streambuf {
 public:
  explicit sink_buffer(text_sink& out) : out_{out} {}

 protected:
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    const char text = traits_type::to_char_type(c);
    out_.put({&text, 1});
    return c;
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    out_.put({text, static_cast<std::size_t>(size)});
    return size;
  }

 private:
  text_sink& out_;
};

}  // namespace

void text_sink::put(std::string_view text) {
  if (full_) return;
  const std::size_t room = limit_ - text_.size();
  if (text.size() <= room) {
    text_ += text;
    return;
  }
  full_ = true;
  text_ += text.substr(0, room);
  if (limit_ < cut_mark.size()) return;
  // Make room for the mark, at the border of a UTF-8 character.
  std::size_t size = limit_ - cut_mark.size();
  while (size > 0 && (static_cast<unsigned char>(text_[size]) & 0xc0) == 0x80) --size;
  text_.resize(size);
  text_ += cut_mark;
}

void text_sink::put_quoted(std::string_view text) {
  put("\"");
  while (!text.empty() && !full_) {
    const auto needs_escape = [](char c) {
      return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    const auto plain = static_cast<std::size_t>(
        std::find_if(text.begin(), text.end(), needs_escape) - text.begin());
    put(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    switch (const char c = text.front()) {
      case '"':
        put("\\\"");
        break;
      case '\\':
        put("\\\\");
        break;
      case '\n':
        put("\\n");
        break;
      case '\r':
        put("\\r");
        break;
      case '\t':
        put("\\t");
        break;
      default: {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto code = static_cast<unsigned char>(c);
        const char escape[] = {'\\', 'x', digits[code >> 4], digits[code & 0xf]};
        put({escape, sizeof escape});
      }
    }
    text.remove_prefix(1);
  }
  put("\"");
}

void text_sink::vformat(fmt::string_view format, fmt::format_args arguments) {
  if (full_) return;
  // One character more than fits, so that put() sees the overflow.
  std::string piece;
  fmt::vformat_to_n(std::back_inserter(piece), limit_ - text_.size() + 1, format, arguments);
  put(piece);
}

void text_sink::stream(void (*print)(std::ostream&, const void*), const void* value) {
  if (full_) return;
  sink_buffer buffer{*this};
  std::ostream out{&buffer};
  out.exceptions(std::ios::badbit);  // so that running out of memory is not lost
  print(out, value);
}

std::string_view detail::unit_of(std::intmax_t num, std::intmax_t den) noexcept {
  struct unit {
    std::intmax_t num, den;
    std::string_view name;
  };
  constexpr unit units[] = {
      {1, 1'000'000'000, "ns"}, {1, 1'000'000, "us"}, {1, 1'000, "ms"}, {1, 1, "s"},
      {60, 1, "min"},           {3'600, 1, "h"},      {86'400, 1, "d"}};
  for (const unit& u : units) {
    if (u.num == num && u.den == den) return u.name;
  }
  return {};
}

}  // namespace otter
