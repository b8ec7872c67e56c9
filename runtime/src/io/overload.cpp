// io/overload.cpp - the node's marks.

#include "io/overload.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>

#include "base/cache_line.hpp"
#include "io/ports.hpp"
#include "process/process_system.hpp"

namespace otter::rts {
namespace {

constexpr std::int64_t sample_interval_ns = 100'000'000;
/// So many idle sockets are looked at for each sample.
constexpr std::size_t looks = 256;

/// A distance below a mark, so that who is just about there does not tell of each step.
constexpr std::size_t well_below(std::size_t mark) noexcept { return mark - mark / 16; }

}  // namespace

node_marks::node_marks(io_state& io, overload_limits const& limits)
    : io_(io),
      limits_(limits),
      watches_memory_(limits.stop_accepting != 0 || limits.shed_idle != 0) {
  if (watches_memory() && !io.system().simulated())
    statm_ = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

node_marks::~node_marks() {
  if (statm_ >= 0) ::close(statm_);
}

// --- queued output ---

void node_marks::output_changed(std::size_t before, std::size_t now) noexcept {
  // Wraps around where it falls, and is right again.
  std::size_t const sum = queued_.fetch_add(now - before, std::memory_order_relaxed) + now - before;
  if (limits_.output_high == 0) return;
  if (sum >= limits_.output_high) {
    if (!output_above_.exchange(true, std::memory_order_relaxed))
      output_untold_.store(true, std::memory_order_relaxed);
  } else if (sum < limits_.output_low || sum == 0) {
    if (output_above()) output_above_.store(false, std::memory_order_relaxed);
  }
}

void node_marks::report_output() noexcept {
  if (output_untold_.exchange(false, std::memory_order_relaxed))
    report("output queued in sockets: who has some waits before it sends more", queued(),
           limits_.output_high);
}

// --- memory ---

/// What of this OS process lies in memory; in simulation, where that would depend on more than the
/// seed, what the node knows of: signals by the line, and queued output. 0: unknown.
std::size_t node_marks::resident() const noexcept {
  if (measure_) return measure_();
  if (io_.system().simulated()) return queued() + io_.system().slabs().blocks_in_use() * cache_line;
  std::array<char, 128> text;
  ssize_t const n = statm_ >= 0 ? ::pread(statm_, text.data(), text.size(), 0) : -1;
  if (n <= 0) return 0;
  char const* const end = text.data() + n;
  char const* const second =
      static_cast<char const*>(std::memchr(text.data(), ' ', static_cast<std::size_t>(n)));
  std::size_t pages = 0;
  if (second != nullptr) std::from_chars(second + 1, end, pages);
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void node_marks::sample(std::int64_t now_ns) noexcept {
  std::int64_t due = next_sample_ns_.load(std::memory_order_relaxed);
  if (now_ns < due) return;
  if (!next_sample_ns_.compare_exchange_strong(due, now_ns + sample_interval_ns,
                                               std::memory_order_acq_rel))
    return;
  std::size_t const is = resident();
  if (limits_.stop_accepting != 0) {
    if (is >= limits_.stop_accepting) {
      if (!memory_above_.exchange(true, std::memory_order_relaxed))
        report("memory: accepting pauses on all listeners until there is less", is,
               limits_.stop_accepting);
    } else if (is < well_below(limits_.stop_accepting)) {
      memory_above_.store(false, std::memory_order_relaxed);
    }
  }
  if (limits_.shed_idle == 0) return;
  if (is >= limits_.shed_idle) {
    if (!shedding_.exchange(true, std::memory_order_relaxed))
      report("memory: sockets that are idle and have shed_when_idle are closed", is,
             limits_.shed_idle);
    shed_some(now_ns);
  } else if (is < well_below(limits_.shed_idle)) {
    shedding_.store(false, std::memory_order_relaxed);
  }
}

/// Looks at those that were looked at longest ago; who is not idle, or not for long enough, goes to
/// the end. So the order is about that of their last activity, and activity costs no lock.
void node_marks::shed_some(std::int64_t now_ns) noexcept {
  for (std::size_t i = 0; i < looks; ++i) {
    entry e{};
    {
      std::lock_guard lock(mutex_);
      if (i >= idle_.size()) return;  // each once
      e = idle_.front();
      idle_.splice(idle_.end(), idle_, idle_.begin());
    }
    wakes woken;
    port& p = *io_.at(e.index);
    port_lock lock(p.mutex());
    if (p.generation() == e.generation && p.shed(lock, now_ns, woken))
      shed_.fetch_add(1, std::memory_order_relaxed);
  }
}

void node_marks::report(char const* text, std::size_t is, std::size_t mark) noexcept {
  try {
    node_event event;
    event.what = node_event::kind::failure;
    event.text =
        fmt::format("the node is above its mark of {}; {} bytes, the mark is {}", text, is, mark);
    io_.system().report(std::move(event));
  } catch (std::bad_alloc const&) {  // then without
  }
}

node_marks::place node_marks::list_idle(entry const& e) {
  std::list<entry> one;
  one.push_back(e);
  std::lock_guard lock(mutex_);
  idle_.splice(idle_.end(), one);
  return std::prev(idle_.end());
}

void node_marks::unlist_idle(place at) noexcept {
  std::list<entry> gone;
  std::lock_guard lock(mutex_);
  gone.splice(gone.end(), idle_, at);
}

}  // namespace otter::rts
