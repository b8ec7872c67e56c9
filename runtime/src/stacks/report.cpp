#include "stacks/report.hpp"

#include <execinfo.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iterator>

#include "stacks/guard.hpp"

namespace otter::rts {
namespace {

using describer_function = void (*)(stack const&, char*, std::size_t) noexcept;

// relaxed is enough: a function's code does not change, and nothing else is published with it.
std::atomic<describer_function> current_describer{nullptr};
static_assert(std::atomic<describer_function>::is_always_lock_free, "read in signal handlers");

}  // namespace

report_line& report_line::add(char const* text) noexcept {
  while (*text != '\0' && used_ < room) text_[used_++] = *text++;
  text_[used_] = '\0';
  return *this;
}

report_line& report_line::number(std::uint64_t value) noexcept {
  char digits[21];
  char* at = digits + sizeof digits;
  *--at = '\0';
  do {
    *--at = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return add(at);
}

report_line& report_line::address(void const* value) noexcept {
  char digits[19];
  char* at = digits + sizeof digits;
  *--at = '\0';
  auto rest = reinterpret_cast<std::uintptr_t>(value);
  do {
    *--at = "0123456789abcdef"[rest % 16];
    rest /= 16;
  } while (rest != 0);
  *--at = 'x';
  *--at = '0';
  return add(at);
}

report_line& report_line::size(std::size_t bytes) noexcept {
  if (bytes != 0 && bytes % 1024 == 0) return number(bytes / 1024).add(" KiB");
  return number(bytes).add(" bytes");
}

report_line& report_line::name(stack const& s) noexcept {
  char words[256] = {};
  if (auto const describer = current_describer.load(std::memory_order_relaxed)) {
    describer(s, words, sizeof words);
    words[sizeof words - 1] = '\0';
  }
  return add(words[0] != '\0' ? words : "an unnamed stack");
}

report_line& report_line::extent(stack const& s) noexcept {
  return size(reserved(s))
      .add(" stack (")
      .add(to_string(s.kind()))
      .add(", ")
      .address(s.low())
      .add("-")
      .address(s.high())
      .add(")");
}

void report_line::write(int descriptor) noexcept {
  text_[used_] = '\n';
  std::size_t written = 0;
  while (written < used_ + 1) {
    ssize_t const n = ::write(descriptor, text_ + written, used_ + 1 - written);
    if (n <= 0) break;  // nobody is left to be told
    written += static_cast<std::size_t>(n);
  }
  text_[used_] = '\0';
}

void set_describer(describer_function describer) noexcept {
  current_describer.store(describer, std::memory_order_relaxed);
}

std::size_t reserved(stack const& s) noexcept {
  return s.guard() == guard_kind::none ? s.size() : s.size() + guard_size();
}

void stack_broken(stack const& s, char const* what) noexcept {
  report_line line;
  line.add("otter: ").add(what).add(" ").name(s).add(": ").extent(s).write(2);
  void* frames[48];
  int const depth = ::backtrace(frames, static_cast<int>(std::size(frames)));
  ::backtrace_symbols_fd(frames, depth, 2);
  std::abort();
}

}  // namespace otter::rts
