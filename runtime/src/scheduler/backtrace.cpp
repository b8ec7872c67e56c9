// scheduler/backtrace.cpp - see the header.

#include "scheduler/backtrace.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "base/clock.hpp"
#include "stacks/frame_walk.hpp"

namespace otter::rts {
namespace {

constexpr std::int64_t answer_limit_ns = 20'000'000;

int the_signal() noexcept { return SIGRTMIN + 7; }

/// One capture at a time. The handler writes only if it wins `wanted` for its own thread, so a
/// signal that comes too late changes nothing.
struct exchange_place {
  std::mutex one_at_a_time;
  std::atomic<pid_t> wanted{0};
  std::atomic<bool> done{false};  // [B1] release: the frames are written
  void* frames[captured_backtrace::most];
  std::size_t depth = 0;
};
exchange_place place;
std::atomic<bool> installed{false};

/// Where a call returns to may be the next function's already, if the call never returns.
void* call_before(void* returns_to) noexcept { return static_cast<char*>(returns_to) - 1; }

std::string line_of(void* frame) {
  Dl_info found{};
  if (::dladdr(frame, &found) == 0 || found.dli_fname == nullptr) return "?";
  std::string_view const path = found.dli_fname;
  std::string_view const file = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  if (found.dli_sname == nullptr)
    return fmt::format("{}+{:#x}", file,
                       static_cast<char*>(frame) - static_cast<char*>(found.dli_fbase));
  int status = -1;
  std::unique_ptr<char, void (*)(void*)> const readable(
      abi::__cxa_demangle(found.dli_sname, nullptr, nullptr, &status), &std::free);
  return fmt::format("{} in {}", status == 0 ? readable.get() : found.dli_sname, file);
}

void handler(int) {
  int const saved = errno;
  auto self = static_cast<pid_t>(::syscall(SYS_gettid));
  if (place.wanted.compare_exchange_strong(self, 0, std::memory_order_acquire)) {
    int const n = ::backtrace(place.frames, static_cast<int>(captured_backtrace::most));
    place.depth = static_cast<std::size_t>(std::max(0, n));
    place.done.store(true, std::memory_order_release);  // [B1]
  }
  errno = saved;
}

}  // namespace

void prepare_backtraces() noexcept {
  std::lock_guard lock(place.one_at_a_time);
  if (installed.load(std::memory_order_relaxed)) return;
  void* warm[2];
  ::backtrace(warm, 2);
  struct sigaction present {};
  if (::sigaction(the_signal(), nullptr, &present) != 0 || present.sa_handler != SIG_DFL) return;
  struct sigaction ours {};
  ours.sa_handler = handler;
  ours.sa_flags = SA_RESTART | SA_ONSTACK;
  ::sigemptyset(&ours.sa_mask);
  if (::sigaction(the_signal(), &ours, nullptr) == 0) {
    installed.store(true, std::memory_order_relaxed);
  }
}

std::string backtrace_text(void* const* frames, std::size_t depth) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i)
    text.append("\n  ").append(line_of(call_before(frames[i])));
  return text;
}

std::vector<std::string> stacktrace_lines(std::span<void* const> calls, std::size_t most,
                                          std::size_t width) {
  std::vector<std::string> lines;
  for (void* const call : calls.first(std::min(calls.size(), most))) {
    lines.push_back(line_of(call));
    if (lines.back().size() > width) lines.back().resize(width);
  }
  return lines;
}

std::vector<std::string> stacktrace_here(std::size_t most, std::size_t width) {
  void* frames[captured_backtrace::most];
  int const depth = ::backtrace(frames, static_cast<int>(std::size(frames)));
  if (depth <= 1) return {};
  std::transform(frames, frames + depth, frames, &call_before);
  // The first is this function itself.
  return stacktrace_lines({frames + 1, static_cast<std::size_t>(depth - 1)}, most, width);
}

void captured_backtrace::walk(stack const& s) noexcept {
  depth_ = suspended_frames(s, frames_.data(), frames_.size());
}

void captured_backtrace::capture(pid_t thread) noexcept {
  if (!installed.load(std::memory_order_relaxed)) return;
  std::lock_guard lock(place.one_at_a_time);
  place.done.store(false, std::memory_order_relaxed);
  place.wanted.store(thread, std::memory_order_release);
  if (::syscall(SYS_tgkill, ::getpid(), thread, the_signal()) != 0) {
    place.wanted.store(0, std::memory_order_relaxed);
    return;
  }
  std::int64_t const deadline = monotonic_ns() + answer_limit_ns;
  while (!place.done.load(std::memory_order_acquire)) {  // [B1]
    if (monotonic_ns() > deadline) {
      pid_t expected = thread;
      // If the handler has begun, it will be done in a moment.
      if (place.wanted.compare_exchange_strong(expected, 0, std::memory_order_relaxed)) return;
    }
    std::this_thread::yield();
  }
  depth_ = place.depth;
  std::copy_n(place.frames, depth_, frames_.begin());
}

}  // namespace otter::rts
