// What idle connections cost, and what happens when descriptors run out.

#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "io/port.hpp"
#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

TEST_CASE("an idle connection holds no buffer", "[io][TCP-27]") {
  // One end of each is counted twice: both ends are here.
  constexpr int count = 1000;
  node_options options;
  options.workers = 1;
  node n(options);
  double bytes = 0;
  bool exchanged = true;
  auto const reason = n.run([&] {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    std::vector<pair> pairs;
    pairs.reserve(count);
    auto open_one = [&] {
      pair p;
      p.client = must(tcp_connect(at, {}, long_time), "connect");
      p.server = must(tcp_accept(l, long_time), "accept");
      // Data has come and gone, in pieces that were kept for a while.
      must(p.server.send("abc"), "send");
      exchanged = exchanged && !p.client.recv(5, 0ms);
      must(p.server.send("de"), "send");
      exchanged = exchanged && show(p.client.recv(5, long_time)) == "'abcde'";
      pairs.push_back(p);
    };
    for (int i = 0; i < 100; ++i) open_one();
    auto const before = ::mallinfo2().uordblks;
    for (int i = 0; i < count - 100; ++i) open_one();
    bytes = static_cast<double>(::mallinfo2().uordblks - before) / (2.0 * (count - 100));
  });
  CHECK(to_string(reason) == "normal");
  CHECK(exchanged);
  std::printf("an idle connection: %zu bytes of port, %.1f bytes of heap\n", sizeof(rts::port),
              bytes);
  CHECK(sizeof(rts::port) <= 384);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(bytes < 64);
#endif
}

namespace {

/// In a child with few descriptors. Exits with 0 if everything was as it should be.
int run_out_of_descriptors() {
  int reports = 0;
  std::mutex mutex;
  bool good = false;
  node_options options;
  options.workers = 2;
  options.on_event = [&](node_event const& e) {
    std::lock_guard lock(mutex);
    if (e.text.find("emfile") != std::string::npos &&
        e.text.find("RLIMIT_NOFILE") != std::string::npos)
      ++reports;
  };
  {
    node n(options);
    auto const reason = n.run([&] {
      auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
      auto const at = must(l.local_address(), "address");
      rlimit const few{64, 64};
      ::setrlimit(RLIMIT_NOFILE, &few);
      std::vector<tcp_socket> clients;
      std::vector<tcp_socket> servers;
      // Until connecting fails: then there is no descriptor left for accept either.
      for (;;) {
        auto c = tcp_connect(at, {}, long_time);
        if (!c) {
          if (c.error() != tcp_errc::emfile) return;
          break;
        }
        clients.push_back(*c);
      }
      for (int i = 0; i < 3; ++i) {
        auto s = tcp_accept(l, long_time);
        if (s || s.error() != tcp_errc::emfile) return;
      }
      // The limit of the call still counts.
      if (auto s = tcp_accept(l, 1ms); s || s.error() != tcp_errc::emfile) return;
      // Half of the clients go, and all that are left are accepted: no connection was lost.
      std::size_t const half = clients.size() / 2;
      for (std::size_t i = 0; i < half; ++i) clients[i].close();
      for (std::size_t i = 0; i < half; ++i) {
        auto s = tcp_accept(l, long_time);
        if (!s) return;
        servers.push_back(*s);
      }
      good = true;
    });
    if (!reason.is_normal_exit()) return 2;
  }
  if (!good) return 3;
  return reports == 1 ? 0 : 4;
}

}  // namespace

TEST_CASE("running out of descriptors pauses accepting, is reported once, and passes",
          "[io][TCP-20]") {
  if (rts::built_with_asan) {
    // UBSan looks at each new kind of object through a pipe, for which there is no descriptor then.
    WARN("skipped: the sanitizer needs descriptors of its own");
    SUCCEED();
    return;
  }
  std::fflush(nullptr);
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(run_out_of_descriptors());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
