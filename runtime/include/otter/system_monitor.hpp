#pragma once

// otter/system_monitor.hpp - one process is told of processes that misbehave.
//
//   otter::system_monitor()         chooses that process and what it is told of
//   otter::system_monitor_options   the thresholds; each is off by default
//   otter::system_event             what it is told
//
// What the node reports by itself, to on_event, is in otter/node.hpp (node_event). These events are
// messages, for a process of the program that acts upon them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <otter/duration.hpp>
#include <otter/pid.hpp>

namespace otter {

struct system_monitor_options {
  /// A process ran so long without waiting or yielding. Told when it has done so at last; see
  /// node_options::stall_limit for a report of those that do not come back.
  duration long_schedule = infinity;
  std::size_t large_heap = 0;  ///< bytes, as info_item::memory; 0: off
  /// A process waits in a send, since the socket's queue is above its watermark.
  bool busy_port = false;
  /// Messages that wait: more than the first, and then no more than the second; 0: off.
  std::uint32_t long_message_queue = 0;
  std::uint32_t long_message_queue_off = 0;
};

/// What the system monitor receives. It is never told of itself.
struct system_event {
  enum class kind : unsigned char {
    long_schedule,
    large_heap,  ///< once, until the process holds less than half of the threshold
    busy_port,
    long_message_queue,
    long_message_queue_off,
  };
  kind what = kind::long_schedule;
  pid process;
  duration ran{};          ///< long_schedule
  std::uint64_t size = 0;  ///< large_heap: bytes; the queues: messages
};

struct system_monitor_settings {
  pid monitor;
  system_monitor_options options;
};

/// Makes `monitor` the one process of its node that gets system_events; no process switches them
/// off. When that process ends, the setting is gone before anybody hears of its end (PI-17).
/// Returns the settings that were in force.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never.
/// Throws: error(badarg) if `monitor` has ended, is of another node, or a threshold is negative.
std::optional<system_monitor_settings> system_monitor(pid monitor,
                                                      system_monitor_options const& options);
/// The settings in force.
std::optional<system_monitor_settings> system_monitor();

}  // namespace otter
