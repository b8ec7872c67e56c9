#include "session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <otter/blocking.hpp>
#include <otter/exit.hpp>
#include <otter/logger.hpp>
#include <otter/message.hpp>
#include <otter/request.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <stdexcept>
#include <utility>
#include <variant>

#include "accounts.hpp"
#include "router.hpp"

namespace chat {
namespace {

constexpr otter::logger::module_log log{"chat.session"};

/// Tokens of the process' one timer.
constexpr std::uint64_t core_timer = 1;
constexpr std::uint64_t linger_timer = 2;

constexpr std::string_view fault_body = "<body>otter: throw</body>";

}  // namespace

session::session(std::shared_ptr<session_context const> context, otter::tcp_socket socket)
    : context_{std::move(context)}, socket_{socket}, core_{*context_->settings} {}
session::~session() = default;

milliseconds session::now() {
  return std::chrono::duration_cast<milliseconds>(otter::node_clock::now().time_since_epoch());
}

// --- events ---

void session::start() {
  otter::trap_exit(true);  // the supervisor's shutdown becomes a polite end
  session_actions out;
  core_.on_accepted(now(), out);
  act(out);
}

void session::handle(otter::event& what) {
  switch (what.what()) {
    case otter::event::kind::ready:
      if (otter::tcp_socket::of(what) == socket_) on_ready();
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
      core_.on_timer(now(), out);
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
  if (auto* delivered = what.get_if<delivery>()) {
    core_.on_delivery(std::move(delivered->xml), out);
  } else if (auto* stanza = what.get_if<entrusted>()) {
    core_.on_entrusted(std::move(stanza->what), out);
  } else if (what.get_if<begin>() != nullptr) {
    owns_socket_ = true;
  } else if (what.get_if<go_on_reading>() != nullptr) {
    paused_ = false;
  } else if (what.get_if<replaced>() != nullptr) {
    core_.on_replaced(out);
  } else if (what.get_if<otter::exited>() != nullptr) {
    core_.on_shutdown(out);
  }
  act(out);
}

/// What every event is followed by: the rest of the last read if nothing stands in its way any
/// more, and the socket's mode.
void session::after_event() {
  work_off();
  if (lost_) {
    session_actions out;
    core_.on_connection_lost(out);
    act(out);
    return end();
  }
  bool const wanted = owns_socket_ && (draining_ || (!core_.waiting() && !paused_));
  if (wanted == reading_) return;
  reading_ = wanted;
  if (!socket_.set_active(wanted ? otter::active::ready : otter::active::off)) {
    lost_ = true;
    after_event();
  }
}

// --- reading ---

void session::on_ready() {
  if (!reading_) return;  // passive by now; there will be another one
  if (draining_) return drain();
  std::vector<xml_event> events;
  auto const got = socket_.read([&](std::span<std::byte const> view) {
    events = parse(otter::as_text(view));
    return view.size();
  });
  if (!got) {
    lost_ = true;
    return;
  }
  if (*got == 0) return;
  if (!events.empty()) {
    if (pending_) {
      std::move(events.begin(), events.end(), std::back_inserter(*pending_));
    } else {
      pending_ = std::make_unique<std::vector<xml_event>>(std::move(events));
    }
  }
  bool const idle = parser_ == nullptr;
  work_off();
  session_actions out;
  core_.on_read(*got, idle, now(), out);
  act(out);
}

/// Our side is closed; what the client still says is of no interest, its end is.
void session::drain() {
  if (!socket_.read([](std::span<std::byte const> view) { return view.size(); })) lost_ = true;
}

std::vector<xml_event> session::parse(std::string_view bytes) {
  if (!parser_) {
    parser_ = borrow_parser();
    auto const& limits = context_->settings->limits;
    parser_->set_limits(full_limits_ ? limits.xml : before_login(limits));
    if (stream_open_)
      parser_->prime(header_);
    else
      parser_->reset();
  }
  auto events = parser_->feed(bytes);
  put_parser_away();
  return events;
}

void session::put_parser_away() {
  if (!parser_->idle()) return;
  if (!stream_open_) header_ = parser_->header();
  stream_open_ = true;
  parser_.reset();
}

/// Gives the core what was read, as far as it takes it.
void session::work_off() {
  session_actions out;
  for (;;) {
    if (std::exchange(restarted_, false)) {
      // White space apart, nothing may have been sent before the login was complete.
      bool leftover = !was_idle_;
      if (pending_)
        leftover |= !std::all_of(pending_->begin(), pending_->end(), [](xml_event const& e) {
          return std::holds_alternative<stream_whitespace>(e);
        });
      pending_.reset();
      if (leftover) core_.on_leftover(out);
      act(out);
    }
    if (!pending_ || core_.waiting()) return;
    auto events = std::exchange(pending_, nullptr);
    std::size_t next = 0;
    while (next < events->size() && !core_.waiting() && !restarted_) {
      core_.on_event(std::move((*events)[next++]), now(), out);
      act(out);
    }
    events->erase(events->begin(), events->begin() + static_cast<std::ptrdiff_t>(next));
    if (!events->empty()) pending_ = std::move(events);
    if (!restarted_ && (!pending_ || core_.waiting())) return;
  }
}

// --- answers ---

void session::on_answer(otter::event& what) {
  session_actions out;
  switch (std::exchange(question_, question::none)) {
    case question::none:
      return;
    case question::credentials: {
      using reply = accounts::find::reply;
      auto got = otter::check_response(what, otter::sent_request<reply>{asked_});
      if (got && *got && **got)
        core_.on_credentials(***std::move(got), now(), out);
      else
        core_.on_login_failed(now(), out);
      break;
    }
    case question::derivation: {
      auto got = otter::check_response(what, otter::sent_request<secret>{asked_});
      if (got && *got)
        core_.on_derived(**std::move(got), now(), out);
      else
        core_.on_login_failed(now(), out);
      break;
    }
    case question::binding: {
      auto const got = otter::check_response(what, otter::sent_request<bind_outcome>{asked_});
      core_.on_bound(got && *got ? **got : bind_outcome::failed, now(), out);
      if (core_.bound()) arrived();
      break;
    }
    case question::offline: {
      auto got = otter::check_response(what, otter::sent_request<offline_batch>{asked_});
      core_.on_offline(got && *got ? **std::move(got) : offline_batch{}, now(), out);
      break;
    }
    case question::leaving: {
      if (!otter::check_response(what, otter::sent_request<void>{asked_})) {
        question_ = question::leaving;  // that was the answer to an earlier one
        return;
      }
      otter::cast(context_->router, router::left{otter::self()});
      if (over_) stop(otter::exit_reason::normal());
      break;
    }
  }
  act(out);
}

void session::arrived() {
  log.info("somebody is here", {{"who", [this] { return core_.who().full(); }}});
  if (auto const from = socket_.peer_address())
    otter::cast(context_->accounts, accounts::logged_in{std::string{core_.who().local()}, *from});
}

/// The connection is over; the process, when nothing can be entrusted to it any more.
void session::end() {
  over_ = true;
  if (question_ != question::leaving) stop(otter::exit_reason::normal());
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
  if (lost_ || draining_) return;
  auto const sent = socket_.send(bytes);
  if (sent) return;
  if (sent.error() == otter::tcp_errc::timeout)
    log.warning("too much is unsent, the connection is cut",
                {{"session", [this] { return describe(); }},
                 {"bytes", context_->settings->limits.send_queue_bytes}});
  static_cast<void>(socket_.set_linger(otter::duration::zero()));
  lost_ = true;
}

void session::carry_out(action::find_credentials& a) {
  auto const from = socket_.peer_address();
  question_ = question::credentials;
  asked_ = otter::send_request(
      context_->accounts,
      accounts::find{std::move(a.username), from.value_or(otter::tcp_address{})});
}

void session::carry_out(action::derive_key& a) {
  question_ = question::derivation;
  asked_ = otter::offload([job = std::move(a.job)] { return run(job); });
}

void session::carry_out(action::login_failed& a) {
  auto const from = socket_.peer_address();
  if (!from) return;
  log.info("a login has failed", {{"from", *from}});
  otter::cast(context_->accounts, accounts::login_failed{std::move(a.username), *from});
}

void session::carry_out(action::restart_stream&) {
  was_idle_ = parser_ == nullptr;
  parser_.reset();
  header_.clear();
  stream_open_ = false;
  full_limits_ = true;
  restarted_ = true;
}

void session::carry_out(action::bind& a) {
  question_ = question::binding;
  asked_ = otter::send_request(context_->router, router::bind{std::move(a.who)});
}

void session::carry_out(action::unbind& a) {
  log.info("somebody has left", {{"who", [&] { return a.who.full(); }}});
  question_ = question::leaving;
  asked_ = otter::send_request(context_->router, router::unbind{});
}

void session::carry_out(action::give_back& a) {
  otter::cast(context_->router, router::give_back{std::move(a.what)});
}

void session::carry_out(action::set_presence& a) {
  otter::cast(context_->router,
              router::set_presence{otter::self(), a.available, a.priority, std::move(a.xml)});
}

void session::carry_out(action::route& a) {
  if (context_->fault_injection && a.what.xml.find(fault_body) != std::string::npos)
    throw std::runtime_error("this session was asked to throw (--fault-injection)");
  otter::cast(context_->router, router::route{otter::self(), std::move(a.what)});
}

void session::carry_out(action::fetch_offline&) {
  question_ = question::offline;
  asked_ = otter::send_request(context_->router,
                               router::fetch_offline{std::string{core_.who().local()}});
}

void session::carry_out(action::delete_offline& a) {
  otter::cast(context_->router,
              router::forget_offline{std::string{core_.who().local()}, std::move(a.ids)});
}

void session::carry_out(action::arm_timer& a) { start_timeout(a.after, core_timer); }

void session::carry_out(action::pause_reading& a) {
  paused_ = true;
  otter::send_after(a.time, otter::self(), go_on_reading{});
}

void session::carry_out(action::close& a) {
  parser_.reset();  // what the client still says is not parsed
  if (lost_) return;
  draining_ = true;
  static_cast<void>(socket_.shutdown_write());
  start_timeout(a.linger, linger_timer);
}

// --- a bad end ---

/// Something here threw. The client is told, the router and the supervisor hear of it by
/// themselves, and nobody else is touched.
void session::ending(otter::exit_reason const& reason) {
  if (!reason.abnormal()) return;
  session_actions out;
  core_.on_internal_error(out);
  act(out);
}

std::string session::describe() const {
  if (core_.who().empty()) return "a session that is not logged in";
  return fmt::format("the session of {}", core_.who().full());
}

}  // namespace chat
