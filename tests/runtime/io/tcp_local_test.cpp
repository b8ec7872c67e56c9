// Sockets by a name on this machine: paths, and abstract names.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <otter/error.hpp>

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

/// A directory for one test.
struct place {
  place() {
    std::string pattern = std::filesystem::temp_directory_path() / "otter_local_XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no directory: " + pattern);
    directory = pattern;
  }
  ~place() { std::filesystem::remove_all(directory); }
  std::string operator/(char const* name) const { return directory + "/" + name; }
  std::string directory;
};

pair connect_local(tcp_address const& at, tcp_options const& options = {}) {
  pair p;
  p.listener = must(tcp_listen(at, options), "listen");
  p.client = must(tcp_connect(at, {}, long_time), "connect");
  p.server = must(tcp_accept(p.listener, long_time), "accept");
  return p;
}

/// What a server leaves that was killed: the file, and nobody behind it.
void leave_a_file(std::string const& path) {
  int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  std::memcpy(a.sun_path, path.c_str(), path.size() + 1);
  ::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
  ::close(fd);
}

}  // namespace

TEST_CASE("a local socket does what an internet socket does", "[io][TCP-1][TCP-5][TCP-9]") {
  place const here;
  for (tcp_address const& at :
       {tcp_address::local(here / "a"), tcp_address::abstract(here / "a")}) {
    everywhere({"'one\n'", "data 'two\n'", "data 'three\n'", "closed", "they agree"},
               [&](notes& see) {
                 tcp_options o;
                 o.packet = packet::line;
                 pair p = connect_local(at, o);
                 must(p.client.send("one\ntw"), "send");
                 see.add(show(p.server.recv(0, long_time)));
                 must(p.server.set_active(active::on), "active");
                 must(p.client.send("o\nthree\n"), "send");
                 bool const agree = must(p.client.peer_address(), "peer") == at &&
                                    must(p.listener.local_address(), "local") == at &&
                                    must(p.server.peer_address(), "peer") == tcp_address::local({});
                 p.client.close();
                 for (int i = 0; i < 3; ++i) see.add(next_message(p.server));
                 see.add(agree ? "they agree" : "they differ");
               });
  }
}

