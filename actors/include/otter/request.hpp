#pragma once

// otter/request.hpp - asking a server without waiting for the answer at once.
//
//   otter::send_request()       asks; returns a sent_request<Reply>
//   otter::sent_request<Reply>  names a request that is not answered yet
//   otter::receive_response()   waits for the response; a late one is given up
//   otter::wait_response()      waits for the response; may be waited for again
//   otter::any_response         a response that reached a server between two callbacks
//   otter::check_response()     is it the one to this request? For servers, and for reactives
//   otter::request_ids<R, L>    many requests, each with a label; the first response wins
//
// A response is either the answer or why there will be none, never both. A request to a server that
// does not exist is not an error where it is sent: the response says noproc (GC-11, GC-18).

#include <algorithm>
#include <cstddef>
#include <optional>
#include <otter/error.hpp>
#include <otter/gen.hpp>
#include <otter/message.hpp>
#include <otter/reactive.hpp>
#include <otter/timer.hpp>
#include <utility>
#include <vector>

namespace otter {

/// Names one request whose answer will be a `Reply`.
template <class Reply>
class sent_request : public request_id {
 public:
  constexpr sent_request() noexcept = default;
  /// Trusts the caller that the answer to `id` is a `Reply`; for what offload() returns.
  constexpr explicit sent_request(request_id id) noexcept : request_id{id} {}
};

/// The answer, or why there is none.
template <class Reply>
using response = tl::expected<Reply, exit_reason>;

/// A response that arrived as an event of a server; see check_response(). Owns it.
class any_response {
 public:
  explicit any_response(detail::envelope_ptr e) noexcept : envelope_(std::move(e)) {}
  /// To which request.
  [[nodiscard]] request_id id() noexcept { return detail::response_id(*envelope_); }
  [[nodiscard]] detail::envelope* envelope() noexcept { return envelope_.get(); }
  detail::envelope_ptr release() noexcept { return std::move(envelope_); }

 private:
  detail::envelope_ptr envelope_;
};

namespace detail {

template <class Reply>
otter::response<Reply> typed_response(response& got) {
  check_reply_type(got, descriptor_of<wire_reply<Reply>>());
  if (!got.reply) return tl::unexpected<exit_reason>(std::move(got.why));
  if constexpr (std::is_void_v<Reply>)
    return {};
  else
    return unpack_reply<Reply>(got.reply);
}

/// What is left until `when`, at least nothing.
duration time_left(node_clock::time_point when);
/// Throws error(badarg): a request that is unknown, or whose response was received already.
[[noreturn]] void throw_unknown_request(ref id);

}  // namespace detail

/// Sends `request` and returns. Called from: a process, or an attached thread. Blocks: never.
/// Exits: may, once the turn's budget is used up.
template <server_address Address, class Request>
sent_request<reply_t<Request>> send_request(Address const& server, Request&& request) {
  using message = std::decay_t<Request>;
  detail::check_request<Address, message>();
  return sent_request<reply_t<message>>(detail::send_request(
      detail::locate(server).process,
      detail::pack<message>(detail::signal_kind::request, std::forward<Request>(request))));
}

/// Waits for the response to `id`. Empty if it has not come within `limit`: then the request is
/// given up, and a later response is dropped (GC-12).
///
/// Called from: the process that sent it. Blocks: until the response. Exits: may.
/// Throws: error(badarg) if the response was received before.
template <class Reply>
std::optional<response<Reply>> receive_response(sent_request<Reply> const& id,
                                                duration limit = infinity) {
  detail::response got;
  switch (detail::wait_response(id, limit, true, got)) {
    case detail::response_state::ready:
      return detail::typed_response<Reply>(got);
    case detail::response_state::late:
      return std::nullopt;
    case detail::response_state::unknown:
      break;
  }
  detail::throw_unknown_request(id);
}

/// As receive_response(), but the request is not given up: it may be waited for again. A limit of
/// zero looks whether the response is there (GC-13).
template <class Reply>
std::optional<response<Reply>> wait_response(sent_request<Reply> const& id, duration limit) {
  detail::response got;
  switch (detail::wait_response(id, limit, false, got)) {
    case detail::response_state::ready:
      return detail::typed_response<Reply>(got);
    case detail::response_state::late:
      return std::nullopt;
    case detail::response_state::unknown:
      break;
  }
  detail::throw_unknown_request(id);
}

/// One deadline for several waits (GC-17).
template <class Reply>
std::optional<response<Reply>> receive_response(sent_request<Reply> const& id,
                                                node_clock::time_point until) {
  return otter::receive_response(id, detail::time_left(until));
}
template <class Reply>
std::optional<response<Reply>> wait_response(sent_request<Reply> const& id,
                                             node_clock::time_point until) {
  return otter::wait_response(id, detail::time_left(until));
}

/// If `arrived` is the response to `id`, takes it out; else empty, and `arrived` is untouched
/// (GC-14). For handle_info(any_response&). Called from: the process that sent the request.
template <class Reply>
std::optional<response<Reply>> check_response(any_response& arrived,
                                              sent_request<Reply> const& id) {
  detail::response got;
  if (!detail::take_response(*arrived.envelope(), id, got)) return std::nullopt;
  return detail::typed_response<Reply>(got);
}

/// The same for a reactive, upon an event of kind reply.
template <class Reply>
std::optional<response<Reply>> check_response(event& arrived, sent_request<Reply> const& id) {
  if (arrived.what() != event::kind::reply) return std::nullopt;
  detail::response got;
  if (!detail::take_response(*arrived.envelope(), id, got)) return std::nullopt;
  return detail::typed_response<Reply>(got);
}

/// What request_ids::receive() found.
enum class collected_state : unsigned char {
  response,    ///< a response, with its label
  timeout,     ///< none within the limit
  no_reply,    ///< check(): the response is for none of these requests
  no_request,  ///< the collection is empty
};

template <class Reply, class Label>
struct collected {
  collected_state state = collected_state::no_request;
  std::optional<otter::response<Reply>> response;
  std::optional<Label> label;
};

enum class collect : unsigned char { keep, remove };

/// Requests whose responses are awaited together, each with a label.
///
/// One process uses it: the one that sent the requests.
template <class Reply, class Label>
class request_ids {
 public:
  using item = std::pair<sent_request<Reply>, Label>;
  using found = collected<Reply, Label>;

