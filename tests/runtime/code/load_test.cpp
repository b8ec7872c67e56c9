// Loading: what becomes current and old, and what is refused without a change.

#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <utility>
#include <vector>

#include "modules.hpp"
#include "on_every_driver.hpp"

namespace code = otter::code;

TEST_CASE("loading makes the current version old and the new one current", "[code][CL-1]") {
  on_every_driver([](driver_report& report) {
    report.equal("nothing is loaded", modules::versions("sums"), std::string());
    auto const first = code::load(modules::file("sums-1"));
    report.check("the first is loaded", first.has_value());
    report.equal("its version", first->version, std::string("1"));
    report.equal("its file", first->file, modules::file("sums-1"));
    report.equal("its digest has 64 digits", first->digest.size(), 64u);
    report.equal("alone", modules::versions("sums"), std::string("1"));
    report.check("it has no old one", !code::check_old_code("sums"));
    code::load(modules::file("sums-2")).value();
    report.equal("after the second", modules::versions("sums"), std::string("2 over 1"));
    report.check("it has an old one", code::check_old_code("sums"));
    code::load(modules::file("sums-1")).value();
    report.equal("a third: the oldest is gone", modules::versions("sums"), std::string("1 over 2"));
    auto const all = code::all_loaded();
    report.check("all that is loaded", all.size() == 1 && all[0].name == "sums" &&
                                           all[0].current->version == "1" &&
                                           all[0].old->version == "2");
    report.equal("events", report.count_events(otter::node_event::kind::code), 4u);
  });
}

TEST_CASE("a module that is loaded from memory is as one from a file", "[code][CL-1]") {
  on_every_driver([](driver_report& report) {
    auto const loaded = code::load_binary(modules::content("sums-2"), "the post");
    report.check("it is loaded", loaded.has_value());
    report.equal("where from", loaded->file, std::string("the post"));
    report.equal("it runs", modules::version_of_sums(), std::string("2"));
    report.equal("the digest is that of the file", loaded->digest,
                 code::load(modules::file("sums-2"))->digest);
  });
}

TEST_CASE("the same file loaded twice is two versions, each with its own variables",
          "[code][CL-1]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("products-1")).value();
    code::load(modules::file("products-1")).value();
    // Its on_load counts, and accepts the first time only.
    report.equal("both are there", modules::versions("products"), std::string("1 over 1"));
    report.equal("on_load ran once in it", code::latest<int()>("products", "accepted")(), 1);
  });
}

TEST_CASE("what cannot be loaded is refused with the reason, and nothing changes", "[code][CL-7]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    code::load(modules::file("sums-2")).value();
    struct trial {
      std::string file;
      code::load_errc what;
      std::string part;
    };
    for (trial const& t : std::vector<trial>{
             {"/nowhere/sums.so", code::load_errc::unreadable, "No such file"},
             {"/", code::load_errc::unreadable, "no regular file"},
             {"/dev/zero", code::load_errc::unreadable, "no regular file"},
             {"/proc/self/exe", code::load_errc::not_a_module, "otter_add_module"},
             {std::string(CODE_TEST_MODULES) + "/sums-1.description.cpp", code::load_errc::foreign,
              "no ELF file"},
             {modules::file("sums-without_table"), code::load_errc::not_a_module, "OTTER_MODULE"},
             {modules::file("sums-needs_more"), code::load_errc::unresolved, "abacus"},
             {modules::file("sums-brings_runtime"), code::load_errc::second_runtime,
              "otter_one_runtime"},
             {modules::file("sums-needs_runtime"), code::load_errc::second_runtime,
              "libsecond_runtime.so"},
             {modules::file("sums-returns_false"), code::load_errc::on_load_failure,
              "it returned false"},
             {modules::file("sums-throws"), code::load_errc::on_load_failure,
              "no table of primes"}}) {
      auto const loaded = code::load(t.file);
      report.check(t.file + " is refused", !loaded.has_value());
      if (loaded) continue;
      report.equal(t.file, to_string(loaded.error().what), to_string(t.what));
      report.check(t.file + " says why: " + loaded.error().text,
                   loaded.error().text.find(t.part) != std::string::npos);
      report.equal(t.file + " changes nothing", modules::versions("sums"), std::string("2 over 1"));
    }
    report.equal("the current version still runs", modules::version_of_sums(), std::string("2"));
    report.equal("each refusal is reported", report.count_events("not loaded: "), 11u);
  });
}

