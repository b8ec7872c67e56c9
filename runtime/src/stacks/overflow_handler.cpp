#include "stacks/overflow_handler.hpp"

#include <execinfo.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>

#include "stacks/guard.hpp"
#include "stacks/report.hpp"
#include "stacks/slab_directory.hpp"

namespace otter::rts {
namespace {

constexpr std::array<int, 2> watched{SIGSEGV, SIGBUS};

// A frame may be larger than the guard page and first touch what lies below it.
constexpr std::size_t reach = 64 * 1024;

std::mutex install_mutex;
bool installed = false;  // guarded by install_mutex
// Written before our handler is entered into the table of signals, and read only by it.
std::array<struct sigaction, watched.size()> found_before;
std::atomic<int> report_descriptor{2};  // relaxed: a number by itself

struct sigaction& before(int signal) noexcept {
  return found_before[signal == watched[0] ? 0 : 1];
}

void report_overflow(stack const& s, void const* address) noexcept {
  int const out = report_descriptor.load(std::memory_order_relaxed);
  report_line line;
  line.add("otter: stack overflow in ").name(s).add(": ").extent(s);
  line.add(", fault at ").address(address).add("; it needs a larger stack class").write(out);
  void* frames[48];
  int const depth = ::backtrace(frames, static_cast<int>(std::size(frames)));
  ::backtrace_symbols_fd(frames, depth, out);
  if (depth == static_cast<int>(std::size(frames))) {
    report_line more;
    more.add("  (the innermost ").number(std::size(frames)).add(" frames)").write(out);
  }
}

// Lets the handler that was there before have the signal, as if we did not exist.
void pass_on(int signal, siginfo_t* info, void* context) noexcept {
  struct sigaction const& earlier = before(signal);
  if ((earlier.sa_flags & SA_SIGINFO) != 0) {
    earlier.sa_sigaction(signal, info, context);
    return;
  }
  // si_code <= 0: somebody's kill(), not a fault of this thread.
  bool const sent = info->si_code <= 0;
  if (earlier.sa_handler == SIG_IGN && sent) return;
  if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
    earlier.sa_handler(signal);
    return;
  }
  // On return the faulting instruction runs again and now meets the default: the program dies of
  // the signal, with the right place in its core file. What was sent has to be sent again; it is
  // delivered on return, since it is blocked while we are here.
  struct sigaction fatal {};
  fatal.sa_handler = SIG_DFL;
  ::sigaction(signal, &fatal, nullptr);
  if (sent) ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), signal);
}

void on_fault(int signal, siginfo_t* info, void* context) {
  int const saved = errno;
  if (info->si_code > 0) {  // else si_addr is no address
    if (stack const* const s = find_overflowed(info->si_addr)) report_overflow(*s, info->si_addr);
  }
  errno = saved;
  pass_on(signal, info, context);
}

}  // namespace

void install_overflow_handler(overflow_options const& options) {
  std::lock_guard const lock(install_mutex);
  set_describer(options.describe);
  report_descriptor.store(options.descriptor, std::memory_order_relaxed);
  if (installed) return;
  // Its first call loads the unwinder, which no signal handler may do.
  void* frame = nullptr;
  ::backtrace(&frame, 1);
  guard_size();
  for (int const signal : watched) {
    ::sigaction(signal, nullptr, &before(signal));
    struct sigaction ours {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&ours.sa_mask);
    ::sigaction(signal, &ours, nullptr);
  }
  installed = true;
}

void uninstall_overflow_handler() noexcept {
  std::lock_guard const lock(install_mutex);
  set_describer(nullptr);
  if (!installed) return;
  bool all = true;
  for (int const signal : watched) {
    struct sigaction current {};
    ::sigaction(signal, nullptr, &current);
    // Who came later may pass faults on to us, so then we stay.
    bool const on_top = (current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == on_fault;
    if (on_top) ::sigaction(signal, &before(signal), nullptr);
    all = all && on_top;
  }
  installed = !all;
}

stack const* find_stack(void const* address) noexcept {
  auto const at = reinterpret_cast<std::uintptr_t>(address);
  stack_slab* const slab = slab_at(at);
  if (slab == nullptr) return nullptr;
  std::size_t const offset = at - reinterpret_cast<std::uintptr_t>(slab->base);
  return offset < slab->bytes ? slab->stacks() + offset / slab->stride : nullptr;
}

stack const* find_overflowed(void const* address) noexcept {
  auto const* const at = static_cast<std::byte const*>(address);
  if (stack const* const s = find_stack(at)) return at < s->low() ? s : nullptr;
  // Below the lowest stack of a slab. Below the others lies a neighbour, where nothing faults.
  auto const above = reinterpret_cast<std::uintptr_t>(address) + reach;
  stack const* const s = find_stack(reinterpret_cast<void const*>(above));
  return s != nullptr && at < s->low() && above < reinterpret_cast<std::uintptr_t>(s->low()) + reach
             ? s
             : nullptr;
}

alternate_signal_stack::alternate_signal_stack() noexcept {
  stack_t present{};
  if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) return;
  long const least = ::sysconf(_SC_SIGSTKSZ);  // grows with the processor's registers
  std::size_t const usable = std::max(std::size_t{64} * 1024 * stack_size_factor(),
                                      static_cast<std::size_t>(std::max(least, 0L)) * 2);
  bytes_ = usable + guard_size();
  void* const mapping = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapping == MAP_FAILED) return;  // then an overflow here dies without a report
  ::mprotect(mapping, guard_size(), PROT_NONE);
  stack_t ours{};
  ours.ss_sp = static_cast<std::byte*>(mapping) + guard_size();
  ours.ss_size = usable;
  if (::sigaltstack(&ours, nullptr) != 0) {
    ::munmap(mapping, bytes_);
    return;
  }
  mapping_ = mapping;
}

alternate_signal_stack::~alternate_signal_stack() {
  if (mapping_ == nullptr) return;
  stack_t present{};
  ::sigaltstack(nullptr, &present);
  if (present.ss_sp == static_cast<std::byte*>(mapping_) + guard_size()) {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
  ::munmap(mapping_, bytes_);
}

}  // namespace otter::rts