  /// Throws: error(badarg) if it is in the collection (GC-15).
  void add(sent_request<Reply> id, Label label) {
    if (position(id) != ids_.size())
      throw error(errc::badarg, "this request is in the collection already");
    ids_.reserve(ids_.size() + 1);
    labels_.push_back(std::move(label));
    ids_.push_back(id);
  }
  template <server_address Address, class Request>
  sent_request<Reply> send(Address const& server, Request&& request, Label label) {
    static_assert(std::is_same_v<reply_t<Request>, Reply>,
                  "otter: all requests of one collection have one type of answer");
    auto id = otter::send_request(server, std::forward<Request>(request));
    add(id, std::move(label));
    return id;
  }

  [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }
  [[nodiscard]] bool empty() const noexcept { return ids_.empty(); }
  [[nodiscard]] std::vector<item> to_list() const {
    std::vector<item> all;
    for (std::size_t i = 0; i != ids_.size(); ++i)
      all.emplace_back(sent_request<Reply>(ids_[i]), labels_[i]);
    return all;
  }

  /// The first response to any of them, in the order of arrival. After a time-out all of them are
  /// given up (GC-16).
  found receive(duration limit, collect then = collect::remove) {
    found what = wait(limit, then);
    if (what.state == collected_state::timeout)
      for (request_id id : ids_) detail::abandon_request(id);
    return what;
  }
  /// The same, and a time-out gives nothing up.
  found wait(duration limit, collect then = collect::remove) {
    if (ids_.empty()) return {};
    std::size_t which = 0;
    detail::response got;
    switch (detail::wait_any_response(ids_.data(), ids_.size(), limit, which, got)) {
      case detail::response_state::ready:
        return take(which, got, then);
      case detail::response_state::late:
        return {collected_state::timeout, {}, {}};
      case detail::response_state::unknown:
        break;
    }
    detail::throw_unknown_request(ids_.front());
  }
  found receive(node_clock::time_point until, collect then = collect::remove) {
    return receive(detail::time_left(until), then);
  }
  found wait(node_clock::time_point until, collect then = collect::remove) {
    return wait(detail::time_left(until), then);
  }
  /// Is `arrived` for one of them?
  found check(any_response& arrived, collect then = collect::remove) {
    if (ids_.empty()) return {};
    const std::size_t which = position(arrived.id());
    detail::response got;
    if (which == ids_.size() || !detail::take_response(*arrived.envelope(), ids_[which], got))
      return {collected_state::no_reply, {}, {}};
    return take(which, got, then);
  }

 private:
  std::size_t position(request_id id) const noexcept {
    return static_cast<std::size_t>(std::find(ids_.begin(), ids_.end(), id) - ids_.begin());
  }
  found take(std::size_t which, detail::response& got, collect then) {
    found what{collected_state::response, detail::typed_response<Reply>(got), labels_[which]};
    if (then == collect::remove) {
      const auto at = static_cast<std::ptrdiff_t>(which);
      ids_.erase(ids_.begin() + at);
      labels_.erase(labels_.begin() + at);
    }
    return what;
  }

  std::vector<request_id> ids_;
  std::vector<Label> labels_;
};

}  // namespace otter
