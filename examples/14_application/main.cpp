// 14: applications - a program that is started, configured and stopped in parts.
//
// The shop needs the store, so the store starts first and stops last. What can be configured stands
// in a specification with its default; the command line says otherwise. At closing time the shop
// sends its own program the signal with which any other would be stopped.
//
// Try: --help; --shop.sign=closed; let the shop's `applications` be empty; let store::stop() wait
// for ever, and look at the status; remove the signal, and stop the program with Ctrl-C.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <otter/application_main.hpp>
#include <otter/gen_server.hpp>
#include <otter/supervisor.hpp>
#include <string>

namespace application = otter::application;

/// Keeps what there is.
class shelf : public otter::gen_server<shelf> {
 public:
  struct take {
    using reply = int;
  };
  using accepts = otter::accepts<take>;

  shelf() : left_(application::get_env<int>("pieces").value_or(0)) {}
  int handle_call(take) { return --left_; }

 private:
  int left_;
};

class store : public application::callbacks {
 public:
  tl::expected<otter::pid, otter::start_error> start() override {
    std::printf("store: the lights are on\n");
    return otter::supervisor::start_link(
        {}, {{.id = "shelf", .start = [] { return shelf::start_link({.name = "shelf"}); }}});
  }
  void stop() override { std::printf("store: the lights are off\n"); }
};

/// Sells until nothing is left.
class clerk : public otter::gen_server<clerk> {
 public:
  struct open {};
  using accepts = otter::accepts<open>;

  void handle_cast(open) {
    int left = 0;
    do {
      left = otter::call("shelf", shelf::take{});
      std::printf("clerk: sold one, %d left\n", left);
    } while (left > 0);
    ::kill(::getpid(), SIGTERM);  // as an operator would
  }
};

class shop : public application::callbacks {
 public:
  tl::expected<otter::pid, otter::start_error> start() override {
    return otter::supervisor::start_link(
        {}, {{.id = "clerk", .start = [] { return clerk::start_link({.name = "clerk"}); }}});
  }
  /// After start(), when everybody is there.
  tl::expected<void, otter::exit_reason> start_phase(std::string_view,
                                                     application::environment const&) override {
    std::printf("shop: the sign says %s\n",
                application::get_env<std::string>("sign").value_or("nothing").c_str());
    otter::cast("clerk", clerk::open{});
    return {};
  }
  void prep_stop() override { std::printf("shop: no more customers\n"); }
  void stop() override { std::printf("shop: closed\n"); }
};

int main(int argc, char** argv) {
  application::specification const store_app{.name = "store",
                                             .description = "what there is to sell",
                                             .registered = {"shelf"},
                                             .env = {{"pieces", 2}},
                                             .mod = application::module_of<store>()};
  application::specification const shop_app{.name = "shop",
                                            .description = "sells it",
                                            .registered = {"clerk"},
                                            .applications = {"store"},
                                            .env = {{"sign", "open"}},
                                            .mod = application::module_of<shop>(),
                                            .start_phases = {{"open"}}};
  int const status =
      application::run_main(argc, argv, {.known = {store_app, shop_app}, .start = {"shop"}});
  std::printf("status %d\n", status);
  return status;
}
