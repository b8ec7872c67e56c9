// A process per connection without a stack: events of kind ready, and reading in place.

#include <algorithm>
#include <utility>

#include "tcp_support.hpp"

using namespace otter;
using namespace tcp_test;

namespace {

/// Answers each line with its length; keeps nothing of its own between two events.
class line_counter final : public reactive {
 public:
  line_counter(tcp_socket s, pid home) : socket_(s), home_(home) {}

  void start() override {}
  void handle(event& what) override {
    if (what.get_if<int>() != nullptr) {  // the socket is ours by now
      must(socket_.set_active(active::ready), "set_active");
      return;
    }
    if (what.what() != event::kind::ready) return;
    if (tcp_socket::of(what) != socket_) {
      otter::send(home_, std::string("a strange socket"));
      return;
    }
    auto r = socket_.read([this](std::span<std::byte const> view) {
      std::string_view const text = as_text(view);
      std::size_t used = 0;
      for (std::size_t end; (end = text.find('\n', used)) != std::string_view::npos; used = end + 1)
        must(socket_.send(std::to_string(end - used) + "\n"), "send");
      return used;
    });
    if (!r) {
      otter::send(home_, "ended: " + r.error().message());
      stop(exit_reason::normal());
    }
  }

 private:
  tcp_socket socket_;
  pid home_;
};

pid serve(tcp_socket s) {
  pid const session = spawn_reactive({}, make_reactive<line_counter>(s, self()));
  must(s.controlling_process(session), "controlling_process");
  otter::send(session, 1);
  return session;
}

}  // namespace

TEST_CASE("a reactive reads in place, and an incomplete rest is shown again", "[io][TCP-27]") {
  everywhere({"3", "0", "10", "ended: closed"}, [](notes& see) {
    pair p = connect_pair();
    must(p.client.set_packet(packet::line), "set_packet");
    must(p.client.send("abc\n\n01234"), "send");  // before anybody reads
    serve(p.server);
    auto answer = [&] {
      std::string s = must(p.client.recv(0, long_time), "recv");
      s.pop_back();
      see.add(s);
    };
    answer();
    answer();
    for (char c : std::string("56789\n")) must(p.client.send(std::string_view(&c, 1)), "send");
    answer();
    p.client.close();
    receive([&](std::string const& m) { see.add(m); });
  });
}

TEST_CASE("a reader that waits in the middle keeps its view", "[io][TCP-27]") {
  everywhere({"unchanged 2000", "unchanged 2000"}, [](notes& see) {
    class slow final : public reactive {
     public:
      slow(tcp_socket s, pid home) : socket_(s), home_(home) {}
      void start() override {}
      void handle(event& what) override {
        if (what.get_if<int>() != nullptr) must(socket_.set_active(active::ready), "set_active");
        if (what.what() != event::kind::ready) return;
        static_cast<void>(socket_.read([this](std::span<std::byte const> view) {
          if (view.size() < 2000) return std::size_t{0};
          std::string const before(as_text(view));
          otter::send(home_, 1);
          receive([](double) {});  // the other one reads meanwhile, on the same worker
          bool const same = before == as_text(view);
          otter::send(home_, (same ? "unchanged " : "changed ") + std::to_string(view.size()));
          return view.size();
        }));
      }

     private:
      tcp_socket socket_;
      pid home_;
    };
    pair a = connect_pair();
    pair b = connect_pair();
    std::vector<pid> sessions;
    for (pair* p : {&a, &b}) {
      pid const session = spawn_reactive({}, make_reactive<slow>(p->server, self()));
      must(p->server.controlling_process(session), "controlling_process");
      sessions.push_back(session);
      otter::send(session, 1);
      must(p->client.send(numbered(2000, p == &a ? 1 : 2)), "send");
    }
    for (int i = 0; i < 2; ++i) receive([](int) {});
    for (pid session : sessions) otter::send(session, 0.5);
    receive([&](std::string const& m) { see.add(m); });
    receive([&](std::string const& m) { see.add(m); });
  });
}

TEST_CASE("only the owner reads, and only in mode ready", "[io][TCP-27]") {
  everywhere({"einval", "not_owner", "einval", "ok", "not_owner"}, [](notes& see) {
    pair p = connect_pair();
    auto nothing = [](std::span<std::byte const> view) { return view.size(); };
    see.add(show(p.server.read(nothing)));
    spawn_link([me = self(), s = p.server, &see, nothing] {
      see.add(show(s.read(nothing)));
      otter::send(me, 1);
    });
    receive([](int) {});
    see.add(show(p.client.set_active(active_n(40000))));
    see.add(show(p.server.set_active(active::ready)));
    spawn_link([me = self(), s = p.server, &see] {
      see.add(show(s.set_active(active::off)));
      otter::send(me, 1);
    });
    receive([](int) {});
  });
}

