#pragma once

// otter/detail/retirable.hpp - the base of what is found without a lock, and goes when nobody reads
// it any more.

namespace otter::detail {

class retirable {
 public:
  retirable() = default;
  virtual ~retirable() = default;
  retirable(retirable const&) = delete;
  retirable& operator=(retirable const&) = delete;

  /// Nobody finds it, and of those that read nobody holds it.
  virtual void dispose() noexcept { delete this; }

 private:
  friend class retired;
  friend class unread;
  retirable* next_ = nullptr;  // belongs to the list that it waits in
};

}  // namespace otter::detail
