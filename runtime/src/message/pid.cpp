// Text of pids and refs. The parts that need no allocation are for crash reporters too.

#include <fmt/format.h>

#include <charconv>
#include <otter/pid.hpp>
#include <otter/ref.hpp>

#include "message/pid_access.hpp"

namespace otter {
namespace {

// The buffers that callers bring are long enough for the longest numbers, so to_chars cannot fail.
char* put(char* out, std::uint64_t number) noexcept {
  return std::to_chars(out, out + 20, number).ptr;
}

}  // namespace

std::size_t detail::pid_text(pid process, char* out) noexcept {
  char* end = out;
  *end++ = '<';
  end = put(end, rts::node_of(process));
  *end++ = '.';
  end = put(end, rts::index_of(process));
  *end++ = '.';
  end = put(end, rts::generation_of(process));
  *end++ = '>';
  return static_cast<std::size_t>(end - out);
}

std::size_t detail::ref_text(const ref& name, char* out) noexcept {
  char* end = out;
  *end++ = '#';
  end += pid_text(name.owner(), end);
  *end++ = '.';
  end = put(end, rts::id_of(name));
  return static_cast<std::size_t>(end - out);
}

std::string to_string(pid process) {
  char text[detail::max_pid_text];
  return {text, detail::pid_text(process, text)};
}

std::string to_string(const ref& name) {
  char text[detail::max_ref_text];
  return {text, detail::ref_text(name, text)};
}

std::string to_string(const from& caller) { return to_string(caller.call()); }

}  // namespace otter
