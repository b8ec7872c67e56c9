#pragma once

// log_handler.hpp - the process of one handler: makes lines of events, and has them written.

#include <memory>
#include <otter/gen_server.hpp>
#include <otter/log_handler.hpp>
#include <otter/timer.hpp>
#include <string>
#include <vector>

#include "log_core.hpp"

namespace otter::detail {

/// Writes what it has, and ends.
struct log_finish {
  using reply = void;
};
/// To itself: the time has come to say what was dropped.
struct log_losses_due {};

/// Ownership: of the device. Threads: its own process; the device is used on the blocking pool,
/// while the process waits for it.
class log_handler : public gen_server<log_handler> {
 public:
  using accepts = otter::accepts<log_record, log_written, log_finish, log_losses_due>;

  /// Opens the device. `link` is the keeper's, who puts it into the table.
  log_handler(logger::handler_options options, std::shared_ptr<handler_link> link);

  outcome handle_info(log_record record);
  outcome handle_info(log_losses_due);
  outcome handle_info(idle_timeout);
  call_outcome<void> handle_call(log_written, from who);
  call_outcome<void> handle_call(log_finish, from who);
  void terminate(exit_reason const& reason);

 private:
  /// Whether one more record is to be written, `left` being those that wait behind it.
  bool keep(std::int64_t left);
  bool within_burst();
  void note_losses();
  void add_line(logger::event const& e);
  void add_losses();
  /// Now, if nothing waits or there is much; else when the mailbox is empty.
  outcome write_soon();
  void write_out();

  std::shared_ptr<handler_link> link_;
  logger::formatter format_;
  std::unique_ptr<logger::device> device_;
  bool broken_ = false;  // the device or the formatter has thrown: it is not touched again

  std::vector<logger::line> lines_;  // not yet written
  std::size_t bytes_ = 0;            // of them
  std::vector<from> waiting_;        // who is answered when they are

  node_clock::time_point burst_ends_{};
  std::uint32_t in_burst_ = 0;
  std::int64_t flush_left_ = 0;  // so many more are dropped
  bool losses_due_ = false;      // a log_losses_due is on its way
  std::uint64_t told_dropped_ = 0, told_burst_ = 0, told_flushed_ = 0;
};

}  // namespace otter::detail
