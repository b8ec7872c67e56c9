#pragma once

// supervisor_requests.hpp - what both kinds of supervisor are asked, and how an operation asks.

#include <cstddef>
#include <limits>
#include <otter/child_spec.hpp>
#include <otter/gen.hpp>
#include <otter/type_name.hpp>
#include <string>
#include <utility>
#include <vector>

namespace otter::detail {

/// For which_children(), and for supervision_tree(), which does not know whom it asks.
struct children_list {
  std::vector<child_info> children;  // the oldest first, if they have an order
  std::size_t left_out = 0;          // more than were asked for
  std::string kind;                  // what kind of supervisor it is, for people
};
struct children_request {
  using reply = children_list;
  std::size_t most = std::numeric_limits<std::size_t>::max();
};

struct count_children_request {
  using reply = child_count;
};

/// As otter::call(), without a limit (SUP-5).
template <class Request>
reply_t<Request> ask(target const& to, Request request) {
  response got = call_target(to, pack<Request>(signal_kind::request, std::move(request)), infinity,
                             descriptor_of<wire_reply<reply_t<Request>>>());
  if (!got.reply) throw_call_failed(to, type_name<Request>(), std::move(got.why));
  return unpack_reply<reply_t<Request>>(got.reply);
}

template <class T>
child_result<T> refused(child_error::kind what, pid process = {}, exit_reason reason = {}) {
  return tl::unexpected<child_error>(child_error{what, process, std::move(reason)});
}
template <class T>
child_result<T> refused_spec(std::string wrong) {
  return refused<T>(child_error::kind::invalid, {},
                    exit_reason::of(bad_child_spec{std::move(wrong)}));
}

/// Ends the start of a supervisor that cannot obey.
[[noreturn]] inline void refuse_start(std::string wrong) {
  throw process_exit(exit_reason::of(bad_child_spec{std::move(wrong)}));
}

}  // namespace otter::detail
