#include "session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <otter/blocking.hpp>
#include <otter/exit.hpp>
#include <otter/logger.hpp>
#include <otter/message.hpp>
#include <otter/module.hpp>
#include <otter/request.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <stdexcept>
#include <utility>
#include <variant>

#include "accounts.hpp"
#include "chat_border_stamp.hpp"
#include "router.hpp"

namespace chat {
namespace {

constexpr otter::logger::module_log log{"chat.session"};

/// Tokens of the process' one timer.
constexpr std::uint64_t core_timer = 1;
constexpr std::uint64_t linger_timer = 2;

constexpr std::string_view fault_body = "<body>otter: throw</body>";

}  // namespace

session::session(std::shared_ptr<session_context const> context, otter::tcp_socket socket) {
  s_.context = std::move(context);
  s_.socket = socket;
  otter::trap_exit(true);  // the supervisor's shutdown becomes a polite end
  session_actions out;
  core().on_accepted(now(), out);
  act(out);
}

milliseconds session::now() {
  return std::chrono::duration_cast<milliseconds>(otter::node_clock::now().time_since_epoch());
}

// --- events ---

void session::handle(otter::event& what) {
  switch (what.what()) {
    case otter::event::kind::ready:
      if (otter::tcp_socket::of(what) == s_.socket) on_ready();
      break;
    case otter::event::kind::message:
      on_message(what);
      break;
    case otter::event::kind::reply:
      on_answer(what);
      break;
    case otter::event::kind::timeout: {
      if (what.token() == linger_timer) return end();
      session_actions out;
      core().on_timer(now(), out);
      act(out);
      break;
    }
    default:
      break;
  }
  after_event();
}

void session::on_message(otter::event& what) {
  session_actions out;
  if (auto* delivered = what.get_if<to_session::delivery>()) {
    core().on_delivery(std::move(delivered->xml), out);
  } else if (auto* stanza = what.get_if<to_session::entrusted>()) {
    core().on_entrusted(std::move(stanza->what), out);
  } else if (what.get_if<to_session::begin>() != nullptr) {
    s_.owns_socket = true;
  } else if (what.get_if<go_on_reading>() != nullptr) {
    s_.paused = false;
  } else if (what.get_if<to_session::replaced>() != nullptr) {
    core().on_replaced(out);
  } else if (what.get_if<otter::exited>() != nullptr) {
    core().on_shutdown(out);
  }
  act(out);
}

/// What every event is followed by: the rest of the last read if nothing stands in its way any
/// more, and the socket's mode.
void session::after_event() {
  work_off();
  if (s_.lost) {
    session_actions out;
    core().on_connection_lost(out);
    act(out);
    return end();
  }
  bool const wanted = s_.owns_socket && (s_.draining || (!core().waiting() && !s_.paused));
  if (wanted == s_.reading) return;
  s_.reading = wanted;
  if (!s_.socket.set_active(wanted ? otter::active::ready : otter::active::off)) {
    s_.lost = true;
    after_event();
  }
}

// --- reading ---

void session::on_ready() {
  if (!s_.reading) return;  // passive by now; there will be another one
  if (s_.draining) return drain();
  std::vector<xml_event> events;
  auto const got = s_.socket.read([&](std::span<std::byte const> view) {
    events = parse(otter::as_text(view));
    return view.size();
  });
  if (!got) {
    s_.lost = true;
    return;
  }
  if (*got == 0) return;
  if (!events.empty()) {
    if (s_.pending) {
      std::move(events.begin(), events.end(), std::back_inserter(*s_.pending));
    } else {
      s_.pending = std::make_unique<std::vector<xml_event>>(std::move(events));
    }
  }
  bool const idle = s_.parser == nullptr;
  work_off();
  session_actions out;
  core().on_read(*got, idle, now(), out);
  act(out);
}

/// Our side is closed; what the client still says is of no interest, its end is.
void session::drain() {
  if (!s_.socket.read([](std::span<std::byte const> view) { return view.size(); })) s_.lost = true;
}

std::vector<xml_event> session::parse(std::string_view bytes) {
  if (!s_.parser) {
    s_.parser = borrow_parser();
    auto const& limits = s_.context->settings->limits;
    s_.parser->set_limits(s_.full_limits ? limits.xml : before_login(limits));
    if (s_.stream_open)
      s_.parser->prime(s_.header);
    else
      s_.parser->reset();
  }
  auto events = s_.parser->feed(bytes);
  put_parser_away();
  return events;
}

void session::put_parser_away() {
  if (!s_.parser->idle()) return;
  if (!s_.stream_open) s_.header = s_.parser->header();
  s_.stream_open = true;
  s_.parser.reset();
}

/// Gives the core what was read, as far as it takes it.
void session::work_off() {
  session_actions out;
  for (;;) {
    if (std::exchange(s_.restarted, false)) {
      // White space apart, nothing may have been sent before the login was complete.
      bool leftover = !s_.was_idle;
      if (s_.pending)
        leftover |= !std::all_of(s_.pending->begin(), s_.pending->end(), [](xml_event const& e) {
          return std::holds_alternative<stream_whitespace>(e);
        });
      s_.pending.reset();
      if (leftover) core().on_leftover(out);
      act(out);
    }
    if (!s_.pending || core().waiting()) return;
    auto events = std::exchange(s_.pending, nullptr);
    std::size_t next = 0;
    while (next < events->size() && !core().waiting() && !s_.restarted) {
#if CHAT_SESSION_VERSION >= 2
      if (core().bound() && std::holds_alternative<stream_element>((*events)[next])) ++s_.received;
#endif
      core().on_event(std::move((*events)[next++]), now(), out);
      act(out);
    }
    events->erase(events->begin(), events->begin() + static_cast<std::ptrdiff_t>(next));
    if (!events->empty()) s_.pending = std::move(events);
    if (!s_.restarted && (!s_.pending || core().waiting())) return;
  }
}

// --- answers ---

void session::on_answer(otter::event& what) {
  session_actions out;
  switch (std::exchange(s_.question, question::none)) {
    case question::none:
      return;
    case question::credentials: {
      using reply = accounts::find::reply;
      auto got = otter::check_response(what, otter::sent_request<reply>{s_.asked});
      if (got && *got && **got)
        core().on_credentials(***std::move(got), now(), out);
      else
        core().on_login_failed(now(), out);
      break;
    }
    case question::derivation: {
      auto got = otter::check_response(what, otter::sent_request<secret>{s_.asked});
      if (got && *got)
        core().on_derived(**std::move(got), now(), out);
      else
        core().on_login_failed(now(), out);
      break;
    }
    case question::binding: {
      auto const got = otter::check_response(what, otter::sent_request<bind_outcome>{s_.asked});
      core().on_bound(got && *got ? **got : bind_outcome::failed, now(), out);
      if (core().bound()) arrived();
      break;
    }
    case question::offline: {
      auto got = otter::check_response(what, otter::sent_request<offline_batch>{s_.asked});
      core().on_offline(got && *got ? **std::move(got) : offline_batch{}, now(), out);
      break;
    }
    case question::leaving: {
      if (!otter::check_response(what, otter::sent_request<void>{s_.asked})) {
        s_.question = question::leaving;  // that was the answer to an earlier one
        return;
      }
      otter::cast(s_.context->router, router::left{otter::self()});
      if (s_.over) stop(otter::exit_reason::normal());
      break;
    }
  }
  act(out);
}

void session::arrived() {
  log.info("somebody is here", {{"who", [this] { return core().who().full(); }}});
  if (auto const from = s_.socket.peer_address())
    otter::cast(s_.context->accounts,
                accounts::logged_in{std::string{core().who().local()}, *from});
}

/// The connection is over; the process, when nothing can be entrusted to it any more.
void session::end() {
  s_.over = true;
  if (s_.question != question::leaving) stop(otter::exit_reason::normal());
}

// --- what the core asks for ---

void session::act(session_actions& actions) {
  auto todo = std::exchange(actions, {});
  std::string text;  // what is written in one go is sent in one go
  for (auto& one : todo) {
    if (auto* more = std::get_if<action::write>(&one)) {
      if (text.empty())
        text = std::move(more->bytes);
      else
        text += more->bytes;
      continue;
    }
    if (!text.empty()) send_now(std::exchange(text, {}));
    std::visit(
        [this](auto& a) {
          if constexpr (!std::is_same_v<decltype(a), action::write&>) carry_out(a);
        },
        one);
  }
  if (!text.empty()) send_now(text);
}

/// The queue's high mark is the most that may be unsent, and a send that would have to wait fails.
void session::send_now(std::string const& bytes) {
  if (s_.lost || s_.draining) return;
  auto const sent = s_.socket.send(bytes);
  if (sent) return;
  if (sent.error() == otter::tcp_errc::timeout)
    log.warning("too much is unsent, the connection is cut",
                {{"session", [this] { return format_status(); }},
                 {"bytes", s_.context->settings->limits.send_queue_bytes}});
  static_cast<void>(s_.socket.set_linger(otter::duration::zero()));
  s_.lost = true;
}

void session::carry_out(action::find_credentials& a) {
  auto const from = s_.socket.peer_address();
  s_.question = question::credentials;
  s_.asked = otter::send_request(
      s_.context->accounts,
      accounts::find{std::move(a.username), from.value_or(otter::tcp_address{})});
}

void session::carry_out(action::derive_key& a) {
  s_.question = question::derivation;
  s_.asked = otter::offload([job = std::move(a.job)] { return chat::run(job); });
}

void session::carry_out(action::login_failed& a) {
  auto const from = s_.socket.peer_address();
  if (!from) return;
  log.info("a login has failed", {{"from", *from}});
  otter::cast(s_.context->accounts, accounts::login_failed{std::move(a.username), *from});
}

void session::carry_out(action::restart_stream&) {
  s_.was_idle = s_.parser == nullptr;
  s_.parser.reset();
  s_.header.clear();
  s_.stream_open = false;
  s_.full_limits = true;
  s_.restarted = true;
}

void session::carry_out(action::bind& a) {
  s_.question = question::binding;
  s_.asked = otter::send_request(s_.context->router, router::bind{std::move(a.who)});
}

void session::carry_out(action::unbind& a) {
  log.info("somebody has left", {{"who", [&] { return a.who.full(); }}});
  s_.question = question::leaving;
  s_.asked = otter::send_request(s_.context->router, router::unbind{});
}

void session::carry_out(action::give_back& a) {
  otter::cast(s_.context->router, router::give_back{std::move(a.what)});
}

void session::carry_out(action::set_presence& a) {
  otter::cast(s_.context->router,
              router::set_presence{otter::self(), a.available, a.priority, std::move(a.xml)});
}

void session::carry_out(action::route& a) {
  if (s_.context->fault_injection && a.what.xml.find(fault_body) != std::string::npos)
    throw std::runtime_error("this session was asked to throw (--fault-injection)");
  otter::cast(s_.context->router, router::route{otter::self(), std::move(a.what)});
}

void session::carry_out(action::fetch_offline&) {
  s_.question = question::offline;
  s_.asked = otter::send_request(s_.context->router,
                                 router::fetch_offline{std::string{core().who().local()}});
}

void session::carry_out(action::delete_offline& a) {
  otter::cast(s_.context->router,
              router::forget_offline{std::string{core().who().local()}, std::move(a.ids)});
}

void session::carry_out(action::arm_timer& a) { start_timeout(a.after, core_timer); }

void session::carry_out(action::pause_reading& a) {
  s_.paused = true;
  otter::send_after(a.time, otter::self(), go_on_reading{});
}

void session::carry_out(action::close& a) {
  s_.parser.reset();  // what the client still says is not parsed
  if (s_.lost) return;
  s_.draining = true;
  static_cast<void>(s_.socket.shutdown_write());
  start_timeout(a.linger, linger_timer);
}

// --- an end that nobody has planned ---

/// Something here threw, or the session is ended while it is suspended. The client is told, the
/// router and the supervisor hear of it by themselves, and nobody else is touched. After an end of
/// the stream this says nothing.
void session::terminate(otter::exit_reason const& reason) {
  session_actions out;
  if (reason.abnormal())
    core().on_internal_error(out);
  else
    core().on_shutdown(out);
  act(out);
}

std::string session::format_status() const {
  jid const& who = s_.core.who;
  if (who.empty()) return "a session that is not logged in";
#if CHAT_SESSION_VERSION >= 2
  return fmt::format("the session of {}, {} stanzas", who.full(), s_.received);
#else
  return fmt::format("the session of {}", who.full());
#endif
}

}  // namespace chat

// --- what the server sees of the module ---

namespace chat {
namespace {

otter::pid start(std::shared_ptr<session_context const> context, otter::tcp_socket socket) {
  return session::spawn({.link = true, .label = "chat session"}, std::move(context), socket)
      .process;
}

/// Whatever server and module both have must be laid out the same in both.
void check_border() {
  if (border_stamp() != CHAT_BORDER_STAMP)
    otter::exit(otter::exit_reason::of(
        fmt::format("it was built with other headers of the chat server ({}) than the server that "
                    "loads it ({}): such a change needs a restart of the server",
                    CHAT_BORDER_STAMP, border_stamp())));
}

}  // namespace
}  // namespace chat

OTTER_MODULE(otter::code::on_load<&chat::check_border>(), otter::code::behaviour<chat::session>(),
             otter::code::function<&chat::start>("start"));
