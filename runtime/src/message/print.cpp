// Bounded text.

#include <algorithm>
#include <iterator>
#include <otter/print.hpp>

namespace otter {

void text_sink::put(std::string_view text) {
  if (full_) return;
  const std::size_t room = limit_ - text_.size();
  if (text.size() <= room) {
    text_ += text;
    return;
  }
  full_ = true;
  text_ += text.substr(0, room);
  if (limit_ < 3) return;
  // Make room for the mark, at the border of a UTF-8 character.
  std::size_t size = limit_ - 3;
  while (size > 0 && (static_cast<unsigned char>(text_[size]) & 0xc0) == 0x80) --size;
  text_.resize(size);
  text_ += "...";
}

void text_sink::vformat(fmt::string_view format, fmt::format_args arguments) {
  if (full_) return;
  // One character more than fits, so that put() sees the overflow.
  std::string piece;
  fmt::vformat_to_n(std::back_inserter(piece), limit_ - text_.size() + 1, format, arguments);
  put(piece);
}

}  // namespace otter
