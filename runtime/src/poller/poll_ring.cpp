// poller/poll_ring.cpp - multishot polls in one io_uring.

#include "poller/poll_ring.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>

namespace otter::rts {
namespace {

constexpr unsigned submissions = 64;  // each is submitted at once: room for what had to wait
constexpr unsigned told_at_once = 128;
constexpr std::uint32_t wanted = EPOLLIN | EPOLLOUT | EPOLLRDHUP;

/// The numbers that every poll of the kernel adds by itself.
constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;

[[noreturn]] void fail(int error, char const* what) {
  throw std::system_error(error, std::generic_category(), what);
}

}  // namespace

poll_ring::poll_ring(unsigned completions, unsigned slots) : has_table_(slots != 0) {
  io_uring_params how{};
  // Events wait for the next entry into the kernel of the thread that asked for them, instead of
  // interrupting it; TASKRUN_FLAG says that some wait. Not SINGLE_ISSUER, and so not DEFER_TASKRUN:
  // the core of a stuck thread goes on by another.
  how.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE |
              IORING_SETUP_CLAMP;
  how.cq_entries = completions;
  if (int const r = ::io_uring_queue_init_params(submissions, &ring_, &how); r < 0)
    fail(-r, "io_uring_setup");
  constexpr unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  int refused = (how.features & needed) == needed ? 0 : -ENOSYS;
  char const* what = "io_uring_setup: a kernel before 5.19";
  if (refused == 0 && has_table_) {
    what = "io_uring_register(files)";
    refused = ::io_uring_register_files_sparse(&ring_, slots);
  }
  if (refused == 0) return;
  ::io_uring_queue_exit(&ring_);
  fail(-refused, what);
}

poll_ring::~poll_ring() {
  // The kernel would cancel what is left some time later, and then interrupt a system call that a
  // thread happens to be in by then.
  io_uring_sqe& entry = next_entry();
  ::io_uring_prep_cancel64(&entry, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
  entry.user_data = tag_ignored;
  static_cast<void>(submit());
  enter();
  ::io_uring_queue_exit(&ring_);
}

int poll_ring::signal(int fd) noexcept {
  int const r = ::io_uring_register_eventfd(&ring_, fd);
  signals_ = r == 0;
  return -r;
}

// --- submitting ---

/// An entry of the submission queue; what lies there, because the kernel had no memory for it, is
/// submitted first if need be.
io_uring_sqe& poll_ring::next_entry() noexcept {
  for (;;) {
    if (io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_)) return *entry;
    static_cast<void>(submit());
    std::this_thread::yield();
  }
}

/// 0, or the errno for which entries are still in the queue.
int poll_ring::submit() noexcept {
  for (;;) {
    int const n = ::io_uring_submit(&ring_);
    if (::io_uring_sq_ready(&ring_) == 0) return 0;
    if (n >= 0 || n == -EINTR) continue;
    if (n != -EBUSY) return -n;
    collect();  // EBUSY: completions must be fetched first
  }
}

int poll_ring::complete() noexcept {
  io_uring_sqe& entry = ring_.sq.sqes[(ring_.sq.sqe_tail - 1) & ring_.sq.ring_mask];
  entry.user_data = tag_operation;
  operation_over_ = false;
  // Whoever looks at the completions after this look is not signalled for ours, and sees the rest.
  if (signals_) ::io_uring_cq_eventfd_toggle(&ring_, false);
  int const refused = submit();
  if (signals_) {
    ::io_uring_cq_eventfd_toggle(&ring_, true);
    // [U2] The kernel notes a completion and then asks whether it is to signal; we say that it is,
    // and then look whether something was noted. Each with a full barrier in between, so one sees
    // the other.
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  collect();
  if (operation_over_) return operation_result_;
  if (refused != 0) {
    // It lies in the queue. What is submitted next takes it along as nothing at all.
    ::io_uring_prep_nop(&entry);
    entry.user_data = tag_ignored;
    entry.flags = IOSQE_CQE_SKIP_SUCCESS;
    return refused == EAGAIN ? -ENOMEM : -refused;  // EAGAIN would mean that an event will come
  }
  while (!operation_over_) {  // its completion waits for room
    enter();
    collect();
  }
  return operation_result_;
}

int poll_ring::arm(poll_source& source) noexcept {
  io_uring_sqe& entry = next_entry();
  int const fd = has_table_ ? source.fd & ((1 << slot_bits) - 1) : source.fd;
  ::io_uring_prep_poll_multishot(&entry, fd, wanted);
  if (has_table_) entry.flags |= IOSQE_FIXED_FILE;
  ::io_uring_sqe_set_data(&entry, &source);
  arming_ = &source;
  refusal_ = 0;
  source.armed_ = true;
  int const error = submit();
  if (error == 0) {
    collect();
    arming_ = nullptr;
    return refusal_;
  }
  arming_ = nullptr;
  source.armed_ = false;
  ::io_uring_prep_nop(&entry);
  entry.user_data = tag_ignored;
  entry.flags = IOSQE_CQE_SKIP_SUCCESS;
  return error;
}

int poll_ring::add(poll_source& source) noexcept {
  std::lock_guard lock(mutex_);
  source.removed_.store(false, std::memory_order_relaxed);  // nobody else knows it yet
  source.came_ = 0;
  int const error = arm(source);
  if (error == 0) sources_.fetch_add(1, std::memory_order_relaxed);
  return error;
}

bool poll_ring::remove(poll_source& source) noexcept {
  std::lock_guard lock(mutex_);
  source.removed_.store(true, std::memory_order_release);  // [U1]
  if (!source.armed_) {
    list(source);
    return true;
  }
  // Not POLL_REMOVE: it gives up if an event is just on its way, and the poll stays. If the poll
  // has ended meanwhile there is nothing to cancel, and its last completion is there.
  io_uring_sqe& entry = next_entry();
  ::io_uring_prep_cancel(&entry, &source, 0);
  entry.user_data = tag_ignored;
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  return submit() != 0;  // then deliver() tries again
}

// --- collecting ---

void poll_ring::list(poll_source& source) noexcept {
  if (source.listed_) return;
  source.listed_ = true;
  source.next_ = nullptr;
  (first_ == nullptr ? first_ : last_->next_) = &source;
  last_ = &source;
}

void poll_ring::collect() noexcept {
  for (;;) {
    unsigned head = 0, n = 0;
    io_uring_cqe* c = nullptr;
    io_uring_for_each_cqe(&ring_, head, c) {
      ++n;
      if (c->user_data == tag_ignored) continue;
      if (c->user_data == tag_operation) {
        operation_result_ = c->res;
        operation_over_ = true;
        continue;
      }
      auto& source = *reinterpret_cast<poll_source*>(c->user_data);
      bool const over = (c->flags & IORING_CQE_F_MORE) == 0;
      if (over) source.armed_ = false;
      if (c->res < 0 && &source == arming_) {
        refusal_ = -c->res;
        continue;
      }
      if (c->res > 0) source.came_ |= static_cast<std::uint32_t>(c->res);
      list(source);
    }
    ::io_uring_cq_advance(&ring_, n);
    if (!::io_uring_cq_has_overflow(&ring_)) return;
    enter();  // there is room now for what the kernel kept in a list
  }
}

poll_ring::told poll_ring::deliver() noexcept {
  told so_far;
  for (;;) {
    if (so_far.events + so_far.releases >= told_at_once) {
      so_far.more = true;
      return so_far;
    }
    poll_source* source = nullptr;
    std::uint32_t events = 0;
    bool released = false;
    {
      std::lock_guard lock(mutex_);
      if (::io_uring_sq_ready(&ring_) != 0) static_cast<void>(submit());
      collect();
      source = first_;
      if (source == nullptr) return so_far;
      first_ = source->next_;
      source->listed_ = false;
      events = source->came_;
      source->came_ = 0;
      if (source->removed_.load(std::memory_order_acquire)) {  // [U1]
        released = !source->armed_;
        events = 0;
      } else if (!source->armed_) {
        // The poll has ended: there was no room for a completion, or the thread that asked for it
        // has. A new one finds what is there now. The kernel ends processes before it has no memory
        // for one.
        int error = arm(*source);
        while (error == EAGAIN || error == ENOMEM) {
          std::this_thread::yield();
          error = arm(*source);
        }
        if (error != 0) events |= broken;
      }
    }
    if (released) {
      sources_.fetch_sub(1, std::memory_order_relaxed);
      source->released();  // it may be gone now
      ++so_far.releases;
    } else if (events != 0) {
      source->ready(events);
      ++so_far.events;
    }
  }
}

// --- waiting ---

bool poll_ring::wants_to_be_entered() const noexcept {
  // A plain load of what the kernel writes: a hint.
  return (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void poll_ring::enter() noexcept { ::io_uring_get_events(&ring_); }

void poll_ring::wait(std::int64_t limit_ns) noexcept {
  __kernel_timespec limit{};
  io_uring_getevents_arg how{};
  how.sigmask_sz = _NSIG / 8;
  if (limit_ns >= 0) {
    limit.tv_sec = limit_ns / 1'000'000'000;
    limit.tv_nsec = limit_ns % 1'000'000'000;
    how.ts = reinterpret_cast<std::uintptr_t>(&limit);
  }
  static_cast<void>(::io_uring_enter2(static_cast<unsigned>(ring_.ring_fd), 0, 1,
                                      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                                      reinterpret_cast<sigset_t*>(&how), sizeof how));
}

}  // namespace otter::rts
