#pragma once

// session_core.hpp - one client's stream, from the first byte to the closing tag, as pure logic.
//
//   session_action     what the caller has to do next
//   session_state      what is known of one stream, between two things that happen
//   session_core       the state machine on it: an on_... function per thing that happens
//
// It does no input or output, knows no clock and no thread: the process that owns the socket feeds
// it events and carries out its actions, in order. `now` is any steady clock. While waiting() is
// true an answer is due, and the caller holds back further events of the stream until it has given
// it.
//
// One timer is enough: arm_timer replaces the one before, and on_timer() finds out what was due.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "boxed.hpp"
#include "jid.hpp"
#include "limits.hpp"
#include "offline.hpp"
#include "rate_limit.hpp"
#include "sasl.hpp"
#include "session_settings.hpp"
#include "stanza.hpp"
#include "stanza_error.hpp"
#include "stream_error.hpp"
#include "xml_stream.hpp"

namespace chat {

namespace action {
/// Send these bytes.
struct write {
  std::string bytes;
};
/// Find the account and call on_credentials().
struct find_credentials {
  std::string username;
};
/// Run it where it may block and call on_derived().
struct derive_key {
  pbkdf2_job job;
};
/// Somebody did not know the password: for whoever counts that.
struct login_failed {
  std::string username;
};
/// Reset the parser and give it these limits. If an event of the old stream is left (white space
/// apart), or bytes of one (the parser was not idle), call on_leftover(): nothing that was sent
/// before the login was complete may be acted on afterwards.
struct restart_stream {
  xml_limits limits;
};
/// Ask the router to make this the address of the session; then on_bound().
struct bind {
  jid who;
};
/// The address is free again. Comes before close, if the session was bound.
struct unbind {
  jid who;
};
/// This was entrusted to the session, which has ended and could not write it: it goes elsewhere.
struct give_back {
  stanza what;
};
/// The session's own presence, stamped and without a `to`.
struct set_presence {
  bool available = false;
  std::int8_t priority = 0;
  std::string xml;
};
struct route {
  stanza what;
};
/// Read a batch of waiting messages, oldest first, and call on_offline(); an empty batch ends it.
struct fetch_offline {};
/// The client has these: it has answered a question that came behind them.
struct delete_offline {
  std::vector<std::int64_t> ids;
};
/// Call on_timer() after this time.
struct arm_timer {
  milliseconds after{};
};
/// Do not read for this long.
struct pause_reading {
  milliseconds time{};
};
/// Send what is pending, close the sending side, wait at most this long for the peer's end.
struct close {
  milliseconds linger{};
};
}  // namespace action

using session_action =
    std::variant<action::write, action::find_credentials, action::derive_key, action::login_failed,
                 action::restart_stream, action::bind, action::unbind, action::give_back,
                 action::set_presence, action::route, action::fetch_offline, action::delete_offline,
                 action::arm_timer, action::pause_reading, action::close>;
using session_actions = std::vector<session_action>;

inline constexpr std::int64_t never = -1;

enum class session_phase : std::uint8_t {
  header,
  login,
  login_wait,
  bind,
  bind_wait,
  bound,
  closed
};

/// Until bound.
struct login_state {
  std::optional<sasl_exchange> exchange;
  std::string username;  // whose keys the exchange has asked for
  std::uint32_t failures = 0;
  std::string bind_id;  // of the iq that waits for its answer
};

/// A stanza for the client; if it was not entrusted to the session, nothing but its text.
struct held_stanza {
  stanza what;
  bool entrusted = false;
};

/// While waiting messages are handed out.
struct held_deliveries {
  std::vector<held_stanza> behind;  // what arrived behind them
  std::size_t bytes = 0;
  std::vector<std::int64_t> shown;  // written, and still in the store
  std::string ping;                 // was sent behind those
  std::int64_t since = never;       // and is not answered yet
};

/// One client's stream. Plain fields and no functions: this is what goes on in another version of
/// the module, field by field. Times are milliseconds of the caller's clock.
struct session_state {
  jid who;
  boxed<login_state> login;       // until bound
  boxed<held_deliveries> held;    // behind the waiting messages
  std::int64_t deadline = never;  // until bound: when it must be
  std::int64_t last_read = 0;
  std::int64_t element_since = never;  // an element has begun and is not complete
  std::int64_t asked_at = never;       // a ping of ours is out
  std::int64_t armed_at = never;       // when the timer will fire
  token_bucket bytes;
  token_bucket stanzas;
  std::uint32_t pause = 0;  // milliseconds, found while the events of a read ran
  session_phase phase = session_phase::header;
  bool header_sent = false;
  bool authenticated = false;
  bool fetched = false;  // waiting messages were asked for since available
};

/// Holds nothing: as cheap to make as two pointers.
///
/// Ownership: `settings` and `state` must outlive it.
/// Threads:   one at a time.
/// Invariant: after a close action nothing but on_connection_lost() has an effect, and
///            on_entrusted() gives back what it is given. What only a login needs goes when the
///            login is over.
class session_core {
 public:
  session_core(session_settings const& settings, session_state& state) noexcept
      : settings_{settings}, s_{state} {}

