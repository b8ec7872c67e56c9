// What others say of themselves for the last report of a process: the client whose call it was
// handling (LOG-2), and those that are linked to it and will end with it (LOG-4).
//
// They are asked, and answer at their safe points; who has not answered in time is left out, since
// a process that is to end must not wait for one that is stuck. Nothing ends the asker meanwhile:
// it ends for its own reason, as its report says.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <optional>
#include <otter/detail/node_log.hpp>
#include <otter/exit.hpp>
#include <otter/process_info.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <utility>

#include "log_core.hpp"
#include "report.hpp"

namespace otter::detail {
namespace {

constexpr duration patience_for_one = std::chrono::milliseconds(20);
constexpr duration patience_for_all = std::chrono::milliseconds(100);
constexpr std::size_t most_neighbours = 15;  // of OTP
constexpr std::size_t most_asked = 60;       // those that trap exits are asked in vain
constexpr std::size_t longest_line = 240;

/// What one process says.
struct answer {
  bool late = false;
  std::vector<info> facts{};

  [[nodiscard]] bool ended() const noexcept { return !late && facts.empty(); }
  /// Throws: std::bad_variant_access: only for items that were asked for, by their type.
  template <class T>
  [[nodiscard]] T const& get(std::size_t item) const {
    return std::get<T>(facts.at(item).value);
  }
};

answer ask(pid whom, std::vector<info_item> items, duration limit) {
  defer_exit guard;
  try {
    auto facts = process_info(whom, std::move(items), limit);
    return {false, facts ? std::move(*facts) : std::vector<info>{}};
  } catch (process_exit const&) {
    return {true, {}};
  }
}

std::vector<pid> own_links() {
  return process_info<std::vector<pid>>(self(), info_item::links).value_or(std::vector<pid>{});
}

/// The walk along links: from the calling process over all that do not trap exits, since its end
/// reaches those.
class neighbourhood {
 public:
  std::vector<std::string> lines() {
    look_at(own_links());
    node_clock::time_point const end = node_clock::now() + patience_for_all;
    while (!to_ask_.empty() && lines_.size() < most_neighbours && met_.size() < most_asked) {
      duration const left = end - node_clock::now();
      if (left <= duration::zero()) break;
      pid const next = to_ask_.front();
      to_ask_.pop_front();
      met_.push_back(next);
      take(next, ask(next,
                     {info_item::trap_exit, info_item::registered_name, info_item::label,
                      info_item::status, info_item::waiting_in, info_item::message_queue_len,
                      info_item::reductions, info_item::links, info_item::initial_call},
                     std::min(left, patience_for_one)));
    }
    return std::move(lines_);
  }

 private:
  void look_at(std::vector<pid> const& links) {
    for (pid const p : links) {
      bool const known = p == self() || std::find(met_.begin(), met_.end(), p) != met_.end() ||
                         std::find(to_ask_.begin(), to_ask_.end(), p) != to_ask_.end();
      if (!known && to_ask_.size() < most_asked && is_local(p)) to_ask_.push_back(p);
    }
  }

  void take(pid who, answer const& a) {
    if (a.ended()) return;
    if (a.late) {
      lines_.push_back(fmt::format("{} does not answer", who));
      return;
    }
    if (a.get<bool>(0)) return;
    std::string line = to_string(who);
    auto const& name = a.get<std::string>(1);
    auto const& label = a.get<std::string>(2);
    auto const& waits_in = a.get<std::string>(4);
    auto const& call = a.get<std::string>(8);
    if (!name.empty()) line += fmt::format(" \"{}\"", name);
    if (!label.empty()) line += fmt::format(" ({})", label);
    if (!call.empty()) line += fmt::format(" {},", call);
    line += waits_in.empty() ? fmt::format(" {}", name_of_status(a.get<process_status>(3)))
                             : fmt::format(" waiting in {}", waits_in);
    line += fmt::format(", {} messages, {} reductions, links:", a.get<std::uint64_t>(5),
                        a.get<std::uint64_t>(6));
    auto const& links = a.get<std::vector<pid>>(7);
    for (std::size_t i = 0; i != links.size() && line.size() < longest_line; ++i)
      line += fmt::format(" {}", links[i]);
    lines_.push_back(bounded(std::move(line), longest_line));
    look_at(links);
  }

  std::deque<pid> to_ask_;
  std::vector<pid> met_;
  std::vector<std::string> lines_;
};

/// False if nobody would see the report, or the caller cannot wait for what others say.
bool worth_asking() noexcept {
  log_core const* const core = log_core::current();
  bool const is_seen = has_listener() || core == nullptr ||  // without a logger: on stderr
                       core->allows(hash_text(otter_module), logger::level::error);
  return is_seen && may_wait();
}

void tell_of(facts& to, answer const& a) {
  if (a.late || a.ended()) {
    to.push_back({"client_status", std::string(a.late ? "does not answer" : "has ended")});
    return;
  }
  static constexpr char const* names[] = {"client_name", "client_label", "client_waiting_in"};
  for (std::size_t i = 0; i != std::size(names); ++i) {
    auto const& text = a.get<std::string>(i);
    if (!text.empty()) to.push_back({names[i], text});
  }
  auto const& stack = a.get<std::vector<std::string>>(std::size(names));
  if (!stack.empty())
    to.push_back({"client_stacktrace", fmt::format("{}", fmt::join(stack, "; "))});
}

}  // namespace

void add_client(facts& to, pid client) noexcept {
  try {
    if (!worth_asking() || client == self() || !is_local(client)) return;
    tell_of(to, ask(client,
                    {info_item::registered_name, info_item::label, info_item::waiting_in,
                     info_item::current_stacktrace},
                    patience_for_one));
  } catch (std::exception const&) {
    // no memory: a report with less in it
  }
}

void add_neighbours(facts& to) noexcept {
  try {
    if (!worth_asking()) return;
    for (std::string& line : neighbourhood().lines()) to.push_back({"neighbour", std::move(line)});
  } catch (std::exception const&) {
    // no memory: a report with less in it
  }
}

}  // namespace otter::detail
