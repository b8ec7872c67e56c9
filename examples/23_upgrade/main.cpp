// 23: upgrades - a server that runs until Ctrl-C, and goes to its next version while it does.
//
// The light's class is in a module; a plan, light.toml, says where its next version is. Given a
// socket, the program flashes once a second, and takes plans there. Without one it applies the plan
// itself.
//
// Try, in one terminal:
//
//     ./dev build release example_23_upgrade
//     build/release/examples/example_23_upgrade --lights.socket=/tmp/lights.socket
//
// and in another one, while it flashes:
//
//     ./dev upgrade --socket /tmp/lights.socket --modules
//     ./dev upgrade --socket /tmp/lights.socket --dry-run build/release/examples/light.toml
//     ./dev upgrade --socket /tmp/lights.socket build/release/examples/light.toml

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <otter/admin.hpp>
#include <otter/application_main.hpp>
#include <otter/code.hpp>
#include <otter/gen.hpp>
#include <otter/proc_lib.hpp>
#include <otter/receive.hpp>
#include <otter/supervisor.hpp>
#include <otter/upgrade_toml.hpp>
#include <string>
#include <vector>

#include "light.hpp"

namespace application = otter::application;

static void show_flash() {
  std::printf("%s\n", otter::call("light", flash{}).c_str());
  std::fflush(stdout);
}

static void flash_every_second() {
  otter::proc_lib::init_ack();
  for (;; otter::sleep_for(std::chrono::seconds(1))) show_flash();
}

static void apply_the_plan() {
  otter::proc_lib::init_ack();
  show_flash();
  show_flash();
  auto const report =
      otter::upgrade::apply(otter::upgrade::read_plan_file(LIGHTS_FOLDER "/light.toml"));
  for (auto const& m : report.modules)
    std::printf("%s: %s -> %s, %zu process\n", m.name.c_str(), m.from.c_str(), m.to.c_str(),
                m.processes);
  for (auto const& why : report.refusals) std::printf("refused: %s\n", why.c_str());
  show_flash();
  ::kill(::getpid(), SIGTERM);  // as an operator would
}

class lights : public application::callbacks {
 public:
  tl::expected<otter::pid, otter::start_error> start() override {
    otter::code::load(LIGHTS_FOLDER "/light-1.so").value();
    auto const socket = application::get_env<std::string>("socket").value_or("");
    std::vector<otter::child_spec> children = {
        {.id = "light", .start = [] { return start_light("light", "start")(); }}};
    if (!socket.empty())
      children.push_back({.id = "admin", .start = [socket] {
                            return otter::admin::start_link(
                                {.socket = socket, .read_plan = otter::upgrade::read_plan_file});
                          }});
    children.push_back({.id = "flashes",
                        .start = [socket]() -> otter::child_start::result_type {
                          return otter::proc_lib::start_link(
                              {}, socket.empty() ? apply_the_plan : flash_every_second);
                        },
                        .restart = otter::restart_type::transient});
    return otter::supervisor::start_link({}, children);
  }
};

int main(int argc, char** argv) {
  application::specification const spec{.name = "lights",
                                        .description = "a light that can be upgraded",
                                        .env = {{"socket", ""}},
                                        .mod = application::module_of<lights>()};
  return application::run_main(argc, argv, {.known = {spec}, .start = {"lights"}});
}