TEST_CASE("a slow reader of a local socket holds its sender up, and gets everything",
          "[io][TCP-22]") {
  place const here;
  everywhere({"everything"}, [&](notes& see) {
    pair p = connect_local(tcp_address::local(here / "a"));
    std::string const all = numbered(600'000);
    spawn_link([s = p.client, &all, me = self()] {
      for (std::size_t at = 0; at < all.size(); at += 10'000)
        must(s.send(std::string_view(all).substr(at, 10'000)), "send");
      otter::send(me, 1);
    });
    see.add(receive_all(p.server, all.size()) == all ? "everything" : "something else");
    receive([](int) {});
  });
}

TEST_CASE("the last bytes of a local socket arrive though it has not read what came",
          "[io][TCP-12]") {
  place const here;
  on_threads({"'good bye'", "closed"}, [&](notes& see) {
    pair p = connect_local(tcp_address::local(here / "a"));
    must(p.client.set_exit_on_close(false), "exit_on_close");
    must(p.client.send(std::string(50'000, 'x')), "send");
    must(p.server.send("good bye"), "send");
    p.server.close();
    see.add(show(p.client.recv(8, long_time)));
    see.add(show(p.client.recv(0, long_time)));
  });
}

TEST_CASE("connecting to a local name where nobody listens says why", "[io][TCP-21]") {
  place const here;
  everywhere({"enoent", "econnrefused"}, [&](notes& see) {
    see.add(show(tcp_connect(tcp_address::local(here / "a"), {}, long_time)));
    see.add(show(tcp_connect(tcp_address::abstract(here / "a"), {}, long_time)));
  });
}

TEST_CASE("connecting waits for room in the queue of a local listener", "[io][TCP-21]") {
  place const here;
  on_threads({"timeout", "ok"}, [&](notes& see) {
    tcp_options o;
    o.backlog = 0;
    auto const at = tcp_address::local(here / "a");
    auto l = must(tcp_listen(at, o), "listen");
    std::vector<tcp_socket> clients;
    for (;;) {
      auto c = tcp_connect(at, {}, 20ms);
      if (!c) {
        see.add(show(c));
        break;
      }
      clients.push_back(*c);
    }
    spawn_waiting([at, me = self()] { otter::send(me, show(tcp_connect(at, {}, long_time))); });
    must(tcp_accept(l, long_time), "accept");
    receive([&](std::string const& s) { see.add(s); });
  });
}

TEST_CASE("the file of a local listener goes when the listener does, and no other file",
          "[io][TCP-16][TCP-18]") {
  place const here;
  std::string const path = here / "a";
  auto const exists = [&] { return std::filesystem::exists(path) ? "there" : "gone"; };
  on_threads({"there", "gone", "there", "gone", "there"}, [&](notes& see) {
    auto l = must(tcp_listen(tcp_address::local(path)), "listen");
    see.add(exists());
    l.close();
    see.add(exists());
    // With its owner, too.
    auto owner = spawn_monitor([&path, me = self()] {
      must(tcp_listen(tcp_address::local(path)), "listen");
      otter::send(me, 1);
      receive([](int) {});
    });
    receive([](int) {});
    see.add(exists());
    otter::send(owner.process, 1);
    receive([](down const&) {});
    see.add(exists());
    // Somebody has put another file in its place.
    l = must(tcp_listen(tcp_address::local(path)), "listen");
    std::filesystem::remove(path);
    std::ofstream(path) << "precious";
    l.close();
    see.add(exists());
    std::filesystem::remove(path);
  });
  {
    node n;
    n.run([&] { n.spawn([&] { must(tcp_listen(tcp_address::local(path)), "listen"); }); });
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("who may connect to a local listener is what was asked for, not what umask says",
          "[io][TCP-18]") {
  place const here;
  std::string const path = here / "a";
  on_threads({"660", "ok"}, [&](notes& see) {
    tcp_options o;
    o.permissions = 0660;
    must(tcp_listen(tcp_address::local(path), o), "listen");
    struct stat s {};
    ::stat(path.c_str(), &s);
    see.add(fmt::format("{:o}", s.st_mode & 07777));
    see.add(show(tcp_connect(tcp_address::local(path), {}, long_time)));
  });
}

TEST_CASE("addresses that no local socket can have are refused, with the numbers", "[io][TCP-21]") {
  auto const text_of = [](auto f) {
    try {
      f();
    } catch (error const& e) {
      return std::string(e.what());
    }
    return std::string("nothing");
  };
  lines const seen{"tcp_listen: a local name of 108 bytes; allowed: 1 to 107",
                   "tcp_connect: a local name of 0 bytes; allowed: 1 to 107",
                   "tcp_connect: a local name of 108 bytes; allowed: 1 to 107",
                   "tcp_listen: a zero in the middle of a local name",
                   "tcp_options: permissions are for a local name with a file",
                   "tcp_options: permissions are 02000; allowed: 0 to 0777"};
  everywhere(seen, [&](notes& see) {
    auto const add = [&](auto f) {
      std::string const text = text_of(f).substr(8);  // without "badarg: "
      see.add(text.substr(0, text.find(" (a shorter")));
    };
    add([] { static_cast<void>(tcp_listen(tcp_address::local(std::string(108, 'x')))); });
    add([] { static_cast<void>(tcp_connect(tcp_address::local({}))); });
    add([] { static_cast<void>(tcp_connect(tcp_address::abstract(std::string(108, 'x')))); });
    add([] { static_cast<void>(tcp_listen(tcp_address::local(std::string("/a\0b", 4)))); });
    tcp_options o;
    o.permissions = 02000;
    add([o] { static_cast<void>(tcp_listen(tcp_address::loopback(0), o)); });
    add([o] { static_cast<void>(tcp_listen(tcp_address::local("/nowhere"), o)); });
  });
}

TEST_CASE(
    "a listener that cannot be had is explained: by whom the address is taken, and what to do",
    "[io][TCP-18]") {
  place const here;
  std::string const stale = here / "stale";
  std::string const file = here / "file";
  leave_a_file(stale);
  std::ofstream(file) << "precious";
  lines explained;
  {
    node n;
    n.run([&] {
      auto const why_not = [&](tcp_address const& at) {
        auto const l = tcp_listen(at);
        explained.push_back(l ? "it could be had" : explain_listen_failure(at, l.error()));
      };
      why_not(tcp_address::local(stale));
      why_not(tcp_address::local(file));
      why_not(tcp_address::local(here / "no/such/directory"));
      auto const live = tcp_address::local(here / "live");
      must(tcp_listen(live), "listen");
      why_not(live);
      auto const nameless = tcp_address::abstract(here / "live");
      must(tcp_listen(nameless), "listen");
      why_not(nameless);
      auto const port = must(tcp_listen(tcp_address::loopback(0)), "listen");
      why_not(must(port.local_address(), "address"));
      why_not(*tcp_address::parse("192.0.2.1", 5222));
    });
  }
  auto const says = [&](std::size_t n, std::initializer_list<std::string> parts) {
    for (std::string const& part : parts) {
      INFO(explained.at(n) << "\n  does not say: " << part);
      CHECK(explained.at(n).find(part) != std::string::npos);
    }
  };
  std::string const we = fmt::format("process {} (", ::getpid());
  says(0, {"cannot listen on unix:" + stale, "eaddrinuse", "nobody listens", "rm " + stale});
  says(1, {"eaddrinuse", "no socket"});
  says(2, {"enoent", "no such directory"});
  says(3, {"unix:" + (here / "live"), "eaddrinuse", we});
  says(4, {"unix:@" + (here / "live"), "eaddrinuse", we});
  says(5, {"127.0.0.1:", "eaddrinuse", "port ", we, "reuse_port"});
  says(6, {"192.0.2.1:5222", "eaddrnotavail", "no interface"});
  // What lay there before lies there still.
  CHECK(std::filesystem::exists(stale));
  CHECK(std::filesystem::exists(file));
}
