// A program that is made of applications: its command line, its node, its signals, its exit status.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <otter/application_main.hpp>
#include <otter/attached_thread.hpp>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string_view>
#include <utility>

#include "application_table.hpp"
#include "stop_signals.hpp"

namespace otter::application {
namespace {

void complain(std::string const& what) { fmt::print(stderr, "otter: {}\n", what); }

// --- the first process ---

/// To the first process: a signal has come.
struct asked_to_stop {};
/// To the first process: all are started, or one is not.
struct applications_started {
  result<std::vector<std::string>> which;
};

/// What the first process finds out; read when it has ended.
struct findings {
  int status = exit_terminated;  // if it is killed, which nobody does in order
};

/// The first process: starts the controller and the applications, and waits until all is over.
///
/// A reactive, since frames that wait are pinned to their thread: as a function it would hear of
/// no signal while a process on that thread does not come back, and nothing would stop in order.
///
/// Threads: its own process, except construction.
class first_process final : public reactive {
 public:
  first_process(main_options how, std::shared_ptr<findings> end)
      : how_(std::move(how)), end_(std::move(end)) {}

  void start() override {
    trap_exit(true);
    auto controller = start_link({.known = std::move(how_.known),
                                  .config = std::move(how_.config),
                                  .shutdown_timeout = how_.shutdown_timeout});
    if (!controller) {
      complain(fmt::format("no application controller: {}", controller.error()));
      return finish(exit_not_started);
    }
    controller_ = *controller;
    table_ = otter::detail::find_application_table();
    start_applications();
  }

  void handle(event& what) override {
    if (auto* const s = what.get_if<applications_started>()) {
      if (!s->which) stop_since(s->which.error());
    } else if (what.get_if<asked_to_stop>() != nullptr) {
      stop_all(exit_stopped);
    } else if (auto* const ended = what.get_if<exited>()) {
      if (ended->process == controller_)
        finish(status_of(ended->reason));
      else
        stop_all(exit_stopped);  // the node stops
    }
    // Nobody else has anything to say here.
  }

 private:
  /// In a process of its own, so that a signal is heard meanwhile. If the controller ends, so does
  /// that one: by the call that it waits in.
  void start_applications() const {
    otter::spawn([first = self(), names = how_.start, type = how_.type, types = how_.types] {
      otter::send(first, applications_started{ensure_all_started(names, type, types)});
    });
  }

  void stop_since(error const& why) {
    if (why.what == error::kind::shutting_down) return;  // it ends, and says itself why
    complain(to_string(why));
    stop_all(why.what == error::kind::invalid ? exit_config : exit_not_started);
  }

  /// The controller is asked, and its end is heard by the link. The first status counts.
  void stop_all(int status) {
    if (asked_) return;
    asked_ = status;
    otter::exit(controller_, exit_reason::shutdown());
  }

  /// The controller has ended; it may have done so for a reason of its own before it was asked.
  int status_of(exit_reason const& why) const {
    if (asked_ && why == exit_kind::shutdown) return *asked_;
    if (node_stopped const* stopped = why.get<node_stopped>()) return stopped->status;
    complain(to_string(why));
    return exit_terminated;
  }

  void finish(int status) {
    auto const killed = table_ != nullptr ? table_->killed() : std::vector<std::string>{};
    for (std::string const& name : killed)
      complain(fmt::format("application \"{}\" did not stop in time and was killed", name));
    end_->status = status == exit_stopped && !killed.empty() ? exit_killed : status;
    stop(exit_reason::normal());
  }

  main_options how_;
  std::shared_ptr<findings> end_;
  pid controller_;
  std::shared_ptr<otter::detail::application_table> table_;
  std::optional<int> asked_;
};

/// Waits for the end of the first process, and hands on the signals that come meanwhile.
void wait_for(pid first, attached_thread& here, otter::detail::stop_signals& signals) {
  monitor(first);
  auto const has_ended = [] {
    return otter::receive([](down const&) { return true; },
                          after(duration::zero(), [] { return false; }));
  };
  while (!has_ended()) {
    if (signals.wait(here.event_fd()) == 0) continue;
    signals.release();  // before the stop: one that takes too long must not hold up a second one
    otter::send(first, asked_to_stop{});
  }
}

// --- the command line ---

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string usage(std::string_view program, main_options const& how) {
  std::string text = fmt::format("usage: {}{} [--APPLICATION.KEY=VALUE]...\n", base_name(program),
                                 how.read_config ? " [--config FILE]" : "");
  std::string values;
  for (specification const& s : how.known)
    for (auto const& [key, what] : s.env)
      values += fmt::format("  --{}.{}={}\n", s.name, key, to_string(what));
  return values.empty() ? text : text + "\nvalues that count if nobody says more:\n" + values;
}

specification const* find(std::vector<specification> const& known, std::string_view name) {
  auto const at = std::find_if(known.begin(), known.end(),
                               [&](specification const& s) { return s.name == name; });
  return at != known.end() ? &*at : nullptr;
}

/// Reads options one after the other. Threads: one.
class argument_reader {
 public:
  argument_reader(std::vector<std::string> const& all, std::vector<specification> const& known)
      : all_(all), known_(known) {}

