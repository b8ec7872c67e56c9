// The one block that holds what goes with an exit reason.

#include "message/exit_detail.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

namespace otter {
namespace detail {
namespace {

constexpr std::string_view cut_mark = "...";

/// How much of `text` is kept: whole UTF-8 characters, with room for the mark.
std::size_t kept(std::string_view text) noexcept {
  if (text.size() <= exit_reason::max_text) return text.size();
  std::size_t size = exit_reason::max_text - cut_mark.size();
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return size;
}

std::size_t stored_size(std::string_view text) noexcept {
  return text.size() <= exit_reason::max_text ? text.size() : kept(text) + cut_mark.size();
}

/// Writes `text` at `out`, moves `out` behind it, and gives what was written.
std::string_view store(std::string_view text, char*& out) noexcept {
  char* const begin = out;
  const std::size_t size = kept(text);
  if (size != 0) std::memcpy(out, text.data(), size);
  out += size;
  if (size != text.size()) {
    std::memcpy(out, cut_mark.data(), cut_mark.size());
    out += cut_mark.size();
  }
  return {begin, static_cast<std::size_t>(out - begin)};
}

constexpr std::size_t rounded_up(std::size_t size, std::size_t align) noexcept {
  return (size + align - 1) / align * align;
}

/// Those with a payload, once there are modules: what a program keeps of an end is in no place
/// where the runtime could find it, and the payload's type may be of a module.
struct payload_list {
  std::atomic<bool> kept{false};
  std::mutex mutex;
  exit_detail* first = nullptr;  // guarded by mutex
};
payload_list& payloads() noexcept {
  static constinit payload_list list;
  return list;
}

std::align_val_t alignment_of(const type_descriptor* payload) noexcept {
  return std::align_val_t{std::max(alignof(exit_detail), payload != nullptr ? payload->align : 1)};
}

}  // namespace

exit_detail* exit_detail::make(const parts& given) {
  // In the block: the detail, the backtrace, the payload, the characters.
  const type_descriptor* const type = given.payload_type;
  const std::size_t payload_at = rounded_up(sizeof(exit_detail) + given.backtrace.size_bytes(),
                                            type != nullptr ? type->align : 1);
  const std::size_t texts_at = payload_at + (type != nullptr ? type->size : 0);
  const std::size_t size =
      texts_at + stored_size(given.type) + stored_size(given.text) + stored_size(given.place);

  void* const block = ::operator new(size, alignment_of(type), std::nothrow);
  if (block == nullptr) return undescribed();
  char* const bytes = static_cast<char*>(block);

  if (type != nullptr) {
    try {
      type->move_construct(bytes + payload_at, given.payload);
    } catch (...) {
      ::operator delete(block, alignment_of(type));
      throw;
    }
  }
  auto* const made = ::new (block) exit_detail;
  if (type != nullptr) {
    made->payload_type = type;
    made->payload = bytes + payload_at;
  }
  if (!given.backtrace.empty()) {
    auto* const frames = reinterpret_cast<void**>(bytes + sizeof(exit_detail));
    std::copy(given.backtrace.begin(), given.backtrace.end(), frames);
    made->backtrace = {frames, given.backtrace.size()};
  }
  if (given.cause != nullptr) {
    const exit_detail* const below = given.cause->detail_;
    made->depth = static_cast<std::uint8_t>(below != nullptr ? below->depth + 1 : 1);
    made->cause = std::move(*given.cause);
  }
  char* out = bytes + texts_at;
  made->type = store(given.type, out);
  made->text = store(given.text, out);
  made->place = store(given.place, out);
  // Relaxed: a payload of a module is made by its code, which was loaded after the flag was set.
  if (type != nullptr && payloads().kept.load(std::memory_order_relaxed)) made->enlist();
  return made;
}

void exit_detail::keep_list() noexcept { payloads().kept.store(true, std::memory_order_relaxed); }

void exit_detail::each_payload(std::function<void(const type_descriptor&)> const& look) {
  std::lock_guard lock(payloads().mutex);
  for (exit_detail const* d = payloads().first; d != nullptr; d = d->next) look(*d->payload_type);
}

void exit_detail::enlist() noexcept {
  std::lock_guard lock(payloads().mutex);
  next = payloads().first;
  back = &payloads().first;
  if (next != nullptr) next->back = &next;
  payloads().first = this;
}

void exit_detail::unlist() noexcept {
  std::lock_guard lock(payloads().mutex);
  *back = next;
  if (next != nullptr) next->back = back;
}

exit_detail* exit_detail::undescribed() noexcept {
  // Constant-initialised, and without a destructor that a late reason could meet at the end.
  struct forever {
    constexpr forever() noexcept : detail{} {
      detail.immortal = true;
      detail.text = "out of memory while describing";
    }
    ~forever() {}
    union {
      exit_detail detail;
    };
  };
  static constinit forever only;
  return &only.detail;
}

void exit_detail::destroy() noexcept {
  const std::align_val_t align = alignment_of(payload_type);
  if (payload_type != nullptr) payload_type->destroy(payload);
  if (back != nullptr) unlist();  // after the payload's own code has run
  this->~exit_detail();
  ::operator delete(this, align);
}

}  // namespace detail

bool rts::print_payload(text_sink& out, const exit_reason& reason) {
  const type_descriptor* const type = reason.payload_type();
  if (type == nullptr) return false;
  try {
    type->print(out, reason.payload());
  } catch (...) {
    out.put(type->name);
  }
  return true;
}

}  // namespace otter
