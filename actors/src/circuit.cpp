// The state of a circuit, which its callers share, and the process that keeps it findable.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <otter/circuit.hpp>
#include <otter/error.hpp>
#include <otter/gen_server.hpp>
#include <otter/name.hpp>
#include <vector>

#include "report.hpp"
#include "running_tables.hpp"

namespace otter {

std::string_view to_string(circuit_state state) noexcept {
  switch (state) {
    case circuit_state::closed:
      return "closed";
    case circuit_state::open:
      return "open";
    case circuit_state::half_open:
      return "half open";
  }
  return "unknown";
}

namespace {

std::string seconds_text(duration time) {
  return fmt::format("{:.3f} s", std::chrono::duration<double>(time).count());
}

}  // namespace

std::string to_string(circuit_open const& refused) {
  if (refused.left <= duration::zero())
    return fmt::format("circuit \"{}\" is half open after {} failures: its trial calls decide",
                       refused.circuit, refused.failures);
  return fmt::format("circuit \"{}\" is open after {} failures: it refuses calls for another {}",
                     refused.circuit, refused.failures, seconds_text(refused.left));
}

namespace detail {

/// Ownership: of its process, and of the calls that are trials.
/// Threads:   any. The mutex is held for some lines and never while a process waits.
/// Invariant: half_open has a round, in which places_ + successes_ <= options_.trials.
/// Ordering:  state_ is changed under the mutex. Who reads an older state without it is one that
///            came a little earlier.
class circuit_table {
 public:
  circuit_table(std::string name, circuit_options options)
      : name_(std::move(name)), options_(std::move(options)) {
    recent_.reserve(options_.failures);  // so that a failure needs no memory
  }

  [[nodiscard]] bool is_closed() const noexcept {
    return state_.load(std::memory_order_relaxed) == circuit_state::closed;
  }

  struct admission {
    bool granted = false;
    bool trial = false;
    std::uint64_t round = 0;
    exit_reason refusal{};
  };
  admission admit();
  void trial_succeeded(std::uint64_t round) noexcept;
  void trial_given_back(std::uint64_t round) noexcept;
  /// `round`: 0 for a call that was no trial.
  void failed(exit_reason const& why, std::uint64_t round) noexcept;

  [[nodiscard]] bool counts(exit_reason const& why) const noexcept;
  [[nodiscard]] circuit_status status();

 private:
  using moment = node_clock::time_point;

  admission refuse(moment now);
  admission grant_trial() noexcept;
  void begin_round(moment now) noexcept;
  void open(moment now) noexcept;
  void forget_old(moment now) noexcept;
  void report_closed() const noexcept;
  void report_opened(bool again, exit_reason const& why) const noexcept;

  std::string const name_;
  circuit_options const options_;
  std::atomic<circuit_state> state_{circuit_state::closed};

  std::mutex mutex_;            // of all below
  std::vector<moment> recent_;  // failures while it is closed, the oldest first
  moment until_{};              // open: when that is over; half open: when its round is given up
  std::uint64_t round_ = 0;
  unsigned places_ = 0;     // trials of this round that are under way
  unsigned successes_ = 0;  // of this round
  unsigned opened_by_ = 0;  // failures
  circuit_status totals_;
};

circuit_table::admission circuit_table::admit() {
  moment const now = node_clock::now();
  std::lock_guard lock(mutex_);
  switch (state_.load(std::memory_order_relaxed)) {
    case circuit_state::closed:
      return {.granted = true};
    case circuit_state::open:
      if (now < until_) return refuse(now);
      state_.store(circuit_state::half_open, std::memory_order_relaxed);
      begin_round(now);
      break;
    case circuit_state::half_open:
      // Trials that never come back, of a process that was abandoned, must not keep it half open.
      if (now >= until_) begin_round(now);
      break;
  }
  return places_ + successes_ < options_.trials ? grant_trial() : refuse(now);
}

circuit_table::admission circuit_table::refuse(moment now) {
  ++totals_.refused;
  bool const is_open = state_.load(std::memory_order_relaxed) == circuit_state::open;
  moment const until = is_open ? until_ : now;
  return {.refusal = exit_reason::of(circuit_open{name_, until, until - now, opened_by_})};
}

circuit_table::admission circuit_table::grant_trial() noexcept {
  ++places_;
  return {.granted = true, .trial = true, .round = round_};
}

void circuit_table::begin_round(moment now) noexcept {
  ++round_;
  places_ = 0;
  successes_ = 0;
  until_ = now + options_.open_for;
}

void circuit_table::trial_succeeded(std::uint64_t round) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (round != round_ || state_.load(std::memory_order_relaxed) != circuit_state::half_open)
      return;
    --places_;
    if (++successes_ < options_.trials) return;
    state_.store(circuit_state::closed, std::memory_order_relaxed);
    recent_.clear();
  }
  report_closed();
}

void circuit_table::trial_given_back(std::uint64_t round) noexcept {
  std::lock_guard lock(mutex_);
  if (round == round_ && state_.load(std::memory_order_relaxed) == circuit_state::half_open)
    --places_;
}

void circuit_table::failed(exit_reason const& why, std::uint64_t round) noexcept {
  moment const now = node_clock::now();
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    ++totals_.failed;
    totals_.last_failure = why.without_payload();  // it may outlive the module of the payload
    switch (state_.load(std::memory_order_relaxed)) {
      case circuit_state::closed:
        forget_old(now);
        recent_.push_back(now);
        if (recent_.size() < options_.failures) return;
        opened_by_ = static_cast<unsigned>(recent_.size());
        break;
      case circuit_state::half_open:
        if (round != round_) return;  // it began before: nothing new
        again = true;
        break;
      case circuit_state::open:
        return;
    }
    open(now);
  }
  report_opened(again, why);
}

