#include "session_core.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base64.hpp"
#include "iq_services.hpp"

namespace chat {
namespace {

template <typename... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

std::int64_t in_ms(std::chrono::seconds s) { return milliseconds{s}.count(); }

/// The major number of `1.0`; nothing if it is no version.
std::optional<int> major_version(std::string_view text) {
  int major = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), major);
  auto const* const last = text.data() + text.size();
  if (error != std::errc{} || end == last || *end != '.' || end + 1 == last || major < 0)
    return std::nullopt;
  if (!std::all_of(end + 1, last, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  return major;
}

/// The priority of a presence: 0 without one, nothing if it is no number from -128 to 127.
std::optional<std::int8_t> priority_of(xml_element const& presence) {
  auto const* child = presence.child("priority", ns::client);
  if (child == nullptr) return std::int8_t{0};
  auto const text = child->text();
  std::string_view view = text;
  while (!view.empty() && (view.front() == ' ' || view.front() == '\n')) view.remove_prefix(1);
  while (!view.empty() && (view.back() == ' ' || view.back() == '\n')) view.remove_suffix(1);
  if (view.starts_with('+')) view.remove_prefix(1);
  int value = 0;
  auto const [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc{} || end != view.data() + view.size() || value < -128 || value > 127)
    return std::nullopt;
  return static_cast<std::int8_t>(value);
}

}  // namespace

// --- time ---

void session_core::arm(std::int64_t at, milliseconds now, session_actions& out) {
  s_.armed_at = at;
  out.emplace_back(action::arm_timer{milliseconds{std::max<std::int64_t>(at - now.count(), 0)}});
}

std::int64_t session_core::next_due() const noexcept {
  if (s_.phase != phase::bound) return s_.deadline;
  auto const& limits = settings_.limits;
  std::int64_t due = s_.asked_at == never ? s_.last_read + in_ms(limits.idle_time)
                                          : s_.asked_at + in_ms(limits.answer_time);
  if (s_.element_since != never) due = std::min(due, s_.element_since + in_ms(limits.element_time));
  if (s_.held && s_.held->since != never)
    due = std::min(due, s_.held->since + in_ms(limits.answer_time));
  return due;
}

void session_core::on_accepted(milliseconds now, session_actions& out) {
  s_.login.fill();
  s_.last_read = now.count();
  s_.deadline = now.count() + in_ms(settings_.limits.header_time);
  arm(s_.deadline, now, out);
}

void session_core::on_timer(milliseconds now, session_actions& out) {
  if (s_.phase == phase::closed) return;
  auto const due = next_due();
  if (now.count() < due) return arm(due, now, out);  // something happened since it was armed
  if (s_.phase != phase::bound)
    return end_with(stream_condition::connection_timeout, "login takes too long", out);
  auto const& limits = settings_.limits;
  if (s_.element_since != never && now.count() >= s_.element_since + in_ms(limits.element_time))
    return end_with(stream_condition::connection_timeout, "element takes too long", out);
  if (s_.held && s_.held->since != never &&
      now.count() >= s_.held->since + in_ms(limits.answer_time))
    return end_with(stream_condition::connection_timeout, "waiting messages are not read", out);
  if (s_.asked_at != never) return end_with(stream_condition::connection_timeout, "no answer", out);
  s_.asked_at = now.count();
  ask(out);
  arm(next_due(), now, out);
}

/// A ping, which every client must answer (RFC 6120, section 8.2.3). Gives its id.
std::string session_core::ask(session_actions& out) {
  auto id = "otter-" + random_hex(settings_.sasl.random, 4);
  xml_element ping{"iq", ns::client};
  ping.set("type", "get").set("id", id);
  ping.set("from", settings_.domain).set("to", s_.who.full());
  ping.add(xml_element{"ping", "urn:xmpp:ping"});
  out.emplace_back(action::write{to_xml(ping)});
  return id;
}

void session_core::on_read(std::size_t bytes, bool parser_idle, milliseconds now,
                           session_actions& out) {
  if (s_.phase == phase::closed) return;
  s_.last_read = now.count();
  s_.asked_at = never;
  if (parser_idle) {
    s_.element_since = never;
  } else if (s_.element_since == never) {
    s_.element_since = now.count();
  }
  // The timer is not touched for every read: when it fires too early it is armed again. Only what
  // is due before it needs a new one.
  if (s_.phase == phase::bound && (s_.armed_at == never || next_due() < s_.armed_at))
    arm(next_due(), now, out);
  auto const wait = s_.bytes.take(settings_.limits.bytes, static_cast<std::uint32_t>(bytes), now);
  auto const longest = std::max<std::int64_t>(wait.count(), s_.pause);
  s_.pause = 0;
  if (longest > 0) out.emplace_back(action::pause_reading{milliseconds{longest}});
}

// --- ends ---

void session_core::finish(session_actions& out) {
  if (s_.phase == phase::bound || s_.phase == phase::bind_wait)
    out.emplace_back(action::unbind{s_.who});
  s_.phase = phase::closed;
  s_.login.clear();
  if (!s_.held) return;
  for (auto& one : s_.held->behind)
    if (one.entrusted) out.emplace_back(action::give_back{std::move(one.what)});
  s_.held.clear();
}

void session_core::end_with(stream_condition condition, std::string_view text,
                            session_actions& out) {
  if (s_.phase == phase::closed) return;
  if (!s_.header_sent) write_header({}, out);
  auto bytes = stream_error_xml(condition, text);
  bytes += stream_end_xml;
  out.emplace_back(action::write{std::move(bytes)});
  finish(out);
  out.emplace_back(action::close{settings_.limits.close_time});
}

void session_core::on_connection_lost(session_actions& out) {
  if (s_.phase != phase::closed) finish(out);
}

void session_core::on_replaced(session_actions& out) {
  end_with(stream_condition::conflict, "resource taken by a new connection", out);
}
void session_core::on_shutdown(session_actions& out) {
  end_with(stream_condition::system_shutdown, {}, out);
}
void session_core::on_internal_error(session_actions& out) {
  end_with(stream_condition::internal_server_error, {}, out);
}
void session_core::on_leftover(session_actions& out) {
  end_with(stream_condition::policy_violation, "data before the stream was restarted", out);
}

// --- the stream ---

void session_core::on_event(xml_event event, milliseconds now, session_actions& out) {
  if (s_.phase == phase::closed) return;
  std::visit(overloaded{
                 [&](stream_opened& opened) {
                   open_stream(opened, out);
                   // The header is there: from now on the login has its own time, counted from
                   // accept.
                   if (s_.phase == phase::login) {
                     auto const& limits = settings_.limits;
                     s_.deadline += in_ms(limits.login_time) - in_ms(limits.header_time);
                     arm(s_.deadline, now, out);
                   }
                 },
                 [&](stream_element& done) {
                   s_.element_since = never;
                   auto const wait = s_.stanzas.take(settings_.limits.stanzas, 1, now);
                   s_.pause = std::max(s_.pause, static_cast<std::uint32_t>(wait.count()));
                   element(done.element, now, out);
                 },
                 [](stream_whitespace&) {},
                 [&](stream_closed&) {
                   out.emplace_back(action::write{std::string{stream_end_xml}});
                   finish(out);
                   out.emplace_back(action::close{settings_.limits.close_time});
                 },
                 [&](stream_fault& fault) { end_with(fault.condition, fault.text, out); },
             },
             event);
}

void session_core::write_header(std::string_view to, session_actions& out) {
  s_.header_sent = true;
  out.emplace_back(action::write{
      stream_header_xml(settings_.domain, random_hex(settings_.sasl.random, 16), to)});
}

void session_core::open_stream(stream_opened const& opened, session_actions& out) {
  // The answer to a header is a header, whatever is wrong with it (RFC 6120, section 4.9.1.2).
  std::optional<jid> from;
  if (auto const* text = opened.attribute("from"))
    if (auto parsed = jid::parse(*text)) from = *parsed;
  write_header(from ? std::string_view{from->full()} : std::string_view{}, out);

  if (opened.ns != ns::streams)
    return end_with(stream_condition::invalid_namespace, "not a stream", out);
  if (opened.name != "stream") return end_with(stream_condition::bad_format, "not a stream", out);
  bool const client_content =
      opened.default_ns == ns::client ||
      (opened.client_prefix && (opened.default_ns.empty() || opened.default_ns == ns::streams));
  if (!client_content)
    return end_with(stream_condition::invalid_namespace, "content is not jabber:client", out);
  auto const* version = opened.attribute("version");
  auto const major = version == nullptr ? std::nullopt : major_version(*version);
  if (!major || *major < 1)
    return end_with(stream_condition::unsupported_version, "version 1.0 is needed", out);
  if (auto const* to = opened.attribute("to")) {
    auto const parsed = jid::parse(*to);
    if (!parsed) return end_with(stream_condition::improper_addressing, parsed.error(), out);
    if (parsed->full() != settings_.domain)
      return end_with(stream_condition::host_unknown, {}, out);
  }
  write_features(out);
  s_.phase = s_.authenticated ? phase::bind : phase::login;
}

void session_core::write_features(session_actions& out) {
  xml_element features{"features", ns::streams};
  if (s_.authenticated) {
    xml_element session{"session", ns::session};
    session.add(xml_element{"optional", ns::session});
    features.add(xml_element{"bind", ns::bind}).add(std::move(session));
  } else {
    xml_element mechanisms{"mechanisms", ns::sasl};
    for (auto const name : sasl_mechanisms) {
      xml_element mechanism{"mechanism", ns::sasl};
      mechanism.add_text(name);
      mechanisms.add(std::move(mechanism));
    }
    features.add(std::move(mechanisms));
  }
  out.emplace_back(action::write{to_xml(features)});
}

void session_core::element(xml_element& e, milliseconds now, session_actions& out) {
  bool const is_stanza = kind_of(e).has_value();
  switch (s_.phase) {
    case phase::header:  // of the old stream, behind a success
    case phase::login_wait:
    case phase::bind_wait:
      return on_leftover(out);
    case phase::login:
      if (is_stanza) return end_with(stream_condition::not_authorized, "log in first", out);
      return login_element(e, now, out);
    case phase::bind:
      if (is_stanza) return bind_element(e, out);
      break;
    case phase::bound:
      if (is_stanza) return stanza_element(e, out);
      break;
    case phase::closed:
      return;
  }
  if (e.is("starttls", ns::tls)) return login_element(e, now, out);
  end_with(stream_condition::unsupported_stanza_type, {}, out);
}

// --- login ---

void session_core::login_element(xml_element const& e, milliseconds now, session_actions& out) {
  if (e.is("starttls", ns::tls)) {
    // Not offered; RFC 6120, section 5.4.2.2: failure, then both sides are done.
    auto bytes = to_xml(xml_element{"failure", ns::tls});
    bytes += stream_end_xml;
    out.emplace_back(action::write{std::move(bytes)});
    finish(out);
    out.emplace_back(action::close{settings_.limits.close_time});
    return;
  }
  auto& login = *s_.login;
  if (e.is("abort", ns::sasl)) return login_failure(sasl_condition::aborted, out);
  bool const auth = e.is("auth", ns::sasl);
  if (!auth && !e.is("response", ns::sasl))
    return end_with(stream_condition::unsupported_stanza_type, {}, out);
  // A second <auth> while one runs, or a response while none does.
  if (auth == login.exchange.has_value())
    return login_failure(sasl_condition::malformed_request, out);

  auto text = e.text();
  std::optional<std::string> data;
  if (text == "=")
    data.emplace();
  else if (!text.empty() || !auth)
    data = base64_decode(text);
  if (!data && !text.empty()) return login_failure(sasl_condition::incorrect_encoding, out);
  if (auth) {
    auto const* mechanism = e.attribute("mechanism");
    if (mechanism == nullptr) return login_failure(sasl_condition::invalid_mechanism, out);
    login.exchange.emplace(settings_.sasl);
    std::optional<std::string_view> initial;
    if (data) initial = *data;
    login_step(login.exchange->start(*mechanism, initial), now, out);
  } else {
    login_step(login.exchange->response(*data), now, out);
  }
  // Both may hold a password (PLAIN).
  if (data) wipe(data->data(), data->size());
  wipe(text.data(), text.size());
}

void session_core::login_step(sasl_step step, milliseconds now, session_actions& out) {
  s_.phase = phase::login;
  std::visit(overloaded{
                 [&](need_credentials& need) {
                   s_.phase = phase::login_wait;
                   s_.login->username = need.username;
                   out.emplace_back(action::find_credentials{std::move(need.username)});
                 },
                 [&](need_derivation& need) {
                   s_.phase = phase::login_wait;
                   out.emplace_back(action::derive_key{std::move(need.job)});
                 },
                 [&](sasl_challenge& challenge) {
                   xml_element e{"challenge", ns::sasl};
                   e.add_text(base64_encode(challenge.data));
                   out.emplace_back(action::write{to_xml(e)});
                 },
                 [&](sasl_success& success) {
                   xml_element e{"success", ns::sasl};
                   e.add_text(base64_encode(success.data));
                   out.emplace_back(action::write{to_xml(e)});
                   out.emplace_back(action::restart_stream{settings_.limits.xml});
                   s_.who = jid::from_prepared(success.username, settings_.domain);
                   s_.login->exchange.reset();
                   s_.authenticated = true;
                   s_.header_sent = false;
                   s_.phase = phase::header;
                   s_.deadline = now.count() + in_ms(settings_.limits.login_time);
                   arm(s_.deadline, now, out);
                 },
                 [&](sasl_failure& failure) { login_failure(failure.condition, out); },
             },
             step);
}

void session_core::login_failure(sasl_condition condition, session_actions& out) {
  s_.login->exchange.reset();
  s_.phase = phase::login;
  xml_element e{"failure", ns::sasl};
  e.add(xml_element{to_string(condition), ns::sasl});
  out.emplace_back(action::write{to_xml(e)});
  // A name that nobody can have asks for no keys, and is no guess.
  auto const username = std::exchange(s_.login->username, {});
  if (condition == sasl_condition::not_authorized && !username.empty())
    out.emplace_back(action::login_failed{username});
  if (++s_.login->failures >= settings_.limits.login_attempts)
    end_with(stream_condition::policy_violation, "too many failed logins", out);
}

void session_core::on_credentials(std::optional<credentials> account, milliseconds now,
                                  session_actions& out) {
  if (s_.phase != phase::login_wait) return;  // the stream has ended meanwhile
  login_step(s_.login->exchange->found(std::move(account)), now, out);
}

void session_core::on_derived(secret salted, milliseconds now, session_actions& out) {
  if (s_.phase != phase::login_wait) return;
  login_step(s_.login->exchange->derived(std::move(salted)), now, out);
}

void session_core::on_login_failed(milliseconds, session_actions& out) {
  if (s_.phase != phase::login_wait) return;
  login_failure(sasl_condition::temporary_auth_failure, out);
}

// --- bind ---

void session_core::bind_element(xml_element const& e, session_actions& out) {
  auto const* request = e.child("bind", ns::bind);
  auto const* type = e.attribute("type");
  if (e.name() != "iq" || request == nullptr || type == nullptr || *type != "set")
    return end_with(stream_condition::not_authorized, "bind a resource first", out);
  auto const* id = e.attribute("id");
  if (id == nullptr || id->empty() || e.child_count() != 1)
    return refuse(e, {}, stanza_condition::bad_request, out);
  std::string resource;
  auto const* wanted = request->child("resource", ns::bind);
  if (wanted != nullptr) resource = wanted->text();
  if (resource.empty()) {
    resource = random_hex(settings_.sasl.random, 8);
  } else {
    auto prepared = prepare_resource(resource);
    if (!prepared) return refuse(e, {}, stanza_condition::bad_request, out);
    resource = *std::move(prepared);
  }
  s_.login->bind_id = *id;
  s_.who = jid::from_prepared(s_.who.local(), s_.who.domain(), resource);
  s_.phase = phase::bind_wait;
  out.emplace_back(action::bind{s_.who});
}

void session_core::on_bound(bind_outcome outcome, milliseconds now, session_actions& out) {
  if (s_.phase != phase::bind_wait) return;
  xml_element answer{"iq", ns::client};
  answer.set("id", s_.login->bind_id);
  if (outcome != bind_outcome::bound) {
    answer.set("type", "error");
    answer.add(error_element(outcome == bind_outcome::failed
                                 ? stanza_condition::internal_server_error
                                 : stanza_condition::resource_constraint));
    out.emplace_back(action::write{to_xml(answer)});
    s_.who = s_.who.to_bare();
    s_.phase = phase::bind;
    return;
  }
  xml_element address{"jid", ns::bind};
  address.add_text(s_.who.full());
  xml_element bound{"bind", ns::bind};
  bound.add(std::move(address));
  answer.set("type", "result").add(std::move(bound));
  out.emplace_back(action::write{to_xml(answer)});
  s_.phase = phase::bound;
  s_.login.clear();
  s_.deadline = never;
  s_.last_read = now.count();
  arm(next_due(), now, out);
}

// --- stanzas ---

void session_core::refuse(xml_element const& e, std::string_view from, stanza_condition condition,
                          session_actions& out) {
  auto const kind = kind_of(e).value();
  auto const* type = e.attribute("type");
  // Never an answer to an answer.
  if (type != nullptr && (*type == "error" || (kind == stanza_kind::iq && *type == "result")))
    return;
  auto const* id = e.attribute("id");
  out.emplace_back(
      action::write{stanza_error_xml(kind, id == nullptr ? std::string_view{} : *id, from,
                                     bound() ? std::string_view{s_.who.full()} : "", condition)});
}

void session_core::stanza_element(xml_element& e, session_actions& out) {
  if (auto const* from = e.attribute("from")) {
    auto const parsed = jid::parse(*from);
    if (!parsed || (*parsed != s_.who && parsed->full() != s_.who.bare()))
      return end_with(stream_condition::invalid_from, {}, out);
  }
  jid to;
  auto const* to_text = e.attribute("to");
  if (to_text != nullptr) {
    auto parsed = jid::parse(*to_text);
    if (!parsed) return refuse(e, settings_.domain, stanza_condition::jid_malformed, out);
    to = *std::move(parsed);
  }
  bool const addressed = to_text != nullptr;
  switch (kind_of(e).value()) {
    case stanza_kind::iq:
      return iq(e, to, addressed, out);
    case stanza_kind::message:
      return message(e, to, addressed, out);
    case stanza_kind::presence:
      return presence(e, to, addressed, out);
  }
}

void session_core::iq(xml_element& e, jid const& to, bool addressed, session_actions& out) {
  std::string_view const reply_from = addressed ? std::string_view{to.full()} : std::string_view{};
  auto const* id = e.attribute("id");
  auto const cls = classify(e);
  if (id == nullptr || id->empty() || !cls)
    return refuse(e, reply_from, stanza_condition::bad_request, out);
  bool const request = cls == stanza_class::iq_request;
  if (request && e.child_count() != 1)
    return refuse(e, reply_from, stanza_condition::bad_request, out);
  bool const own_account = !addressed || to.full() == s_.who.bare();
  bool const server = addressed && to.full() == settings_.domain;
  if (!own_account && !server) {
    out.emplace_back(action::route{make_stanza(std::move(e), s_.who, to)});
    return;
  }
  if (!request) return on_asked(*id, out);
  auto const& payload = *e.first_child();
  bool const is_set = *e.attribute("type") == "set";
  if (payload.is("bind", ns::bind))
    return refuse(e, reply_from, stanza_condition::not_allowed, out);
  auto answer = answer_iq(own_account ? iq_target::own_account : iq_target::server, is_set, payload,
                          settings_.time_of_day());
  if (auto const* condition = std::get_if<stanza_condition>(&answer))
    return refuse(e, reply_from, *condition, out);
  xml_element result{"iq", ns::client};
  result.set("type", "result").set("id", *id);
  if (addressed) result.set("from", reply_from);
  result.set("to", s_.who.full());
  auto& payload_out = std::get<iq_result>(answer);
  if (payload_out.has_payload) result.add(std::move(payload_out.payload));
  out.emplace_back(action::write{to_xml(result)});
}

void session_core::message(xml_element& e, jid const& to, bool addressed, session_actions& out) {
  out.emplace_back(
      action::route{make_stanza(std::move(e), s_.who, addressed ? to : s_.who.to_bare())});
}

void session_core::presence(xml_element& e, jid const& to, bool addressed, session_actions& out) {
  auto const cls = classify(e);
  if (!cls) return refuse(e, {}, stanza_condition::bad_request, out);
  if (addressed) {
    out.emplace_back(action::route{make_stanza(std::move(e), s_.who, to)});
    return;
  }
  if (cls == stanza_class::presence_managing)
    return refuse(e, {}, stanza_condition::bad_request, out);
  own_presence(e, out);
}

void session_core::own_presence(xml_element& e, session_actions& out) {
  auto const* type = e.attribute("type");
  if (type != nullptr && *type == "error") return;
  bool const available = type == nullptr;
  auto const priority = priority_of(e);
  if (!priority) return refuse(e, {}, stanza_condition::bad_request, out);
  e.set("from", s_.who.full());
  out.emplace_back(action::set_presence{available, *priority, to_xml(e)});
  if (!available) {
    s_.fetched = false;
  } else if (*priority >= 0 && !s_.fetched) {
    s_.fetched = true;
    if (s_.held) return;  // a fetch from before is still under way; a second one would double it
    s_.held.fill();
    out.emplace_back(action::fetch_offline{});
  }
}

// --- to the client ---

void session_core::on_offline(std::vector<offline_message> batch, milliseconds now,
                              session_actions& out) {
  if (s_.phase != phase::bound) return;
  if (batch.empty()) {
    // What arrived behind the waiting messages follows them, in its order.
    if (!s_.held) return;
    for (auto& one : s_.held->behind) out.emplace_back(action::write{std::move(one.what.xml)});
    s_.held.clear();
    return;
  }
  if (!s_.held) return;
  for (auto const& m : batch) {
    out.emplace_back(action::write{with_delay(m, settings_.domain)});
    s_.held->shown.push_back(m.id);
  }
  // What the socket has taken, or even the peer's system, may still be lost with the connection.
  // Stanzas are read in order, so an answer to this proves that all of the batch was.
  s_.held->ping = ask(out);
  s_.held->since = now.count();
  if (s_.armed_at == never || next_due() < s_.armed_at) arm(next_due(), now, out);
}

/// An answer to a ping of ours, or to nothing.
void session_core::on_asked(std::string_view id, session_actions& out) {
  if (!s_.held || s_.held->since == never || s_.held->ping != id) return;
  s_.held->since = never;
  out.emplace_back(action::delete_offline{std::exchange(s_.held->shown, {})});
  out.emplace_back(action::fetch_offline{});
}

void session_core::on_delivery(std::string xml, session_actions& out) {
  stanza what;
  what.xml = std::move(xml);
  deliver(std::move(what), false, out);
}

void session_core::on_entrusted(stanza what, session_actions& out) {
  deliver(std::move(what), true, out);
}

void session_core::deliver(stanza what, bool entrusted, session_actions& out) {
  if (s_.phase != phase::bound) {
    if (entrusted) out.emplace_back(action::give_back{std::move(what)});
    return;
  }
  if (!s_.held) {
    out.emplace_back(action::write{std::move(what.xml)});
    return;
  }
  s_.held->bytes += what.xml.size();
  s_.held->behind.push_back({std::move(what), entrusted});
  if (s_.held->bytes > settings_.limits.send_queue_bytes)
    end_with(stream_condition::policy_violation, "waiting messages are not read", out);
}

}  // namespace chat
