#pragma once

// poller/descriptor.hpp - a descriptor that is closed with its owner.

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace otter::rts {

class descriptor {
 public:
  /// `fd` as a system call `what` has just given it. Throws: std::system_error if that failed.
  descriptor(int fd, char const* what) : fd_(fd) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), what);
  }
  descriptor(descriptor const&) = delete;
  descriptor& operator=(descriptor const&) = delete;
  ~descriptor() { ::close(fd_); }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

}  // namespace otter::rts
