// Links: one per pair, agreed upon by both sides, whatever the order of things.

#include <algorithm>
#include <otter/link.hpp>
#include <otter/process_info.hpp>
#include <random>
#include <vector>

#include "process_support.hpp"

using namespace process_test;

namespace {

bool linked(otter::pid a, otter::pid b) {
  auto const links = otter::process_info<std::vector<otter::pid>>(a, otter::info_item::links);
  return links && std::find(links->begin(), links->end(), b) != links->end();
}

/// What a partner is asked to do.
struct do_link {
  otter::pid with;
};
struct do_unlink {
  otter::pid from;
};
struct do_exit {
  exit_reason reason;
};
struct done {};

/// Does what it is asked, trapping exits.
void partner() {
  otter::trap_exit(true);
  for (;;)
    otter::receive([](do_link m) { otter::link(m.with); },
                   [](do_unlink m) { otter::unlink(m.from); },
                   [](do_exit m) { otter::exit(m.reason); });
}

}  // namespace

TEST_CASE("a link is one per pair: linking twice needs one unlink", "[link][L-1]") {
  on_every_driver([](driver_report& report) {
    otter::spawned p = waiter(true);
    otter::link(p);
    otter::link(p);
    report.equal("counted once",
                 otter::process_info<std::vector<otter::pid>>(p, otter::info_item::links)->size(),
                 1u);
    otter::unlink(p);
    report.check("the other side agrees", !linked(p, otter::self()));
    otter::trap_exit(true);
    otter::exit(p, exit_reason::kill());
    end_of(p.ref);
    report.equal("no exit came", next_exited(), std::string("none"));
  });
}

TEST_CASE("linked from both sides is linked once", "[link][L-1][L-2]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    for (int i = 0; i < 20; ++i) {
      otter::spawned p = otter::spawn_monitor(partner);
      otter::send(p, do_link{otter::self()});
      otter::link(p);
      report.check("linked when link() returns", linked(otter::self(), p));
      report.check("there too", linked(p, otter::self()));
      otter::send(p, do_exit{exit_reason::of("end")});
      end_of(p.ref);
      report.equal("one exit", next_exited(), to_string(exit_reason::of("end")));
      report.equal("not two", next_exited(), std::string("none"));
    }
  });
}

TEST_CASE("linking to oneself does nothing", "[link][L-2]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::link(otter::self());
    otter::unlink(otter::self());
    report.check("no link", !linked(otter::self(), otter::self()));
    report.equal("no message", next_exited(), std::string("none"));
  });
}

TEST_CASE("a link made right after an unlink holds", "[link][L-9][L-10]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    for (int i = 0; i < 50; ++i) {
      otter::spawned p = waiter();
      otter::link(p);
      // The acknowledgement of the unlink is still on its way when the link is made again.
      otter::unlink(p);
      otter::link(p);
      otter::exit(p, exit_reason::of("end"));
      end_of(p.ref);
      report.equal("the exit comes", next_exited(), to_string(exit_reason::of("end")));
      report.equal("once", next_exited(), std::string("none"));
    }
  });
}

TEST_CASE("an unlink stops the exit of a peer that is ending at that moment",
          "[link][L-9][L-12][X-1g]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    bool kept_out = true;
    for (int i = 0; i < 100; ++i) {
      otter::spawned p = waiter();
      otter::link(p);
      otter::exit(p, exit_reason::of("end"));
      otter::unlink(p);  // the exit may be in our inbox already: it is dropped all the same
      int const queued = take_all<otter::exited>();  // one that was taken in before stays (L-6)
      end_of(p.ref);
      kept_out = kept_out && queued <= 1 && next_exited() == "none";
    }
    report.check("nothing came after the unlink", kept_out);
  });
}

TEST_CASE("a link exit is acted upon once, and the link is gone with it", "[link][L-12]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    otter::spawned p = waiter();
    otter::link(p);
    report.check("linked", linked(otter::self(), p));
    otter::send(p, go{});
    end_of(p.ref);
    report.equal("its exit", next_exited(), to_string(exit_reason::normal()));
    report.check("not linked any more", !linked(otter::self(), p));
    otter::unlink(p);  // not linked: not an error
  });
}

TEST_CASE("a link that the peer makes while it is being unlinked does not survive",
          "[link][L-10]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    for (int i = 0; i < 50; ++i) {
      otter::spawned p = otter::spawn_monitor(partner);
      otter::link(p);
      otter::send(p, do_link{otter::self()});  // linked already: nothing to do for it
      otter::unlink(p);
      bool const here = linked(otter::self(), p);
      bool const there = linked(p, otter::self());
      report.check("both sides agree", here == there || linked(otter::self(), p) == there);
      otter::exit(p, exit_reason::kill());
      end_of(p.ref);
      take_all<otter::exited>();
    }
  });
}

TEST_CASE("whatever two processes do to their link, in the end they agree", "[link][L-11]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    std::mt19937 choice(7);  // what is done; when it happens is the driver's choice
    bool agree = true;
    int ended_linked = 0;
    constexpr int rounds = 60;
    for (int round = 0; round < rounds; ++round) {
      otter::spawned a = otter::spawn_monitor(partner);
      otter::spawned b = otter::spawn_monitor(partner);
      int const steps = 1 + static_cast<int>(choice() % 12);
      for (int i = 0; i < steps; ++i) {
        otter::pid const who = choice() % 2 == 0 ? a.process : b.process;
        otter::pid const other = who == a.process ? b.process : a.process;
        if (choice() % 2 == 0)
          otter::send(who, do_link{other});
        else
          otter::send(who, do_unlink{other});
      }
      // Everything is said. Each query waits for what its process had sent before, and the second
      // round for what the first one's answers caused.
      for (int i = 0; i < 3; ++i) {
        otter::is_alive(a);
        otter::is_alive(b);
      }
      while (*otter::process_info<std::uint64_t>(a, otter::info_item::message_queue_len) +
                 *otter::process_info<std::uint64_t>(b, otter::info_item::message_queue_len) !=
             0) {
      }
      for (int i = 0; i < 3; ++i) {
        otter::is_alive(a);
        otter::is_alive(b);
      }
      bool const here = linked(a, b);
      agree = agree && here == linked(b, a);
      // And the link does what a link does.
      otter::exit(a, exit_reason::kill());
      end_of(a.ref);
      otter::send(b, do_exit{exit_reason::of("end")});
      end_of(b.ref);
      ended_linked += here ? 1 : 0;
    }
    report.check("both sides say the same", agree);
    report.check("some ended linked, some did not", ended_linked > 0 && ended_linked < rounds);
  });
}