  // --- the connection ---
  void on_accepted(milliseconds now, session_actions& out);
  void on_event(xml_event event, milliseconds now, session_actions& out);
  /// After the events of one read: how many bytes it had, and whether the parser is idle now.
  void on_read(std::size_t bytes, bool parser_idle, milliseconds now, session_actions& out);
  void on_leftover(session_actions& out);
  void on_timer(milliseconds now, session_actions& out);
  /// The socket is gone: nothing can be written any more.
  void on_connection_lost(session_actions& out);

  // --- answers ---
  void on_credentials(std::optional<credentials> account, milliseconds now, session_actions& out);
  void on_derived(secret salted, milliseconds now, session_actions& out);
  /// The store or the pool could not: the client may try again later.
  void on_login_failed(milliseconds now, session_actions& out);
  void on_bound(bind_outcome outcome, milliseconds now, session_actions& out);
  /// The batch stays in the store until the client has answered a ping that is sent behind it: a
  /// connection that breaks before costs nothing, and the messages come again at the next login.
  void on_offline(std::vector<offline_message> batch, milliseconds now, session_actions& out);

  // --- from the router and the operator ---
  /// A stanza for this client, as it is to be written.
  void on_delivery(std::string xml, session_actions& out);
  /// The same for what must not be lost: if the stream ends before it is written, it is given back.
  void on_entrusted(stanza what, session_actions& out);
  /// Another connection has taken the resource.
  void on_replaced(session_actions& out);
  void on_shutdown(session_actions& out);
  /// Something of ours broke.
  void on_internal_error(session_actions& out);

  // --- questions ---
  [[nodiscard]] bool waiting() const noexcept {
    return s_.phase == phase::login_wait || s_.phase == phase::bind_wait;
  }
  [[nodiscard]] bool bound() const noexcept { return s_.phase == phase::bound; }
  [[nodiscard]] bool closed() const noexcept { return s_.phase == phase::closed; }
  /// Empty until the login; bare until the bind.
  [[nodiscard]] jid const& who() const noexcept { return s_.who; }

 private:
  using phase = session_phase;

  void open_stream(stream_opened const& opened, session_actions& out);
  void write_header(std::string_view to, session_actions& out);
  void write_features(session_actions& out);
  void element(xml_element& e, milliseconds now, session_actions& out);
  void login_element(xml_element const& e, milliseconds now, session_actions& out);
  void login_step(sasl_step step, milliseconds now, session_actions& out);
  void login_failure(sasl_condition condition, session_actions& out);
  void bind_element(xml_element const& e, session_actions& out);
  void stanza_element(xml_element& e, session_actions& out);
  void iq(xml_element& e, jid const& to, bool addressed, session_actions& out);
  void message(xml_element& e, jid const& to, bool addressed, session_actions& out);
  void presence(xml_element& e, jid const& to, bool addressed, session_actions& out);
  void own_presence(xml_element& e, session_actions& out);
  void refuse(xml_element const& e, std::string_view from, stanza_condition condition,
              session_actions& out);
  void end_with(stream_condition condition, std::string_view text, session_actions& out);
  void finish(session_actions& out);
  void deliver(stanza what, bool entrusted, session_actions& out);
  std::string ask(session_actions& out);
  void on_asked(std::string_view id, session_actions& out);
  void arm(std::int64_t at, milliseconds now, session_actions& out);
  [[nodiscard]] std::int64_t next_due() const noexcept;

  session_settings const& settings_;
  session_state& s_;
};

}  // namespace chat
