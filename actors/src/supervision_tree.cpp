// Supervision trees as values and as text.

#include <fmt/format.h>

#include <cstdint>
#include <otter/name.hpp>
#include <otter/request.hpp>
#include <otter/spawn.hpp>
#include <otter/supervision_tree.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "supervisor_requests.hpp"

namespace otter {
namespace detail {
namespace {

constexpr unsigned most_levels = 64;

/// Asks for one tree. Threads: the process that asks.
///
/// Places are filled once each and do not move afterwards, so that a request may point at its own.
class tree_walk {
 public:
  explicit tree_walk(std::size_t most_children) : most_children_(most_children) {}

  void ask(supervised& place, unsigned level) {
    if (place.process == self()) {
      place.unknown = exit_reason::calling_self();
    } else if (level == most_levels) {
      place.unknown = exit_reason::of("too deep");
    } else if (!asked_.insert(place.process).second) {
      place.unknown = exit_reason::of("shown elsewhere");  // a tree that bites its tail
    } else {
      requests_.send(place.process, children_request{most_children_}, where{&place, level});
    }
  }

  void take_answers(duration limit) {
    const bool limited = limit != infinity;
    const auto until = node_clock::now() + (limited ? limit : duration::zero());
    while (!requests_.empty()) {
      auto got = limited ? requests_.receive(until) : requests_.receive(infinity);
      if (got.state != collected_state::response) break;
      fill(*got.label->place, got.label->level, *got.response);
    }
    for (auto const& [id, at] : requests_.to_list()) at.place->unknown = exit_reason::timeout();
  }

 private:
  struct where {
    supervised* place;
    unsigned level;
  };

  void fill(supervised& place, unsigned level, otter::response<children_list>& answer) {
    if (!answer) {
      place.unknown = std::move(answer.error());
      return;
    }
    place.kind = std::move(answer->kind);
    place.left_out = answer->left_out;
    place.children.reserve(answer->children.size());
    for (child_info& c : answer->children) {
      supervised child;
      child.id = std::move(c.id);
      child.process = c.process;
      child.name = c.process ? name_of(c.process) : std::string();
      child.type = c.type;
      child.restart = c.restart;
      child.state = c.process      ? child_state::running
                    : c.restarting ? child_state::restarting
                                   : child_state::stopped;
      place.children.push_back(std::move(child));
    }
    for (supervised& child : place.children)
      if (child.process && child.type == child_type::supervisor) ask(child, level + 1);
  }

  std::size_t most_children_;
  std::unordered_set<pid> asked_;
  request_ids<children_list, where> requests_;
};

// --- text ---

/// What others wrote, in one line.
std::string shown(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::string line(text.substr(0, longest));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  return text.size() > longest ? line + "..." : line;
}

std::string_view text_of(restart_type restart) {
  switch (restart) {
    case restart_type::permanent:
      return "permanent";
    case restart_type::transient:
      return "transient";
    case restart_type::temporary:
      return "temporary";
  }
  return "?";
}

std::string line_of(supervised const& s) {
  std::string line = s.id.empty() ? std::string() : shown(s.id) + ": ";
  if (!s.name.empty()) line += fmt::format("\"{}\" ", shown(s.name));
  if (s.process) line += fmt::format("{}, ", s.process);
  const std::string_view type = s.type == child_type::supervisor ? "supervisor" : "worker";
  if (!s.kind.empty())
    line += s.restart ? fmt::format("{}, {}", s.kind, text_of(*s.restart)) : s.kind;
  else
    line += s.restart ? fmt::format("{} {}", text_of(*s.restart), type) : std::string(type);
  if (s.state == child_state::restarting) line += ", restarting";
  if (s.state == child_state::stopped) line += ", does not run";
  if (s.unknown)
    line += fmt::format(", has not said what is below it: {}", shown(to_string(*s.unknown)));
  return line;
}

void draw(std::string& text, supervised const& s, std::string const& indent) {
  text += line_of(s);
  for (supervised const& child : s.children) {
    const bool last = &child == &s.children.back() && s.left_out == 0;
    text += '\n' + indent + (last ? "└── " : "├── ");
    draw(text, child, indent + (last ? "    " : "│   "));
  }
  if (s.left_out != 0) text += fmt::format("\n{}└── and {} more", indent, s.left_out);
}

}  // namespace

supervised ask_supervision_tree(target const& root, supervision_tree_options const& options) {
  const duration limit = checked_limit(options.limit);
  supervised top;
  top.process = root.process;
  top.type = child_type::supervisor;
  if (!root.process) {
    top.name = std::string(root.name);
    top.state = child_state::stopped;
    top.unknown = exit_reason::noproc();
    return top;
  }
  top.name = name_of(root.process);
  tree_walk walk(options.most_children);
  walk.ask(top, 0);
  walk.take_answers(limit);
  return top;
}

}  // namespace detail

std::string to_string(supervised const& tree) {
  std::string text;
  detail::draw(text, tree, {});
  return text;
}

}  // namespace otter
