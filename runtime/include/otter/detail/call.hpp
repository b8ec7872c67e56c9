#pragma once

// otter/detail/call.hpp - requests and their replies, without types: what call(), send_request()
// and reply() of the generic module are made of. One envelope goes out and one comes back.

#include <cstdint>
#include <otter/detail/envelope.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <string_view>
#include <utility>

namespace otter::detail {

void send_envelope(pid to, envelope_ptr e);  // of otter/message.hpp

/// How a request ended.
struct response {
  envelope_ptr reply;  ///< the answer's envelope, or null: there was none, see `why`
  exit_reason why;     ///< noproc, timeout, calling_self, busy, or the server's exit reason
};

/// Sends `request` (of kind request) to `server` and waits for the answer.
///
/// On time-out the request is not taken back; a later reply is dropped (GC-6).
/// Called from: a process, or an attached thread. Blocks: until the answer. Exits: may.
response call(pid server, envelope_ptr request, duration limit);

/// Sends and returns; never throws for a missing server: the response says so (GC-11). Before it is
/// sent, `tell` writes into its payload whom to answer: for a system message, which a process that
/// receives those itself gets without its head.
request_id send_request(pid server, envelope_ptr request,
                        void (*tell)(void* payload, from asker) noexcept = nullptr);

enum class response_state : unsigned char { ready, late, unknown };
/// Waits for the response to `id` up to `limit`. `abandon` gives the request up when late: a later
/// response is dropped (GC-12); else it may be waited for again (GC-13).
response_state wait_response(request_id id, duration limit, bool abandon, response& out);
/// Waits for the first response, in mailbox order, to one of `ids`; its index in `which`.
response_state wait_any_response(request_id const* ids, std::size_t count, duration limit,
                                 std::size_t& which, response& out);
/// Gives a request up: its response will be dropped, a queued one is removed.
void abandon_request(request_id id) noexcept;
/// Is `e` (of an event of kind reply) the response to `id`? Then takes it out (GC-14).
bool take_response(envelope& e, request_id id, response& out) noexcept;
request_id response_id(envelope& e) noexcept;

/// Answers `to`. The envelope is of kind reply; a departed caller or a second answer is dropped
/// (GC-9). Called from: any process or attached thread. Blocks: never. Exits: never.
void reply(from to, envelope_ptr answer) noexcept;
/// Lets the call fail at the caller with `why`.
void reply_failed(from to, exit_reason why) noexcept;

/// How many calls wait in the mailbox of the calling process, behind what it treats now.
/// Called from: a process. Blocks: never. Exits: never.
std::uint32_t waiting_calls() noexcept;
/// Whether the caller still waits for the answer to a request that the calling process has got. Not
/// if it was answered, nor once the caller's time limit is over or it has ended, and this process
/// has heard of that. Called from: the server. Blocks: never. Exits: never.
bool is_awaited(from caller) noexcept;

/// Sends an asynchronous request (kind cast) or a system request without answer.
inline void cast(pid server, envelope_ptr e) { send_envelope(server, std::move(e)); }
void cast(std::string_view name, envelope_ptr e);

}  // namespace otter::detail
