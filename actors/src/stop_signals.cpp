#include "stop_signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace otter::detail {

stop_signals::stop_signals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, SIGINT);
  descriptor_ = ::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor_ < 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a descriptor to wait for SIGTERM and SIGINT");
  pthread_sigmask(SIG_BLOCK, &set_, &before_);
}

stop_signals::~stop_signals() {
  release();
  ::close(descriptor_);
}

int stop_signals::wait(int other) const noexcept {
  pollfd both[] = {{descriptor_, POLLIN, 0}, {other, POLLIN, 0}};
  while (::poll(both, 2, -1) < 0) {
    // EINTR: a handler of the program's has run
  }
  signalfd_siginfo came{};
  if ((both[0].revents & POLLIN) == 0 || ::read(descriptor_, &came, sizeof came) <= 0) return 0;
  return static_cast<int>(came.ssi_signo);
}

void stop_signals::release() noexcept { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace otter::detail
