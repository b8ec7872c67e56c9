#pragma once

// otter/monitor.hpp - hearing, once, that another process has ended.
//
//   otter::down          the message that arrives when the watched process ends
//   otter::monitor()     starts watching
//   otter::demonitor()   stops watching
//
// A monitor is one-way: the watcher learns of the end, the watched process never notices. For the
// two-way bond that ends both, see otter/link.hpp.

#include <otter/detail/envelope.hpp>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <string>
#include <string_view>
#include <type_traits>

namespace otter {

/// Arrives in the watcher's mailbox when the watched process ends.
struct down {
  monitor_ref ref;
  pid process;       ///< who ended; no process if a name was watched that nobody had
  std::string name;  ///< the name, if the process was watched by name (MO-2)
  exit_reason reason;
};

/// The message instead of `down` for a monitor that was made with a tag (MO-10).
template <class Tag>
struct tagged_down {
  Tag tag;
  down what;
};

/// Whether the monitor's ref is also an alias, and until when (AL-3).
enum class alias_mode : unsigned char {
  none,
  explicit_unalias,  ///< until unalias()
  demonitor,         ///< until the monitor is gone: demonitored or fired
  reply_demonitor,   ///< as demonitor; the first message sent through it ends both
  reply,             ///< for alias(): until the first message
};

enum class demonitor_flush : bool { no, yes };

/// Starts watching `target`; exactly one `down` follows, unless demonitored.
///
/// If `target` has already ended, the `down` comes at once with reason `noproc`: an answer, not an
/// error (MO-3). Watching one process twice gives two refs and two messages.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: never.
/// Throws: std::bad_alloc.
monitor_ref monitor(pid target);
/// Watches who has the name now; the name is looked up once (MO-4).
monitor_ref monitor(std::string_view name);
/// The ref is an alias too: it converts to alias_ref(ref).
monitor_ref monitor(pid target, alias_mode mode);

namespace detail {
/// Makes the message of a tagged monitor out of the `down`; `tag` is the tag's envelope, reused.
using down_maker = envelope_ptr (*)(envelope_ptr tag, down&& what);
monitor_ref monitor_tagged(pid target, envelope_ptr tag, down_maker make);
template <class Tag>
envelope_ptr make_tagged(envelope_ptr tag, down&& what) {
  return pack<tagged_down<Tag>>(
      signal_kind::message,
      tagged_down<Tag>{std::move(*static_cast<Tag*>(tag->payload())), std::move(what)});
}
}  // namespace detail

/// Watches `target`; a `tagged_down<Tag>` arrives in place of `down`.
template <class Tag>
monitor_ref monitor_with_tag(pid target, Tag tag) {
  return detail::monitor_tagged(target,
                                detail::pack<Tag>(detail::signal_kind::message, std::move(tag)),
                                detail::make_tagged<Tag>);
}

/// Stops watching; after it no new message for `ref` can be queued. One that is queued already
/// stays, unless `flush` asks to remove it (MO-6, MO-7).
///
/// True if the monitor was still there; with `flush`, false exactly if a message had to be removed
/// (the answers of OTP's option info, MO-8). An unknown or fired ref is not an error.
///
/// Called from: the process that made the monitor. Blocks: never. Exits: never. Throws: never.
bool demonitor(monitor_ref ref, demonitor_flush flush = demonitor_flush::no) noexcept;

}  // namespace otter
