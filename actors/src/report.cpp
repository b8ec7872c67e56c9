#include "report.hpp"

#include <fmt/format.h>

#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/spawn.hpp>
#include <variant>
#include <vector>

namespace otter::detail {
namespace {

std::string text_of(info_value const& value) {
  return std::visit(
      [](auto const& v) -> std::string {
        using type = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<type, std::vector<pid>>) {
          std::string all;
          for (std::size_t i = 0; i != v.size() && i != 16; ++i)
            all += fmt::format("{}{}", i == 0 ? "" : " ", v[i]);
          if (v.size() > 16) all += fmt::format(" and {} more", v.size() - 16);
          return all.empty() ? "none" : all;
        } else if constexpr (std::is_same_v<type, std::vector<std::string>>) {
          std::string all;
          for (std::size_t i = 0; i != v.size() && i != 8; ++i)
            all += fmt::format("{}{}", i == 0 ? "" : "; ", v[i]);
          if (v.size() > 8) all += fmt::format(" and {} more", v.size() - 8);
          return all.empty() ? "none" : all;
        } else if constexpr (std::is_same_v<type, std::vector<monitored>>) {
          std::string all;
          for (std::size_t i = 0; i != v.size() && i != 16; ++i)
            all += fmt::format("{}{}", i == 0 ? "" : " ",
                               v[i].name.empty() ? to_string(v[i].process) : v[i].name);
          if (v.size() > 16) all += fmt::format(" and {} more", v.size() - 16);
          return all.empty() ? "none" : all;
        } else if constexpr (std::is_same_v<type, max_heap_size>) {
          return fmt::format("{} bytes", v.size);
        } else if constexpr (std::is_same_v<type, bool>) {
          return v ? "yes" : "no";
        } else if constexpr (std::is_enum_v<type>) {
          return fmt::format("{}", static_cast<int>(v));
        } else if constexpr (std::is_same_v<type, pid>) {
          return v ? to_string(v) : "none";
        } else {
          return fmt::format("{}", v);
        }
      },
      value);
}

}  // namespace

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

void report_text(std::string text) noexcept {
  try {
    report({node_event::kind::report, self(), bounded(std::move(text), max_report)});
  } catch (std::exception const&) {
    // no memory for a report: the process goes on without it
  }
}

void report_crash(exit_reason const& reason, std::string_view initial_call,
                  std::vector<std::string> const& ancestors) {
  std::string text = fmt::format("crash of {}\n  initial call: {}\n  reason: {}", self_text(),
                                 initial_call, reason);
  if (!reason.place().empty()) text += fmt::format("\n  in: {}", reason.place());
  if (!ancestors.empty()) text += fmt::format("\n  ancestors: {}", fmt::join(ancestors, " "));
  static constexpr struct {
    info_item item;
    char const* label;
  } facts[] = {
      {info_item::parent, "parent"},
      {info_item::label, "label"},
      {info_item::message_queue_len, "messages waiting"},
      {info_item::messages, "messages"},
      {info_item::links, "links"},
      {info_item::trap_exit, "traps exits"},
      {info_item::memory, "memory, bytes"},
      {info_item::reductions, "reductions"},
  };
  std::vector<info_item> items;
  for (auto const& fact : facts) items.push_back(fact.item);
  if (auto found = process_info(self(), items)) {
    for (std::size_t i = 0; i != found->size(); ++i)
      text += fmt::format("\n  {}: {}", facts[i].label, bounded(text_of((*found)[i].value)));
  }
  report({node_event::kind::crash, self(), bounded(std::move(text), max_report)});
}

}  // namespace otter::detail
