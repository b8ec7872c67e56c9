// The dictionary of a process, and the fixed fields beside it.

#include <memory>
#include <otter/dictionary.hpp>
#include <otter/process_info.hpp>

#include "process_support.hpp"

using namespace process_test;
namespace dictionary = otter::dictionary;
using otter::info_item;

namespace {

struct trace_id {
  std::string text;
};
struct counter {
  int n;
};
struct note {
  std::string text;
};

std::string trace() {
  auto const* id = dictionary::get<trace_id>();
  return id != nullptr ? id->text : "none";
}

}  // namespace

TEST_CASE("a process keeps one value of each type, and gives it back", "[dictionary][P-21]") {
  on_every_driver([](driver_report& report) {
    report.equal("nothing at first", trace(), std::string("none"));
    report.check("nothing to erase", !dictionary::erase<trace_id>());
    report.check("nothing replaced", !dictionary::put(trace_id{"a"}));
    report.check("another type", !dictionary::put(counter{1}));
    report.equal("kept", trace(), std::string("a"));
    dictionary::get<counter>()->n += 41;
    report.equal("replaced", dictionary::put(trace_id{"b"})->text, std::string("a"));
    report.equal("the new one", trace(), std::string("b"));
    report.equal("the other is untouched", dictionary::erase<counter>()->n, 42);
    report.check("and gone", dictionary::get<counter>() == nullptr);
    report.equal("taken out", dictionary::erase<trace_id>()->text, std::string("b"));
    report.equal("gone", trace(), std::string("none"));
  });
}

TEST_CASE("each process has a dictionary of its own, wherever it runs", "[dictionary][P-21]") {
  on_every_driver([](driver_report& report) {
    dictionary::put(trace_id{"parent"});
    constexpr int children = 20;
    for (int i = 0; i < children; ++i)
      otter::spawn([me = otter::self(), i] {
        bool const empty = trace() == "none";
        dictionary::put(trace_id{std::to_string(i)});
        for (int k = 0; k < 20; ++k) otter::sleep_for(1us);
        otter::send(me, number{empty && trace() == std::to_string(i) ? 1 : 0});
      });
    int good = 0;
    for (int i = 0; i < children; ++i) good += otter::receive([](number x) { return x.n; });
    report.equal("children", good, children);
    report.equal("the parent's", trace(), std::string("parent"));
  });
}

TEST_CASE("the values end with the process, behind its body and before its end is heard of",
          "[dictionary][P-21][C0-5]") {
  on_every_driver([](driver_report& report) {
    for (bool killed : {true, false}) {
      otter::spawned const p = started([me = otter::self()] {
        dictionary::put(std::make_unique<sends_at_end<note>>(me, note{"value"}));
        sends_at_end<note> local(me, note{"local"});
        otter::receive([](go) {});
      });
      if (killed)
        otter::exit(p, exit_reason::kill());
      else
        otter::send(p, go{});
      std::string order;
      for (int i = 0; i < 3; ++i)
        order += otter::receive([](note n) { return n.text; },
                                [](otter::down) { return std::string("down"); }) +
                 " ";
      report.equal("order", order, std::string("local value down "));
    }
  });
}

TEST_CASE("the values of a process can be looked at, unless it is sensitive",
          "[dictionary][P-21][PI-5]") {
  on_every_driver([](driver_report& report) {
    dictionary::put(trace_id{"visible"});
    auto const shown = [] {
      return otter::process_info<std::vector<std::string>>(otter::self(), info_item::dictionary)
          .value();
    };
    report.equal("how many", shown().size(), 1u);
    report.check("which", shown().front().find("visible") != std::string::npos);
    otter::set_sensitive(true);
    report.equal("hidden", shown().size(), 0u);
    report.equal("but there", trace(), std::string("visible"));
  });
}

TEST_CASE("a label, an initial call and a parent are fields that everybody can read",
          "[dictionary][P-21]") {
  on_every_driver([](driver_report& report) {
    otter::spawned const p =
        otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none, .label = "first"},
                     [me = otter::self()] {
                       otter::receive([](go) {});
                       otter::set_label("second");
                       otter::set_initial_call("worker::run");
                       otter::send(me, go{});
                       otter::receive([](go) {});
                     });
    auto const field = [&](info_item item) {
      return otter::process_info<std::string>(p, item).value();
    };
    report.equal("given at its start", field(info_item::label), std::string("first"));
    otter::send(p, go{});
    otter::receive([](go) {});
    report.equal("changed by itself", field(info_item::label), std::string("second"));
    report.equal("initial call", field(info_item::initial_call), std::string("worker::run"));
    report.check("parent", otter::process_info<otter::pid>(p, info_item::parent) == otter::self());
    otter::send(p, go{});
    end_of(p.ref);
  });
}

TEST_CASE("outside a process there is no dictionary", "[dictionary][P-21]") {
  CHECK(dictionary::get<trace_id>() == nullptr);
  CHECK(errc_of([] { dictionary::put(trace_id{"x"}); }) == "not_in_process");
}
