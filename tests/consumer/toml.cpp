// A stranger's program: a whole main() made of applications, and knows nothing of toml++.
#include <cstdio>
#include <otter/application_main.hpp>
#include <otter/application_toml.hpp>
#include <otter/supervisor.hpp>

namespace application = otter::application;

int main() {
  application::specification const answer{
      .name = "answer",
      .env = {{"value", 0}},
      .mod = application::top_process([] {
        std::printf("%d\n", application::get_env<int>("value").value_or(0));
        application::stop_node();
        return otter::supervisor::start_link({}, {});
      })};
  return application::run_main({.known = {answer},
                                .start = {"answer"},
                                .config = application::read_toml("[answer]\nvalue = 42")});
}
