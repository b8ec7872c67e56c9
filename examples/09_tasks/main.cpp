// 09: tasks - functions that run side by side, and what they return.
//
// One function, several, one for each element of a range; and one that fails without harm. An agent
// counts.
//
// Try: a stream that is not ordered; a task that takes longer than its owner waits.

#include <cstdio>
#include <otter/agent.hpp>
#include <otter/exit.hpp>
#include <otter/node.hpp>
#include <otter/task.hpp>
#include <otter/task_supervisor.hpp>
#include <string>
#include <vector>

namespace {

int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

}  // namespace

int main() {
  return otter::run([] {
    using counter = otter::agent<int>;
    auto done = counter::start_link([] { return 0; }).value();

    auto one = otter::async(fibonacci, 20);
    std::printf("one: %d\n", one.await());

    std::vector<otter::task<std::string>> several;
    for (char const* word : {"an", "otter", "swims"})
      several.push_back(otter::async([](std::string w) { return w + "!"; }, word));
    for (std::string const& word : otter::await_many(std::move(several)))
      std::printf("several: %s\n", word.c_str());

    const auto counted = [done](int n) {
      counter::update(done, [](int& tasks) { ++tasks; });
      return fibonacci(n);
    };
    for (auto const& result :
         otter::async_stream(std::vector<int>{5, 10, 15}, counted, {.max_concurrency = 2}))
      std::printf("stream: %d\n", result.value());
    std::printf("counted: %d\n", counter::get(done, [](int const& tasks) { return tasks; }));

    auto tasks = otter::task_supervisor::start_link().value();
    auto fails = otter::task_supervisor::async_nolink(
        tasks, []() -> int { otter::exit(otter::exit_reason::of("no luck")); });
    if (auto result = fails.yield(); result && !*result)
      std::printf("failed: %s\n", to_string(result->error()).c_str());
  });
}
