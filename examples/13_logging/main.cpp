// 13: logging - saying what happens, in words and values.
//
// Two handlers: one writes for people to the console, one keeps JSON lines of what is bad in a
// file. A secret does not show, a child that breaks is reported by itself, and a flood is cut
// short.
//
// Try: otter::logger::set_module_level("shop.cart", otter::logger::level::debug); a handler of your
// own device; a console with colours, which is the default on a terminal.

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <otter/gen_server.hpp>
#include <otter/log_devices.hpp>
#include <otter/logger.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace shop {

constexpr otter::logger::module_log log{"shop.cart"};

struct card_number {
  std::string digits;
  using otter_sensitive = void;  // nobody reads it in a log
};

class cart : public otter::gen_server<cart> {
 public:
  struct add {
    std::string what;
    int cents;
  };
  struct pay {
    using reply = int;
    card_number card;
  };
  using accepts = otter::accepts<add, pay>;

  void handle_cast(add a) {
    if (a.cents < 0) throw std::invalid_argument("a negative price");
    cents_ += a.cents;
    log.debug("something was added", {{"what", a.what}, {"cents", a.cents}});
  }
  int handle_call(pay p) {
    log.notice("somebody pays", {{"card", p.card}, {"cents", cents_}});
    return cents_;
  }

 private:
  int cents_ = 0;
};

}  // namespace shop

namespace logger = otter::logger;

namespace {

/// For people: what is notable, but not otter's reports, whose pids differ from run to run.
logger::handler_options console() {
  logger::handler_options h;
  h.id = "console";
  h.open = logger::console({.to = logger::console_options::stream::output});
  h.format = logger::text_format({.time = false, .process = false});
  h.level = logger::level::notice;
  h.filters = {{"no reports", [](logger::event const& e) {
                  return e.is_report ? logger::verdict::stop : logger::verdict::ignore;
                }}};
  h.overload.burst_limit_max_count = 4;
  h.overload.burst_limit_window_time = std::chrono::hours(1);
  return h;
}

/// For machines: what is bad.
logger::handler_options error_file(std::string path) {
  logger::handler_options h;
  h.id = "errors";
  h.open = logger::rotating_file({.path = std::move(path)});
  h.format = logger::json_format();
  h.level = logger::level::error;
  return h;
}

void shopping() {
  otter::cast("cart", shop::cart::add{"tea", 350});
  otter::call("cart", shop::cart::pay{{"4111 1111 1111 1111"}});

  auto const watch = otter::monitor("cart");
  otter::cast("cart", shop::cart::add{"coffee", -1});
  otter::receive(otter::when([&](otter::down const& d) { return d.ref == watch; },
                             [](otter::down) {}));  // its reports were logged before this

  for (int i = 0; i != 100; ++i) shop::log.warning("a flood", {{"i", i}});
  logger::sync();
  for (logger::handler_info const& h : logger::handlers())
    std::printf("%s: %llu dropped\n", h.id.c_str(), static_cast<unsigned long long>(h.burst));
}

}  // namespace

int main() {
  auto const path = std::filesystem::temp_directory_path() /
                    ("otter_logging_" + std::to_string(::getpid()) + ".jsonl");
  int const status = otter::run([&] {
    // The log is the first child, so that it is the last that stops.
    auto const top =
        otter::supervisor::start_link(
            {}, {{.id = "log",
                  .start =
                      [&] {
                        return logger::start_link({.handlers = {console(), error_file(path)}});
                      }},
                 {.id = "cart", .start = [] { return shop::cart::start_link({.name = "cart"}); }}})
            .value();
    shopping();
    otter::stop(top, otter::exit_reason::shutdown());  // the handlers write what they have
  });

  std::ifstream file(path);
  int reports = 0;
  for (std::string line; std::getline(file, line);) reports += line.front() == '{' ? 1 : 0;
  std::printf("reports in the file: %d\n", reports);
  std::filesystem::remove(path);
  return status;
}