TEST_CASE("on_load runs in a process of its own before the module is current", "[code][CL-7]") {
  on_every_driver([](driver_report& report) {
    report.check("it accepts", code::load(modules::file("products-1")).has_value());
    report.equal("it has run", code::latest<int()>("products", "accepted")(), 1);
    report.check("another refuses", !code::load(modules::file("sums-throws")).has_value());
    report.check("there is no such module", !code::which("sums"));
  });
}

TEST_CASE("several modules become current together or none does", "[code][CL-8]") {
  on_every_driver([](driver_report& report) {
    code::load(modules::file("sums-1")).value();
    auto const failed =
        code::atomic_load({modules::file("products-1"), modules::file("sums-returns_false")});
    report.check("one refuses", !failed.has_value());
    report.equal("the other is not loaded", modules::versions("products"), std::string());
    report.equal("nor replaced", modules::versions("sums"), std::string("1"));
    auto const twice = code::atomic_load({modules::file("sums-1"), modules::file("sums-2")});
    report.check("two of one module", !twice && twice.error().what == code::load_errc::named_twice);
    auto const both = code::atomic_load({modules::file("products-1"), modules::file("sums-2")});
    report.check("both accept", both.has_value() && both->size() == 2);
    report.equal("one", modules::versions("products"), std::string("1"));
    report.equal("and the other", modules::versions("sums"), std::string("2 over 1"));
  });
}

TEST_CASE("a load goes on when its caller is killed", "[code][CL-1]") {
  on_every_driver([](driver_report& report) {
    struct begun {};
    otter::pid const test = otter::self();
    auto const loader = otter::spawn_monitor([test] {
      otter::send(test, begun{});
      static_cast<void>(code::load(modules::file("sums-1")));
    });
    otter::receive([](begun) {});
    otter::exit(loader.process, otter::exit_reason::kill());
    otter::receive(otter::when([&](otter::down const& d) { return d.ref == loader.ref; },
                               [](otter::down const&) {}));
    // Killed before, in or after it: the next one is not kept waiting, and sees one version or two.
    code::load(modules::file("sums-2")).value();
    std::string const now = modules::versions("sums");
    report.check("the next one is served: " + now, now == "2" || now == "2 over 1");
  });
}

TEST_CASE("loads of many processes follow one another", "[code][CL-1]") {
  on_every_driver([](driver_report& report) {
    std::vector<otter::spawned> loaders;
    for (int i = 0; i < 6; ++i)
      loaders.push_back(otter::spawn_monitor(
          [i] { code::load(modules::file(i % 2 == 0 ? "sums-1" : "sums-2")).value(); }));
    bool normal = true;
    for (auto const& l : loaders)
      otter::receive(otter::when(
          [&](otter::down const& d) { return d.ref == l.ref; },
          [&](otter::down const& d) { normal = normal && d.reason == otter::exit_kind::normal; }));
    report.check("each has loaded", normal);
    report.check("two versions are left", code::which("sums") && code::which_old("sums"));
    report.equal("four were purged and six loaded",
                 report.count_events(otter::node_event::kind::code), 10u);
  });
}

TEST_CASE("each node has modules of its own", "[code]") {
  on_every_driver([](driver_report& report) {
    report.check("nothing of other nodes is here", code::all_loaded().empty());
    code::load(modules::file("sums-1")).value();
    report.equal("its own", code::all_loaded().size(), 1u);
  });
}
