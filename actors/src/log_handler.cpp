#include "log_handler.hpp"

#include <cstdio>
#include <otter/blocking.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/print.hpp>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace otter::detail {
namespace {

/// So much is written at a time: bytes of lines, and processes that wait for them.
constexpr std::size_t full_batch = 65'536;
constexpr std::size_t most_waiting = 64;

}  // namespace

log_handler::log_handler(logger::handler_options options, std::shared_ptr<handler_link> link)
    : link_(std::move(link)), format_(std::move(options.format)) {
  trap_exit(true);  // so that what it has is written when its logger ends
  device_ = blocking([&] { return options.open(); });
  if (device_ == nullptr) throw std::invalid_argument("handler_options::open gave no device");
}

// --- events ---

outcome log_handler::handle_info(log_record record) {
  link_->stuck.store(false, std::memory_order_relaxed);
  std::int64_t const left = link_->queued.fetch_sub(1, std::memory_order_relaxed) - 1;
  if (link_->dropped.load(std::memory_order_relaxed) != told_dropped_) note_losses();
  if (keep(left)) add_line(*record.what);
  return write_soon();
}

bool log_handler::keep(std::int64_t left) {
  if (flush_left_ == 0 && left > std::int64_t{link_->limits.flush_qlen}) flush_left_ = left + 1;
  if (flush_left_ > 0) {
    --flush_left_;
    link_->flushed.fetch_add(1, std::memory_order_relaxed);
    note_losses();
    return false;
  }
  if (within_burst()) return true;
  link_->burst.fetch_add(1, std::memory_order_relaxed);
  note_losses();
  return false;
}

bool log_handler::within_burst() {
  if (!link_->limits.burst_limit_enable) return true;
  auto const now = node_clock::now();
  if (now >= burst_ends_) {
    burst_ends_ = now + link_->limits.burst_limit_window_time;
    in_burst_ = 0;
  }
  if (in_burst_ == link_->limits.burst_limit_max_count) return false;
  ++in_burst_;
  return true;
}

void log_handler::add_line(logger::event const& e) {
  broken_ = true;  // until it has succeeded
  std::string line = format_(e);
  broken_ = false;
  if (line.size() > logger::max_line) {
    text_sink cut(logger::max_line);
    cut.put(line);
    line = std::move(cut).take();
  }
  bytes_ += line.size();
  lines_.push_back({e.level, std::move(line)});
}

// --- what was dropped ---

/// Not at once: what is dropped in one go is told once.
void log_handler::note_losses() {
  if (std::exchange(losses_due_, true)) return;
  send_after(link_->limits.burst_limit_window_time, self(), log_losses_due{});
}

outcome log_handler::handle_info(log_losses_due) {
  losses_due_ = false;
  add_losses();
  return write_soon();
}

void log_handler::add_losses() {
  auto const since = [](std::atomic<std::uint64_t> const& now, std::uint64_t& told) {
    std::uint64_t const n = now.load(std::memory_order_relaxed);
    return n - std::exchange(told, n);
  };
  std::uint64_t const queue = since(link_->dropped, told_dropped_);
  std::uint64_t const burst = since(link_->burst, told_burst_);
  std::uint64_t const flushed = since(link_->flushed, told_flushed_);
  if (queue + burst + flushed == 0) return;
  add_line(make_log_event(logger::level::warning, otter_module, "events were dropped",
                          {{"handler", link_->id},
                           {"dropped", queue + burst + flushed},
                           {"since_the_queue_was_long", queue},
                           {"since_too_many_came", burst},
                           {"to_catch_up", flushed}}));
}

// --- writing ---

outcome log_handler::write_soon() {
  bool const nothing = lines_.empty() && waiting_.empty();
  if (nothing) return noreply();
  if (link_->queued.load(std::memory_order_relaxed) <= 0 || bytes_ >= full_batch ||
      waiting_.size() >= most_waiting) {
    write_out();
    return noreply();
  }
  return noreply().timeout(duration::zero());  // when nothing is in the mailbox any more
}

outcome log_handler::handle_info(idle_timeout) {
  write_out();
  return noreply();
}

void log_handler::write_out() {
  if (!lines_.empty()) {
    broken_ = true;
    blocking([this] { device_->write(std::span<logger::line const>(lines_)); });
    broken_ = false;
    lines_.clear();
    bytes_ = 0;
  }
  for (from const& who : std::exchange(waiting_, {})) otter::reply(who);
}

call_outcome<void> log_handler::handle_call(log_written, from who) {
  waiting_.push_back(who);
  if (link_->queued.load(std::memory_order_relaxed) > 0 && waiting_.size() < most_waiting)
    return noreply().timeout(duration::zero());
  write_out();
  return noreply();
}

call_outcome<void> log_handler::handle_call(log_finish, from who) {
  waiting_.push_back(who);
  add_losses();
  write_out();
  return stop(exit_reason::normal());
}

void log_handler::terminate(exit_reason const&) {
  if (broken_) return;
  add_losses();
  write_out();
}

}  // namespace otter::detail

namespace otter::logger {
namespace {

/// stderr or stdout: closed by nobody.
class stream_device final : public device {
 public:
  explicit stream_device(std::FILE* to) : to_(to) {}
  void write(std::span<line const> lines) override {
    std::string all;
    for (line const& l : lines) (all += l.text) += '\n';
    if (std::fwrite(all.data(), 1, all.size(), to_) != all.size() || std::fflush(to_) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot write the log");
  }

 private:
  std::FILE* to_;
};

}  // namespace

device_opener standard_error() {
  return [] { return std::make_unique<stream_device>(stderr); };
}
device_opener standard_output() {
  return [] { return std::make_unique<stream_device>(stdout); };
}

}  // namespace otter::logger
