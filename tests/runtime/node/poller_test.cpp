// Which poller a node gets.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstddef>
#include <otter/node.hpp>
#include <otter/tcp.hpp>
#include <stdexcept>
#include <string>

#include "forked.hpp"

using otter::rts::testing::forked;
using otter::rts::testing::say;

namespace {

/// From now on the kernel refuses this OS process an io_uring, as containers have it.
bool forbid_io_uring() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog const program{4, code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void one_connection() {
  auto l = otter::tcp_listen(otter::tcp_address::loopback(0));
  auto c = otter::tcp_connect(*l->local_address());
  auto s = otter::tcp_accept(*l);
  if (!s || !c->send("all is well") || *s->recv(11) != "all is well")
    throw std::runtime_error("no connection");
}

}  // namespace

TEST_CASE("a node waits by epoll unless it is asked for io_uring", "[node][poller]") {
  CHECK(otter::node().poller() == otter::poller_kind::epoll);
}

TEST_CASE("where the kernel refuses io_uring a node says so once and goes on with epoll",
          "[node][poller]") {
  auto const child = forked([] {
    if (!forbid_io_uring()) ::_exit(97);
    std::atomic<int> events{0};
    otter::node_options options;
    options.workers = 2;
    options.poller = otter::poller_kind::io_uring;
    options.on_event = [&](otter::node_event const& e) {
      ++events;
      if (e.what == otter::node_event::kind::failure) say(e.text + "\n");
    };
    otter::node node(options);
    if (node.poller() != otter::poller_kind::epoll) ::_exit(2);
    auto const reason = node.run([] { one_connection(); });
    if (!reason.is_normal_exit()) ::_exit(3);
    ::_exit(events == 1 ? 0 : 4);
  });
  INFO(child.output);
  CHECK(child.with_code(0));
  CHECK(child.said("io_uring_setup"));
  CHECK(child.said("Operation not permitted"));
}

TEST_CASE("where sockets cannot live in tables a node says so once and goes on with descriptors",
          "[node][direct]") {
  auto const child = forked([] {
    if (!forbid_io_uring()) ::_exit(97);
    std::atomic<int> events{0};
    otter::node_options options;
    options.workers = 2;
    options.direct_connections = 100;
    otter::node* asked = nullptr;
    options.on_event = [&](otter::node_event const& e) {
      ++events;
      // Whoever hears of it may look at the node.
      say(e.text + ", " + std::to_string(asked->statistics().ports) + " ports\n");
    };
    otter::node node(options);
    asked = &node;
    auto const reason = node.run([] { one_connection(); });
    if (!reason.is_normal_exit()) ::_exit(3);
    ::_exit(events == 1 ? 0 : 4);
  });
  INFO(child.output);
  CHECK(child.with_code(0));
  CHECK(child.said("no direct descriptors, 100 were asked for"));
  CHECK(child.said("Operation not permitted"));
}
