// main.cpp - starts the chat server and waits for a signal to stop it. See README.md.

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <otter/attached_thread.hpp>
#include <otter/logger.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "config.hpp"
#include "demo_accounts.hpp"
#include "log.hpp"
#include "server.hpp"
#include "store.hpp"

namespace {

constexpr otter::logger::module_log chat_log{"chat"};

/// SIGTERM and SIGINT as something to wait for. They are blocked before the first thread starts,
/// so that no other thread gets them.
class stop_signals {
 public:
  stop_signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    descriptor_ = ::signalfd(-1, &set_, SFD_CLOEXEC);
  }
  ~stop_signals() { ::close(descriptor_); }
  stop_signals(stop_signals const&) = delete;
  stop_signals& operator=(stop_signals const&) = delete;

  /// Waits for a signal, or for `other` to be readable; says which came: the signal, or 0.
  int wait(int other) const {
    pollfd both[] = {{descriptor_, POLLIN, 0}, {other, POLLIN, 0}};
    while (::poll(both, 2, -1) < 0) {
    }
    signalfd_siginfo came{};
    if ((both[0].revents & POLLIN) == 0 || ::read(descriptor_, &came, sizeof came) <= 0) return 0;
    return static_cast<int>(came.ssi_signo);
  }
  /// From now on they do what they do by default: a second Ctrl-C ends at once.
  void release() const { pthread_sigmask(SIG_UNBLOCK, &set_, nullptr); }

 private:
  sigset_t set_{};
  int descriptor_ = -1;
};

/// A connection needs a descriptor; what the system grants on request is asked for.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void print_welcome(chat::chat_config const& config, otter::tcp_address const& at,
                   std::vector<std::string> const& accounts) {
  fmt::print("otter_chat listens on {}, for the domain {}\n", to_string(at), config.domain);
  if (!accounts.empty()) {
    fmt::print("\naccounts:\n");
    for (auto const& line : accounts) fmt::print("{}\n", line);
    fmt::print(
        "\nto connect, without TLS, for example with profanity:\n"
        "  /connect alice@{} server {} port {} tls disable\n",
        config.domain, config.listen.host, at.port);
  }
  fmt::print("\nto stop: Ctrl-C, or kill {}\n", ::getpid());
  std::fflush(stdout);
}

/// The module that was built with the program: beside it, or where an installation keeps it.
std::string session_module_of_program() {
  auto const folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  auto const beside = folder / CHAT_SESSION_FILE;
  auto const installed = (folder / "../lib/otter_chat" / CHAT_SESSION_FILE).lexically_normal();
  for (auto const& file : {beside, installed})
    if (std::filesystem::exists(file)) return file.string();
  throw std::runtime_error(
      fmt::format("the module with the sessions is missing: there is neither {} nor {}; "
                  "--session-module says where it is",
                  beside.string(), installed.string()));
}

/// Returns the status to exit with.
int serve(chat::chat_config config) {
  stop_signals const signals;
  raise_descriptor_limit();

  chat::chat_server server{.config = std::move(config), .sessions = {}, .session_module = {}};
  server.session_module = server.config.session_module.empty() ? session_module_of_program()
                                                               : server.config.session_module;
  server.log = chat::log_options(server.config.log);
  auto const& settings = server.config;
  server.sessions.domain = server.sessions.sasl.domain = settings.domain;
  server.sessions.limits = settings.limits;
  server.sessions.sasl.iterations = settings.scram_iterations;
  std::vector<std::string> accounts;
  {
    chat::store store{settings.data_dir, chat::system_random};
    server.sessions.sasl.server_secret = store.server_secret();
    if (settings.demo_accounts) accounts = chat::make_demo_accounts(store, settings);
  }
  otter::node_options options;
  options.workers = settings.workers;
  options.blocking_threads = settings.blocking_threads;
  options.crash_report = true;
  otter::node node{options};

  int signal = 0;
  {
    otter::attached_thread here{node};
    auto const starter = here.self();
    auto const top = node.spawn([&server, starter] { chat::run_server(server, starter); });
    static_cast<void>(otter::monitor(top));
    auto const why_not = otter::receive(
        [&](chat::server_started started) {
          print_welcome(settings, started.address, accounts);
          return std::string{};
        },
        [](otter::down end) { return to_string(end.reason); });
    if (!why_not.empty()) {
      fmt::print(stderr, "otter_chat: {}\n", why_not);
      return 1;
    }
    signal = signals.wait(here.event_fd());
    if (signal != 0)
      chat_log.info("a signal has come: the streams are closed", {{"signal", signal}});
  }
  signals.release();
  auto const left = node.stop(settings.limits.close_time + std::chrono::seconds{5});
  for (auto const& line : left) fmt::print(stderr, "otter_chat: {}\n", line);
  if (signal == 0) {
    fmt::print(stderr, "otter_chat: the server has ended by itself, see above\n");
    return 1;
  }
  return left.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    auto line = chat::read_command_line({argv + 1, argv + argc});
    std::fputs(line.output.c_str(), line.exit_status == 0 ? stdout : stderr);
    if (!line.config) return line.exit_status;
    return serve(*std::move(line.config));
  } catch (std::exception const& e) {
    fmt::print(stderr, "otter_chat: {}\n", e.what());
    return 1;
  }
}