  tl::expected<arguments, std::string> read() {
    while (at_ != all_.size() && wrong_.empty()) read_one(all_[at_++]);
    if (!wrong_.empty()) return tl::unexpected<std::string>(std::move(wrong_));
    return std::move(found_);
  }

 private:
  void read_one(std::string_view option) {
    std::string_view const name = option.substr(0, option.find('='));
    if (option == "--help" || option == "-h") {
      found_.help = true;
    } else if (name == "--config") {
      if (auto const file = value_of(option)) found_.file = *file;
    } else if (name.starts_with("--") && name.find('.') != std::string_view::npos) {
      if (auto const text = value_of(option)) put(name.substr(2), *text);
    } else {
      found_.rest.emplace_back(option);
    }
  }

  /// What stands behind the =, or as the next argument.
  std::optional<std::string_view> value_of(std::string_view option) {
    if (std::size_t const equals = option.find('='); equals != std::string_view::npos)
      return option.substr(equals + 1);
    if (at_ != all_.size()) return all_[at_++];
    wrong_ = fmt::format("{} needs a value", option);
    return std::nullopt;
  }

  void put(std::string_view name, std::string_view text) {
    std::string_view const application = name.substr(0, name.find('.'));
    std::string_view const key = name.substr(application.size() + 1);
    specification const* const spec = find(known_, application);
    if (spec == nullptr) {
      wrong_ = fmt::format("--{}: there is no application \"{}\"", name, application);
      return;
    }
    auto const like = spec->env.find(key);
    auto what = like != spec->env.end() ? read_value(text, like->second)
                                        : tl::expected<value, std::string>(read_value(text));
    if (what)
      found_.config[spec->name].insert_or_assign(std::string(key), std::move(*what));
    else
      wrong_ = fmt::format("--{}: {}", name, what.error());
  }

  std::vector<std::string> const& all_;
  std::vector<specification> const& known_;
  std::size_t at_ = 0;
  arguments found_;
  std::string wrong_;
};

int refuse_usage(std::string const& what, std::string_view program) {
  complain(what);
  fmt::print(stderr, "otter: see {} --help\n", base_name(program));
  return exit_usage;
}

/// Adds what read_program says. False: it has failed, and that has been said.
bool take_program(main_options& how) {
  if (!how.read_program) return true;
  program more;
  try {
    more = how.read_program(how.known);
  } catch (std::exception const& e) {
    complain(e.what());
    return false;
  }
  how.read_program = nullptr;
  std::move(more.known.begin(), more.known.end(), std::back_inserter(how.known));
  std::move(more.start.begin(), more.start.end(), std::back_inserter(how.start));
  how.types.merge(more.types);
  return true;
}

}  // namespace

tl::expected<arguments, std::string> read_arguments(std::vector<std::string> const& all,
                                                    std::vector<specification> const& known) {
  return argument_reader(all, known).read();
}

int run_main(int argc, char const* const* argv, main_options how) {
  std::string_view const program = argc > 0 ? argv[0] : "program";
  if (!take_program(how)) return exit_config;
  auto line = read_arguments({argv + std::min(argc, 1), argv + argc}, how.known);
  if (!line) return refuse_usage(line.error(), program);
  if (line->help) {
    fmt::print("{}", usage(program, how));
    return exit_stopped;
  }
  if (!line->rest.empty())
    return refuse_usage(fmt::format("unknown argument {}", line->rest.front()), program);
  if (!line->file.empty()) {
    if (!how.read_config) return refuse_usage("there is no option --config", program);
    try {
      how.config = merge(std::move(how.config), how.read_config(line->file));
    } catch (std::exception const& e) {
      complain(e.what());
      return exit_config;
    }
  }
  how.config = merge(std::move(how.config), std::move(line->config));
  return run_main(std::move(how));
}

int run_main(main_options how) {
  if (!take_program(how)) return exit_config;
  otter::detail::stop_signals signals;
  node n(how.node);
  auto const end = std::make_shared<findings>();
  {
    attached_thread here(n);
    pid const first = n.spawn_body(spawn_options{.label = "applications"},
                                   make_reactive<first_process>(std::move(how), end));
    try {
      wait_for(first, here, signals);
    } catch (process_exit const&) {
      // The node ends because too many threads are lost: everybody is killed, this thread as well.
    }
  }
  auto const left = n.stop();
  for (std::string const& line : left) complain(line);
  if (n.has_given_up()) return exit_given_up;
  return end->status == exit_stopped && !left.empty() ? exit_killed : end->status;
}

}  // namespace otter::application
