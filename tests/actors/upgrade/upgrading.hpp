#pragma once

// upgrading.hpp - what the tests of upgrades have in common: steps of plans, and servers.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <otter/code.hpp>
#include <otter/gen.hpp>
#include <otter/upgrade.hpp>
#include <string>
#include <vector>

#include "lamp.hpp"

namespace upgrading {

namespace code = otter::code;
namespace upgrade = otter::upgrade;

inline std::string file(std::string const& module, int version) {
  return fmt::format("{}/{}-{}.so", UPGRADE_TEST_MODULES, module, version);
}
inline void load(std::string const& module, int version) {
  code::load(file(module, version)).value();
}

/// From version 1 on.
inline upgrade::module_step step(std::string const& module, int to,
                                 std::vector<upgrade::need> needs = {},
                                 upgrade::mode_type mode = upgrade::mode_type::one_by_one) {
  return {.name = module,
          .file = file(module, to),
          .from = {"1"},
          .to = std::to_string(to),
          .depends_on = std::move(needs),
          .mode = mode};
}

inline otter::pid start(std::string const& module, int n) {
  return lamps::starter(module, "start")(n).value();
}
inline std::vector<otter::pid> start_many(std::string const& module, int count) {
  std::vector<otter::pid> all;
  for (int i = 0; i < count; ++i) all.push_back(start(module, i));
  return all;
}
/// What each says: one that is suspended would not.
inline std::string look(std::vector<otter::pid> const& all) {
  std::vector<std::string> texts;
  for (otter::pid const p : all) texts.push_back(otter::call(p, lamps::look{}));
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// "2 over 1", "2", "over 1" or "".
inline std::string versions(std::string const& module) {
  auto const now = code::which(module);
  auto const old = code::which_old(module);
  std::string text = now ? now->version : "";
  if (old) text += (now ? " over " : "over ") + old->version;
  return text;
}

inline bool has(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}
/// The refusals and notes of a report.
inline std::string lines(upgrade::report const& r) {
  return fmt::format("{}{}{}", fmt::join(r.refusals, "\n"), r.notes.empty() ? "" : "\n",
                     fmt::join(r.notes, "\n"));
}

}  // namespace upgrading
