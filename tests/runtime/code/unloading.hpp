#pragma once

// What tests of unmapping have in common: a version of the module "keeper" that is loaded, purged
// and looked for, and how they wait for what has ended to be gone.

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <utility>
#include <vector>

#include "keeper.hpp"
#include "modules.hpp"
#include "on_every_driver.hpp"

namespace unloading {

namespace code = otter::code;
using code::holder_kind;
using keeper::call;
using keeper::go_on;

inline void await(otter::monitor_ref watch) {
  otter::receive(
      otter::when([&](otter::down const& d) { return d.ref == watch; }, [](otter::down const&) {}));
}

/// Runs `work` in a process of its own, and waits for its end: what a call leaves on a stack would
/// hold the version.
template <class Work>
void elsewhere(Work work) {
  auto const p = otter::spawn_monitor(work);
  await(p.ref);
}

/// An address in the current version, so written that it does not hold it.
struct hidden_address {
  std::uintptr_t inverted = 0;
  hidden_address() {
    elsewhere([test = otter::self()] { otter::send(test, ~keeper::address()); });
    inverted = otter::receive([](std::uintptr_t a) { return a; });
  }
};

/// Whether a module is at that address. Something else may have come there.
inline bool is_in_maps(hidden_address hidden) {
  std::uintptr_t const address = ~hidden.inverted;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &from, &to) == 2 && from <= address &&
        address < to)
      return line.find("otter module") != std::string::npos;
  }
  return false;
}

/// The same, with the address on the stack of another process.
inline bool is_mapped(hidden_address hidden) {
  bool mapped = false;
  elsewhere([&] { mapped = is_in_maps(hidden); });
  return mapped;
}

/// Loads it in place of the present version, which is purged.
inline void replace(char const* module) {
  code::delete_module(module);
  code::purge(module);
}

/// "unmapped", or the kinds of those that hold it, of one version.
inline std::string outcome(std::vector<code::unload_result> const& results) {
  if (results.size() != 1) return std::to_string(results.size()) + " versions";
  if (results[0].unmapped) return "unmapped";
  std::string text;
  for (auto const& h : results[0].held_by)
    text += (text.empty() ? "" : " ") + std::string(code::to_string(h.what));
  return text;
}
inline std::string texts(std::vector<code::unload_result> const& results) {
  std::string all;
  for (auto const& r : results)
    for (auto const& h : r.held_by) all += h.text + "; ";
  return all;
}

/// A process that does `work` when it is told to, and then waits again.
template <class Work>
otter::pid does(Work work) {
  return otter::spawn([work, test = otter::self()]() mutable {
    for (;;) {
      otter::receive([&](go_on) { work(); });
      otter::send(test, go_on{});
    }
  });
}
inline void let_do(otter::pid who) {
  otter::send(who, go_on{});
  otter::receive([](go_on) {});
}

/// What has ended, or was cancelled, is gone soon: when its process or its worker has come to it.
inline std::string unload_soon(char const* module) {
  std::string last;
  for (int attempt = 0; attempt < 500; ++attempt) {
    auto const result = code::unload(module);
    last = outcome(result) + ": " + texts(result);
    if (last == "unmapped: ") return "unmapped";
    otter::sleep_for(std::chrono::milliseconds(attempt / 10));
  }
  return last;
}

/// The one version that is purged is held by `who` in the way `kind`, and a text with `part` says
/// so, until `release()`.
template <class Release>
void is_held(driver_report& report, std::string const& what, holder_kind kind, otter::pid who,
             Release&& release, std::string const& part = "") {
  hidden_address const address;
  replace("keeper");
  auto const held = code::unload("keeper");
  report.equal(what + ": how many are still there", held.size(), 1u);
  bool named = false;
  for (auto const& r : held)
    for (auto const& h : r.held_by)
      named =
          named || (h.what == kind && h.process == who && h.text.find(part) != std::string::npos);
  report.check(what + " holds it: " + outcome(held) + ": " + texts(held), named);
  report.check(what + ": it is still there", is_mapped(address));
  if (!named) return;  // what is left would run code that is not there
  auto const listed = code::purged("keeper");
  report.check(what + ": and is listed with the reason",
               listed.size() == 1 && !listed[0].held_by.empty());
  release();
  report.equal(what + ", afterwards", unload_soon("keeper"), std::string("unmapped"));
  report.check(what + ": it is gone", !is_mapped(address));
}
inline void kill_and_await(otter::pid who) {
  auto const watch = otter::monitor(who);
  otter::exit(who, otter::exit_reason::kill());
  await(watch);
}
/// The same for what ends with a process.
inline void is_held_by(driver_report& report, std::string const& what, holder_kind kind,
                       otter::pid who, std::string const& part = "") {
  is_held(
      report, what, kind, who, [who] { kill_and_await(who); }, part);
}

inline void load_keeper() { code::load(modules::file("keeper-1")).value(); }

/// Options of a node on threads.
inline otter::node_options quiet() {
  return {.workers = 2, .on_event = [](otter::node_event const&) {}};
}

}  // namespace unloading
