// Servers that are named in a registry of the program's own.

#include <map>
#include <memory>
#include <mutex>
#include <otter/error.hpp>
#include <otter/gen.hpp>
#include <otter/gen_server.hpp>
#include <otter/link.hpp>
#include <otter/supervisor.hpp>
#include <string>

#include "on_every_driver.hpp"
#include "trace.hpp"

using namespace trace;
using otter_test::driver_report;
using otter_test::on_every_driver;

namespace via_test {

/// A registry that counts what it is asked; any process may ask it at any time.
class book final : public otter::name_registry {
 public:
  otter::pid whereis(std::string_view key) override {
    std::lock_guard lock(mutex_);
    auto const at = entries_.find(std::string(key));
    return at == entries_.end() ? otter::pid{} : at->second;
  }
  bool register_name(std::string_view key, otter::pid process) override {
    std::lock_guard lock(mutex_);
    return entries_.emplace(key, process).second;
  }
  void unregister_name(std::string_view key) override {
    std::lock_guard lock(mutex_);
    entries_.erase(std::string(key));
  }
  void send(std::string_view key, otter::any_message message) override {
    {
      std::lock_guard lock(mutex_);
      ++sent;
    }
    otter::name_registry::send(key, std::move(message));
  }
  int sent = 0;

 private:
  std::mutex mutex_;
  std::map<std::string, otter::pid> entries_;
};

class counter : public otter::gen_server<counter> {
 public:
  struct add {
    int by;
  };
  struct read {
    using reply = int;
  };
  struct poke {};
  using accepts = otter::accepts<add, read, poke>;

  explicit counter(int start) : value_(start) {
    if (start < 0) throw std::runtime_error("below zero");
  }
  otter::init_outcome init() {
    if (value_ == 13) return ignore();
    return ok();
  }
  void handle_cast(add a) { value_ += a.by; }
  int handle_call(read) { return value_; }
  void handle_info(poke) { ++value_; }

 private:
  int value_;
};

}  // namespace via_test

using via_test::book;
using via_test::counter;

TEST_CASE("a server may be named in a registry of the program's own", "[gen][RN-7]") {
  on_every_driver([](driver_report& report) {
    book names;
    otter::via const here{&names, "counter"};
    auto server = counter::start_link({.via = here}, 5).value();
    report.check("whereis", names.whereis("counter") == server.process());
    otter::cast(here, counter::add{2});
    report.equal("call", otter::call(here, counter::read{}), 7);
    otter::send(here, counter::poke{});
    report.equal("send", otter::call(here, counter::read{}), 8);
    report.equal("through the registry's own send", names.sent, 1);
    report.check("it has no name on the node", !otter::whereis("counter"));
    otter::stop(here);
    report.check("given back at the end", !names.whereis("counter"));
    report.equal("call of nobody", failure_of([&] { otter::call(here, counter::read{}); }),
                 text(otter::exit_reason::noproc()));
    bool refused = false;
    try {
      otter::send(here, counter::poke{});
    } catch (otter::error const& e) {
      refused = e.code() == otter::errc::badarg;
    }
    report.check("send to nobody is badarg", refused);
  });
}

TEST_CASE("a name that the registry gives to another makes the start fail", "[gen][RN-7]") {
  on_every_driver([](driver_report& report) {
    book names;
    otter::via const here{&names, "counter"};
    auto first = counter::start_link({.via = here}, 1).value();
    auto second = counter::start_link({.via = here}, 2);
    report.check("refused",
                 !second && second.error().what == otter::start_error::kind::already_started);
    report.check("it says who", !second && second.error().process == first.process());
    report.equal("the first is untouched", otter::call(here, counter::read{}), 1);
    otter::stop(first);
  });
}

TEST_CASE("of many starts for one key of a registry one succeeds", "[gen][RN-7]") {
  on_every_driver([](driver_report& report) {
    book names;
    struct tried {
      bool mine;
    };
    for (int i = 0; i < 8; ++i)
      otter::spawn([me = otter::self(), &names] {
        auto started = counter::start({.via = otter::via{&names, "one"}}, 1);
        bool const mine = started.has_value();
        otter::send(me, tried{mine});
      });
    int winners = 0;
    for (int i = 0; i < 8; ++i) winners += otter::receive([](tried t) { return t.mine ? 1 : 0; });
    report.equal("winners", winners, 1);
    otter::stop(names.whereis("one"));
  });
}

TEST_CASE("a start that fails leaves nobody in the registry", "[gen][RN-7]") {
  on_every_driver([](driver_report& report) {
    book names;
    otter::via const here{&names, "counter"};
    otter::trap_exit(true);
    report.check("thrown", !counter::start_link({.via = here}, -1));
    report.check("free", !names.whereis("counter"));
    report.check("ignored", !counter::start_link({.via = here}, 13));
    report.check("free again", !names.whereis("counter"));
    auto server = counter::start_link({.via = here}, 3);
    report.check("can be had", server.has_value());
    otter::stop(*server);
  });
}