TEST_CASE("a socket that is given away while it is read is its next owner's to read",
          "[io][TCP-27]") {
  everywhere({"not refused", "looks on: einval"}, [](notes& see) {
    class next_owner final : public reactive {
     public:
      next_owner(tcp_socket s, pid home) : socket_(s), home_(home) {}
      void start() override {}
      void handle(event& what) override {
        if (auto const* before = what.get_if<pid>()) {
          before_ = *before;
          must(socket_.set_active(active::ready), "set_active");
        }
        if (what.what() != event::kind::ready) return;
        auto const r = socket_.read([this](std::span<std::byte const> view) {
          if (std::exchange(looked_, true)) return view.size();
          otter::send(home_, std::string("not refused"));
          otter::send(before_, 0.5);
          receive([](char) {});  // the one before has ended its look
          auto const again = socket_.read([](std::span<std::byte const> v) { return v.size(); });
          otter::send(home_, "looks on: " + show(again));
          return view.size();
        });
        if (!r && !std::exchange(looked_, true)) otter::send(home_, "refused: " + show(r));
      }

     private:
      tcp_socket socket_;
      pid home_, before_;
      bool looked_ = false;
    };
    class first_owner final : public reactive {
     public:
      first_owner(tcp_socket s, pid home, pid next) : socket_(s), home_(home), next_(next) {}
      void start() override {}
      void handle(event& what) override {
        if (what.get_if<int>() != nullptr) must(socket_.set_active(active::ready), "set_active");
        if (what.what() != event::kind::ready) return;
        static_cast<void>(socket_.read([this](std::span<std::byte const> view) {
          must(socket_.controlling_process(next_), "controlling_process");
          otter::send(next_, self());
          otter::send(home_, 1);
          receive([](double) {});  // it looks at what came for it
          return view.size();
        }));
        otter::send(next_, 'e');
      }

     private:
      tcp_socket socket_;
      pid home_, next_;
    };
    pair p = connect_pair();
    pid const next = spawn_reactive({}, make_reactive<next_owner>(p.server, self()));
    pid const first = spawn_reactive({}, make_reactive<first_owner>(p.server, self(), next));
    must(p.client.send("one"), "send");
    must(p.server.controlling_process(first), "controlling_process");
    otter::send(first, 1);
    receive([](int) {});
    must(p.client.send("two"), "send");
    std::string said;
    receive([&](std::string const& m) { said = m; });
    see.add(said);
    if (said == "not refused") receive([&](std::string const& m) { see.add(m); });
  });
}

TEST_CASE("a reader that never uses what it is shown is stopped at 64 KiB", "[io][TCP-27]") {
  everywhere({"ended: emsgsize"}, [](notes& see) {
    pair p = connect_pair();
    serve(p.server);
    std::string const no_line(200'000, 'x');
    spawn([s = p.client, no_line] { static_cast<void>(s.send(no_line)); });
    receive([&](std::string const& m) { see.add(m); });
  });
}

TEST_CASE("a thousand connections with one process each answer and stay small", "[io][TCP-27]") {
  // Both ends live here: 2,000 descriptors.
  constexpr int count = 1000;
  for (unsigned workers : {1u, 4u}) {
    INFO(workers << " workers");
    node_options options;
    options.workers = workers;
    node n(options);
    int answered = 0;
    std::size_t stacks = 0;
    auto const reason = n.run([&] {
      auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
      auto const at = must(l.local_address(), "address");
      std::vector<tcp_socket> clients;
      for (int i = 0; i < count; ++i) {
        clients.push_back(must(tcp_connect(at, {}, long_time), "connect"));
        serve(must(tcp_accept(l, long_time), "accept"));
      }
      for (auto c : clients) must(c.send("0123456789\n"), "send");
      for (auto c : clients) answered += must(c.recv(3, long_time), "recv") == "10\n" ? 1 : 0;
      // A client hears its answer before the session has come to rest.
      auto const end = node_clock::now() + long_time;
      while ((stacks = n.statistics().stacks_in_use) > 8 && node_clock::now() < end)
        receive(after(1ms, [] {}));
      for (auto c : clients) c.close();
      for (int i = 0; i < count; ++i) receive([](std::string const&) {});
    });
    CHECK(to_string(reason) == "normal");
    CHECK(answered == count);
    CHECK(stacks <= 8);  // none for the sessions
    CHECK(ports_left(n) == 0);
    n.stop();
    CHECK(n.statistics().processes == 0);
  }
}