void circuit_table::open(moment now) noexcept {
  state_.store(circuit_state::open, std::memory_order_relaxed);
  until_ = now + options_.open_for;
  recent_.clear();
  ++totals_.opened;
}

void circuit_table::forget_old(moment now) noexcept {
  auto const first_kept = std::find_if(recent_.begin(), recent_.end(), [&](moment failure) {
    return now - failure < options_.window;
  });
  recent_.erase(recent_.begin(), first_kept);
}

void circuit_table::report_closed() const noexcept {
  try {
    log_report(logger::level::notice, fmt::format("circuit \"{}\" closes: {} trial calls have "
                                                  "succeeded",
                                                  name_, options_.trials));
  } catch (std::exception const&) {
    // no memory for a report: it has closed all the same
  }
}

void circuit_table::report_opened(bool again, exit_reason const& why) const noexcept {
  try {
    std::string const because = again
                                    ? std::string("a trial call has failed")
                                    : fmt::format("{} calls have failed within {}",
                                                  options_.failures, seconds_text(options_.window));
    log_report(logger::level::warning,
               fmt::format("circuit \"{}\" opens and refuses calls for {}: {}; the last: {}", name_,
                           seconds_text(options_.open_for), because, why));
  } catch (std::exception const&) {
    // no memory for a report: it has opened all the same
  }
}

bool circuit_table::counts(exit_reason const& why) const noexcept {
  try {
    if (options_.counts) return options_.counts(why);
  } catch (...) {
    return true;  // nothing says that it does not
  }
  bool const not_known = why == exit_kind::error && why.type_name() == unknown_request;
  return !(why == exit_kind::calling_self) && !not_known;
}

circuit_status circuit_table::status() {
  moment const now = node_clock::now();
  std::lock_guard lock(mutex_);
  forget_old(now);
  circuit_status s = totals_;
  s.state = state_.load(std::memory_order_relaxed);
  s.failures =
      s.state == circuit_state::closed ? static_cast<unsigned>(recent_.size()) : opened_by_;
  if (s.state == circuit_state::open) s.left = std::max(until_ - now, duration::zero());
  return s;
}

namespace {

using circuit_tables = running_tables<circuit_table>;

std::shared_ptr<circuit_table> table_of(std::string_view name) {
  return circuit_tables::instance().share(whereis(name));
}

/// Keeps the state findable, and has nothing else to do.
class circuit_keeper : public gen_server<circuit_keeper> {
 public:
  using accepts = otter::accepts<>;
  explicit circuit_keeper(std::shared_ptr<circuit_table> table) : table_(std::move(table)) {}

  std::string format_status() const {
    circuit_status const s = table_->status();
    return fmt::format("{}, {} failures, opened {} times, {} calls failed, {} refused",
                       to_string(s.state), s.failures, s.opened, s.failed, s.refused);
  }

 private:
  published<circuit_table> table_;
};

void check(std::string const& name, circuit_options const& o) {
  auto const refuse = [&](std::string const& what) {
    throw error(errc::badarg, fmt::format("circuit \"{}\": {}", name, what));
  };
  if (o.failures < 1 || o.failures > 1000)
    refuse(fmt::format("failures is {}, must be 1 to 1000", o.failures));
  if (o.trials < 1) refuse("trials is 0, must be 1 at least");
  if (o.window <= duration::zero() || o.open_for <= duration::zero())
    refuse(fmt::format("window is {} and open_for {}, both must be longer than 0",
                       seconds_text(o.window), seconds_text(o.open_for)));
  // The moment when it is over must be one that the clock knows.
  if (o.open_for > std::chrono::hours(24 * 365)) refuse("open_for is longer than a year");
}

}  // namespace

tl::expected<pid, start_error> start_circuit(std::string const& name, circuit_options options,
                                             start_options const& start) {
  check(name, options);
  return start_owner<circuit_keeper>("circuit", name, start, start_mode::link,
                                     std::make_shared<circuit_table>(name, std::move(options)));
}

circuit_status status_of_circuit(std::string_view name) {
  auto const table = table_of(name);
  if (table == nullptr) throw process_exit(exit_reason::noproc());
  return table->status();
}

void throw_refused(std::string_view circuit, exit_reason why) {
  throw process_exit(
      exit_reason::call_failed(std::move(why), fmt::format("circuit \"{}\"", circuit)));
}

circuit_pass::circuit_pass(std::string_view name) : name_(name) {
  pid const keeper = whereis(name);
  {
    reading here;
    circuit_table const* const found = circuit_tables::instance().find(keeper, here);
    if (found != nullptr && found->is_closed()) {
      granted_ = true;
      return;
    }
  }
  std::shared_ptr<circuit_table> table = circuit_tables::instance().share(keeper);
  if (table == nullptr) {
    refusal_ = exit_reason::noproc();
    return;
  }
  circuit_table::admission admitted = table->admit();
  granted_ = admitted.granted;
  refusal_ = std::move(admitted.refusal);
  round_ = admitted.round;
  if (admitted.trial) trial_ = std::move(table);
}

circuit_pass::~circuit_pass() {
  if (trial_ != nullptr) trial_->trial_given_back(round_);
}

void circuit_pass::succeeded() noexcept {
  if (auto const table = std::move(trial_); table != nullptr) table->trial_succeeded(round_);
}

void circuit_pass::failed(exit_reason const& why) noexcept {
  auto const trial = std::move(trial_);
  // One that ended meanwhile has no state any more.
  auto const table = trial != nullptr ? trial : table_of(name_);
  if (table == nullptr) return;
  if (table->counts(why))
    table->failed(why, round_);
  else if (trial != nullptr)
    table->trial_succeeded(round_);  // the server has answered
}

}  // namespace detail
}  // namespace otter
