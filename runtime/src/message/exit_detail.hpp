#pragma once

// message/exit_detail.hpp - what an exit reason shares with its copies.
//
//   exit_detail            texts, payload, cause and backtrace of one reason, in one block
//   rts::print_payload()   the payload as text

#include <atomic>
#include <cstdint>
#include <functional>
#include <otter/exit_reason.hpp>
#include <span>
#include <string_view>

namespace otter::detail {

/// Ownership: counted by the reasons that point to it; the last release destroys payload and
///            cause and frees the block. The one for "out of memory" is never freed.
/// Threads:   immutable but for the count, so any number may read.
/// Invariant: texts and backtrace point into the block itself, or to constants.
/// Ordering:  [E1] all uses of a detail happen before its destruction.
struct exit_detail {
  struct parts {
    std::string_view type{};
    std::string_view text{};
    std::string_view place{};
    std::span<void* const> backtrace{};
    const type_descriptor* payload_type = nullptr;
    void* payload = nullptr;       // moved from
    exit_reason* cause = nullptr;  // moved from
  };

  /// Copies and moves `given` into one block; texts are cut to max_text. Without memory for it
  /// gives undescribed(). Throws: what moving the payload throws.
  static exit_detail* make(const parts& given);

  /// Calls look(type) for the payload of each detail made since keep_list() was called first.
  /// Called from: any thread. `look` must not make or release reasons.
  static void each_payload(std::function<void(const type_descriptor&)> const& look);
  /// From now on details with a payload are in a list: modules are about to be loaded. For good.
  static void keep_list() noexcept;

  /// Says that there was no memory to say more.
  static exit_detail* undescribed() noexcept;

  void retain() noexcept {
    // Relaxed: whoever copies a reason has one, so the count cannot be falling to zero.
    if (!immortal) count.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept {
    // [E1] release: our uses come before; acquire: the last one sees everybody's.
    if (!immortal && count.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

  std::atomic<std::uint32_t> count{1};
  std::uint8_t depth = 0;  // of causes below this one
  bool immortal = false;
  std::string_view type{};
  std::string_view text{};
  std::string_view place{};
  std::span<void* const> backtrace{};
  const type_descriptor* payload_type = nullptr;
  void* payload = nullptr;
  exit_reason cause{};

 private:
  void enlist() noexcept;
  void unlist() noexcept;
  void destroy() noexcept;

  // --- of the list of those with a payload ---
  exit_detail* next = nullptr;
  exit_detail** back = nullptr;  // null: in no list
};

}  // namespace otter::detail

namespace otter::rts {

/// True if `reason` has a payload. A payload whose printing fails is named by its type.
bool print_payload(text_sink& out, const exit_reason& reason);

}  // namespace otter::rts
