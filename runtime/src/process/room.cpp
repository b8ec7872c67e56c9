// process/room.cpp - room in a bounded mailbox with overflow::block: those who wait for it, and
// what they get.
//
//  1. A sender that finds the mailbox full, or others in line, asks the receiver for room
//     (room_wanted) and waits: wait_for_room() in calls.cpp.
//  2. The receiver has them in line, in the order of their asking. While there is a line, the mark
//     in the limit's word sends everybody else behind it: nobody overtakes who waits.
//  3. When half of the mailbox is free, or when the receiver is about to wait itself, the first in
//     line get what is free, each a share of several places (room_given). These are taken from now
//     on, so the bound holds whatever happens.
//  4. A sender uses the first place for the message that it waited with, the others for what it
//     sends there next, without a look at the receiver. When it gives up the processor it returns
//     what it has not used (room_returned): who does not run keeps no places.
//
// A share is a sixteenth of the mailbox, and with many workers so much less that all of them
// together cannot keep more than half of it. A thread of the program, of which there may be any
// number, gets one place each time.
//
// Shares are uneven: a thread's is one place, the last that is given is what was left, and who ends
// its turn early has used a part. That costs throughput and starves nobody, since the line does not
// ask how much somebody got: it is first in, first out, and who has used his share goes to its end.
// So between a sender's asking and its getting lie the shares of those that stood before it, and no
// others: there is an end to its wait as long as the receiver receives, and as long as those who
// have got places are run. One whose thread is held by others' code keeps its share from the rest
// until that goes on, as frames do (doc/stacks.md); the limit of the wait is above it.
//
// Refused: a place for each message that leaves. Every send then is a wait, two signals and two
// switches; across two workers 240 ns a message. And to wake all who wait, and let them race for
// what is free: the first has sent hundreds before the others run, and those wait again.

#include <algorithm>
#include <utility>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter::rts {

namespace {

std::uint32_t share_of(std::uint32_t limit, unsigned workers) noexcept {
  return std::max(limit / std::max(16u, 2 * workers), 1u);
}

}  // namespace

// --- the receiver ---

void process::on_room_wanted(peer_signal* e) noexcept {
  std::uint64_t const word = limit_.load(std::memory_order_relaxed);
  if (mailbox_bound(word).policy != overflow::block) {  // it means an earlier occupant
    answer_for_dead(*system_, e);
    return;
  }
  extra_->room_wanted.append(e);
  set(flag_line, true);
  // Only its own process changes the word while it lives.
  limit_.store(word | mailbox_bound::line_mark, std::memory_order_relaxed);
  give_room_by_half();
}

void process::on_room_returned(peer_signal* e) noexcept {
  places_.give_back(e->places);
  detail::delete_block(e);
  if (in_line_for_room()) give_room_by_half();
}

/// To those in line, if at least so many places are free, and at least one.
void process::give_room(std::uint32_t least) noexcept {
  std::uint64_t const word = limit_.load(std::memory_order_relaxed);
  std::uint32_t const limit = mailbox_bound(word).limit;
  if (limit - std::min(places_.taken(), limit) < std::max(least, 1u)) return;
  std::uint32_t const share = share_of(limit, sched().workers());
  while (auto* const e = static_cast<peer_signal*>(extra_->room_wanted.front())) {
    // Those who looked at the limit before the line began may still be taking what is free.
    std::uint32_t const given = places_.take(std::min(e->places, share), limit);
    if (given == 0) return;
    extra_->room_wanted.pop();
    std::uint64_t const to = pid_access::bits(e->from);
    e->kind = signal_kind::room_given;
    e->from = self_pid();
    e->places = given;
    deliver(*system_, to, e);
  }
  set(flag_line, false);
  limit_.store(word & ~mailbox_bound::line_mark, std::memory_order_relaxed);
}

// --- the sender ---

void process::keep_room(peer_signal& given) noexcept {
  if (has(flag_keeps_room)) return_room();
  if (--given.places == 0) {
    detail::delete_block(&given);
    return;
  }
  extra_->room = &given;
  set(flag_keeps_room, true);
}

/// They have been used.
void process::forget_room() noexcept {
  detail::delete_block(std::exchange(extra_->room, nullptr));
  set(flag_keeps_room, false);
}

OTTER_COLD void process::return_room() noexcept {
  set(flag_keeps_room, false);
  return_places(*system_, *std::exchange(extra_->room, nullptr));
}

void return_places(process_system& system, peer_signal& given) noexcept {
  std::uint64_t const to = pid_access::bits(given.from);
  given.kind = signal_kind::room_returned;
  given.from = pid{};
  given.target = to;
  deliver(system, to, &given);
}

}  // namespace otter::rts
