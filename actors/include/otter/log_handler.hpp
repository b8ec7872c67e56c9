#pragma once

// otter/log_handler.hpp - what becomes of the events that are logged.
//
//   otter::logger::device          where lines go: a terminal, a file
//   otter::logger::formatter       makes one line of an event: text_format(), json_format()
//   otter::logger::filter          decides about events before they are handed on
//   otter::logger::overload_limits what happens when events come faster than lines can be written
//   otter::logger::handler_options a handler: all of these together
//
// A handler is a process. Who logs sends it the event; the handler makes the line, and writes it on
// the pool of blocking threads, so that a slow device holds up nobody's worker.
//
// Who logs is protected by how many events wait in the handler: few, and he goes on at once; more,
// and he waits until the handler has taken his own; too many, and it is dropped. What was dropped
// is counted, and the log says so. A device, formatter or filter that throws is removed, and the
// log says that too.

#include <cstdint>
#include <functional>
#include <memory>
#include <otter/duration.hpp>
#include <otter/log_event.hpp>
#include <span>
#include <string>
#include <vector>

namespace otter::logger {

/// A line for a device, without the end of line. One event is one line, or several with line feeds
/// between them.
struct line {
  logger::level level;  // for colours
  std::string text;
};

/// Where lines go. Made and used by one handler, one call at a time, on threads of the blocking
/// pool; destroyed in the handler's process, where it must not wait for long.
class device {
 public:
  virtual ~device() = default;
  /// Writes them all, and hands them to the system. May block. What it throws ends the handler.
  virtual void write(std::span<line const> lines) = 0;
};
/// Opens it; on a thread of the blocking pool. What it throws is the failure of the start.
using device_opener = std::function<std::unique_ptr<device>()>;

/// The C library's stderr or stdout, without colours. Others are in otter/log_devices.hpp.
[[nodiscard]] device_opener standard_error();
[[nodiscard]] device_opener standard_output();

// --- lines ---

/// The longest line; what is longer is cut and ends in "...".
inline constexpr std::size_t max_line = 16384;

/// Makes the line of an event. Runs in the handler's process; what it throws ends the handler.
using formatter = std::function<std::string(event const&)>;

struct text_options {
  bool time = true;     ///< 2026-11-28T09:30:29.123Z, UTC
  bool process = true;  ///< the pid
  bool place = false;   ///< file and line
};
/// For people: `09:30:29.123Z warning <0.7.0> chat.session: a login has failed from=127.0.0.1`. A
/// report of otter has a line for each of its fields. Texts cannot forge lines: control characters
/// are escaped.
[[nodiscard]] formatter text_format(text_options options = {});
/// For machines: each event is one JSON object in one line, with time, level, module, process,
/// text, file, line, and its fields in an object of their own. What is no UTF-8 is replaced.
[[nodiscard]] formatter json_format();

// --- filters ---

enum class verdict : unsigned char {
  log,     ///< it is logged, and no further filter is asked
  stop,    ///< it is not
  ignore,  ///< the next filter decides; after the last one it is logged
};
/// Runs in whatever process or thread logs, in several at once. It may not wait; what it logs
/// itself is dropped. If it throws it is removed, and the log says so.
using filter = std::function<verdict(event const&)>;

struct named_filter {
  std::string id;
  filter judge;
};

// --- overload ---

/// OTP's names and numbers (LOG-9). Queues are counted in events.
struct overload_limits {
  std::uint32_t sync_mode_qlen = 10;   ///< from here on who logs waits until his event is written
  std::uint32_t drop_mode_qlen = 200;  ///< from here on events are dropped
  std::uint32_t flush_qlen = 1000;     ///< above it the handler drops all that waits
  bool burst_limit_enable = true;
  std::uint32_t burst_limit_max_count = 500;  ///< so many events are written within
  duration burst_limit_window_time = std::chrono::seconds(1);
  /// So long waits who logs, at most. Then nobody else does until the handler has moved again.
  duration sync_limit = std::chrono::milliseconds(100);
};

struct handler_options {
  std::string id = "default";
  device_opener open = standard_error();
  formatter format = text_format();
  logger::level level = logger::level::debug;  ///< what is less bad is not for this handler
  std::vector<named_filter> filters{};
  overload_limits overload{};
};

/// A handler as handlers() shows it.
struct handler_info {
  std::string id;
  logger::level level;
  pid process;
  std::uint64_t queued;   ///< events that wait now
  std::uint64_t dropped;  ///< since the queue was too long
  std::uint64_t burst;    ///< dropped since too many came at a time
  std::uint64_t flushed;  ///< dropped by the handler, to catch up
};

}  // namespace otter::logger
