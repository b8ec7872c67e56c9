#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <otter/process_info.hpp>
#include <otter/spawn.hpp>
#include <utility>
#include <variant>
#include <vector>

#include "log_core.hpp"

namespace otter::detail {
namespace {

constexpr std::array<char const*, 5> status_names = {"running", "runnable", "waiting", "exiting",
                                                     "suspended"};

/// The first `most` of `all`, each as `text` makes it, and how many are missing.
template <class T, class Text>
std::string list_of(std::vector<T> const& all, std::size_t most, char const* between, Text text) {
  std::string list;
  for (std::size_t i = 0; i != all.size() && i != most; ++i)
    list += fmt::format("{}{}", i == 0 ? "" : between, text(all[i]));
  if (all.size() > most) list += fmt::format(" and {} more", all.size() - most);
  return list;
}

/// As a value of a report; an empty text where there is nothing to tell.
logger::value value_of(info_value const& value) {
  return std::visit(
      [](auto const& v) -> logger::value {
        using type = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<type, std::vector<pid>>) {
          return list_of(v, 16, " ", [](pid p) { return to_string(p); });
        } else if constexpr (std::is_same_v<type, std::vector<std::string>>) {
          return list_of(v, 8, "; ", [](std::string const& s) { return s; });
        } else if constexpr (std::is_same_v<type, std::vector<monitored>>) {
          return list_of(v, 16, " ", [](monitored const& m) {
            return m.name.empty() ? to_string(m.process) : m.name;
          });
        } else if constexpr (std::is_same_v<type, max_heap_size>) {
          return std::uint64_t{v.size};
        } else if constexpr (std::is_same_v<type, process_status>) {
          return std::string(name_of_status(v));
        } else if constexpr (std::is_enum_v<type>) {
          return static_cast<std::int64_t>(v);
        } else if constexpr (std::is_same_v<type, pid>) {
          return v ? to_string(v) : std::string();
        } else {
          return v;
        }
      },
      value);
}

bool tells_nothing(logger::value const& v) noexcept {
  auto const* text = std::get_if<std::string>(&v);
  return text != nullptr && text->empty();
}

}  // namespace

std::string_view name_of_status(process_status status) noexcept {
  return status_names[static_cast<std::size_t>(status)];
}

std::string registered_name() {
  auto name = process_info<std::string>(self(), info_item::registered_name);
  return name ? *name : std::string{};
}

std::string self_text() {
  const std::string name = registered_name();
  return name.empty() ? to_string(self()) : fmt::format("\"{}\" {}", name, self());
}

std::string bounded(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  const std::size_t missing = text.size() - limit;
  text.resize(limit);
  return text + fmt::format("... ({} bytes more)", missing);
}

facts facts_in(std::string_view lines) {
  facts all;
  while (!lines.empty()) {
    std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
    if (line.empty()) continue;
    std::size_t const colon = line.find(": ");
    std::string name(line.substr(0, colon));
    std::replace(name.begin(), name.end(), ' ', '_');
    all.push_back({std::move(name), colon == std::string_view::npos
                                        ? std::string()
                                        : std::string(line.substr(colon + 2))});
  }
  return all;
}

bool wants_report(logger::level at) noexcept {
  log_core const* const core = log_core::current();
  return has_listener() || (core != nullptr && core->allows(hash_text(otter_module), at) &&
                            !core->table()->handlers.empty());
}

void log_report(logger::level at, std::string text, facts more, node_event::kind kind) noexcept {
  try {
    logger::event e = make_log_event(at, otter_module, text);
    e.fields = std::move(more);
    e.is_report = true;
    bound_log_event(e);
    log_or_report(e, kind);
  } catch (std::exception const&) {
    // no memory for a report: the process goes on without it
  }
}

void add_backtrace(facts& to, exit_reason const& reason) {
  if (auto const lines = stacktrace_of(reason); !lines.empty())
    to.push_back({"backtrace", fmt::format("{}", fmt::join(lines, "\n"))});
}

void report_crash(exit_reason const& reason, std::string_view initial_call,
                  std::vector<std::string> const& ancestors) {
  facts all = {{"initial_call", std::string(initial_call)},
               {"error_class", std::string(to_string(reason.kind()))},
               {"reason", to_string(reason)}};
  if (!reason.place().empty()) all.push_back({"in", std::string(reason.place())});
  add_backtrace(all, reason);
  if (!ancestors.empty())
    all.push_back({"ancestors", fmt::format("{}", fmt::join(ancestors, " "))});
  static constexpr struct {
    info_item item;
    char const* name;
  } asked[] = {
      {info_item::registered_name, "registered_name"},
      {info_item::label, "label"},
      {info_item::parent, "parent"},
      {info_item::status, "status"},
      {info_item::message_queue_len, "message_queue_len"},
      {info_item::links, "links"},
      {info_item::trap_exit, "trap_exit"},
      {info_item::memory, "memory"},
      {info_item::reductions, "reductions"},
      {info_item::dictionary, "dictionary"},
      {info_item::messages, "messages"},
  };
  std::vector<info_item> items;
  for (auto const& fact : asked) items.push_back(fact.item);
  if (auto found = process_info(self(), items)) {
    for (std::size_t i = 0; i != found->size(); ++i) {
      logger::value v = value_of((*found)[i].value);
      if (!tells_nothing(v)) all.push_back({asked[i].name, std::move(v)});
    }
  }
  add_neighbours(all);
  log_report(logger::level::error, fmt::format("crash of {}", self_text()), std::move(all),
             node_event::kind::crash);
}

}  // namespace otter::detail
