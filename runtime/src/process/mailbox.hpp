#pragma once

// process/mailbox.hpp - the messages that a process has received and not yet treated, in order.

#include <cstdint>
#include <otter/detail/envelope.hpp>
#include <utility>

namespace otter::rts {

using detail::envelope;

/// A singly linked list with places in the middle.
///
/// A *place* is the address of the pointer to an envelope (or to the null at the end). It stays
/// good while messages are appended; when the envelope in front of it is removed, whoever removes
/// it moves the place: the mailbox does so for its marker and for the place where a scan waits.
///
/// Threads: the process's own.
class mailbox {
 public:
  mailbox() noexcept : tail_(&head_) {}
  mailbox(mailbox const&) = delete;
  mailbox& operator=(mailbox const&) = delete;

  envelope** first() noexcept { return &head_; }
  envelope** end() noexcept { return tail_; }
  bool empty() const noexcept { return head_ == nullptr; }
  std::uint32_t size() const noexcept { return size_; }
  /// Bytes of the blocks that wait, in whole cache lines as the slab gives them.
  std::uint64_t bytes() const noexcept { return std::uint64_t{lines_} * 64; }

  void append(envelope* e) noexcept {
    e->next = nullptr;
    *tail_ = e;
    tail_ = &e->next;
    ++size_;
    lines_ += lines_of(e);
  }

  /// `count` messages at once, oldest first, linked and ending with null; `lines` of them all.
  void append_all(envelope* first, envelope* last, std::uint32_t count,
                  std::uint32_t lines) noexcept {
    *tail_ = first;
    tail_ = &last->next;
    size_ += count;
    lines_ += lines;
  }

  static std::uint32_t lines_of(envelope const* e) noexcept { return (e->bytes + 63) / 64; }

  /// Inserts before what `place` points at; `place` still names the new envelope.
  void insert(envelope** place, envelope* e) noexcept {
    e->next = *place;
    *place = e;
    if (tail_ == place) tail_ = &e->next;
    // A marker at this place stays in front of what was inserted: it is looked at, not missed.
    ++size_;
    lines_ += lines_of(e);
  }

  envelope* remove(envelope** place) noexcept {
    envelope* e = *place;
    *place = e->next;
    if (tail_ == &e->next) tail_ = place;
    if (marker_ == &e->next) marker_ = place;
    if (waiting_at == &e->next) waiting_at = place;
    --size_;
    lines_ -= lines_of(e);
    return e;
  }

  /// Remembers the present end under `id`: a receive for that id may start there (MB-12). There is
  /// one marker; a later one replaces it, and a receive without one starts at the front.
  void mark(std::uint64_t id) noexcept {
    marker_ = tail_;
    marker_id_ = id;
  }
  envelope** marked(std::uint64_t id) noexcept {
    return id != 0 && marker_id_ == id ? marker_ : &head_;
  }
  void unmark() noexcept {
    marker_ = nullptr;
    marker_id_ = 0;
  }

  /// Where a scan waits for the next message; null while none does.
  envelope** waiting_at = nullptr;

 private:
  envelope* head_ = nullptr;
  envelope** tail_;
  envelope** marker_ = nullptr;
  std::uint64_t marker_id_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t lines_ = 0;  // up to 256 GiB
};

}  // namespace otter::rts
