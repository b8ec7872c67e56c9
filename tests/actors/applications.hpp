#pragma once

// applications.hpp - applications for the tests. Each tells the test what happens to it.

#include <functional>
#include <memory>
#include <otter/application.hpp>
#include <otter/exit.hpp>
#include <otter/process_info.hpp>
#include <otter/supervisor.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "children.hpp"
#include "trace.hpp"

namespace applications {

namespace application = otter::application;
using application::specification;
using kind = application::error::kind;
using names = std::vector<std::string>;

/// Tells its start, its phases, its stop. The topmost process is a supervisor with one child, which
/// tells when it starts and stops.
class life : public application::callbacks {
 public:
  life(otter::pid test, std::string name) : test_(test), name_(std::move(name)) {}

  tl::expected<otter::pid, otter::start_error> start() override {
    tell("start");
    return otter::supervisor::start_link({}, {children::spec(test_, name_ + " child")});
  }
  tl::expected<void, otter::exit_reason> start_phase(
      std::string_view phase, application::environment const& args) override {
    tell("phase " + std::string(phase));
    if (args.contains("fail")) return tl::unexpected(otter::exit_reason::of("no such phase"));
    return {};
  }
  void prep_stop() override { tell("prep_stop"); }
  void stop() override { tell("stop"); }

 protected:
  void tell(std::string const& what) const { trace::tell(test_, name_ + " " + what); }

 private:
  otter::pid test_;
  std::string name_;
};

/// An application that tells the calling process what happens to it.
inline specification telling(std::string const& name, names needs = {}) {
  return {.name = name,
          .applications = std::move(needs),
          .mod = application::module_of<life>(otter::self(), name)};
}

/// One that tells nothing, with a supervisor that has no children.
inline specification silent(std::string const& name, names needs = {}) {
  return {.name = name,
          .applications = std::move(needs),
          .mod = application::top_process([] { return otter::supervisor::start_link({}, {}); })};
}

/// Callbacks whose functions are given, as far as they are.
class scripted : public application::callbacks {
 public:
  struct script {
    otter::child_start start = [] { return otter::supervisor::start_link({}, {}); };
    std::function<void()> prep_stop{};
    std::function<void()> stop{};
    std::function<void(application::environment const&, application::environment const&,
                       names const&)>
        config_change{};
  };
  explicit scripted(script s) : script_(std::move(s)) {}
  tl::expected<otter::pid, otter::start_error> start() override { return script_.start(); }
  void prep_stop() override {
    if (script_.prep_stop) script_.prep_stop();
  }
  void stop() override {
    if (script_.stop) script_.stop();
  }
  void config_change(application::environment const& changed, application::environment const& added,
                     names const& removed) override {
    if (script_.config_change) script_.config_change(changed, added, removed);
  }

 private:
  script script_;
};
inline specification played(std::string name, scripted::script s) {
  return {.name = std::move(name), .mod = application::module_of<scripted>(std::move(s))};
}

/// "shop: not_started", or "done".
template <class T>
std::string text(application::result<T> const& r) {
  return r ? "done" : to_string(r.error());
}
template <class T>
bool refused(application::result<T> const& r, kind what, std::string_view name) {
  return !r && r.error().what == what && r.error().application == name;
}

/// Those that run, joined by spaces.
inline std::string running() {
  std::string all;
  for (application::info const& i : application::which_applications())
    all += (all.empty() ? "" : " ") + i.name;
  return all;
}

/// Starts those, for scenarios that are about what comes then.
inline void must_start(std::string_view name,
                       otter::restart_type type = otter::restart_type::temporary) {
  children::must_succeed(application::start(name, type));
}

}  // namespace applications
