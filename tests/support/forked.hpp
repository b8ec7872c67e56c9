#pragma once

// Runs what is expected to die in a child process, and tells how it died and what it wrote.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace otter::rts::testing {

struct death {
  int status = 0;
  std::string output;  // standard error of the child

  bool of_signal(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
  bool with_code(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
  bool said(std::string const& text) const { return output.find(text) != std::string::npos; }
};

/// `body` ends the child; if it returns, the child exits with 0 and no destructors.
template <class Body>
death forked(Body body) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  pid_t const child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whoever cuts the test does not know of this process
    ::dup2(ends[1], 2);
    ::close(ends[0]);
    ::close(ends[1]);
    // Catch2 and the sanitizers have handlers of their own, which would turn a signal into an exit.
    for (int const signal : {SIGSEGV, SIGBUS, SIGABRT, SIGTERM, SIGINT}) ::signal(signal, SIG_DFL);
    try {
      body();
    } catch (...) {
      ::_exit(98);  // never back into Catch2, which would run the other tests here as well
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  death result;
  char part[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], part, sizeof part)) > 0;) {
    result.output.append(part, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  ::waitpid(child, &result.status, 0);
  return result;
}

/// For the child: writes to its standard error.
inline void say(std::string const& text) {
  if (::write(2, text.data(), text.size()) < 0) ::_exit(99);
}

}  // namespace otter::rts::testing
