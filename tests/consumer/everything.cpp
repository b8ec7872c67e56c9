// A stranger's program that uses a little of everything: its headers must not warn when they are
// used.
#include <fmt/format.h>

#include <map>
#include <otter/accepts.hpp>
#include <otter/admin.hpp>
#include <otter/agent.hpp>
#include <otter/alias.hpp>
#include <otter/application.hpp>
#include <otter/application_env.hpp>
#include <otter/application_main.hpp>
#include <otter/application_toml.hpp>
#include <otter/attached_thread.hpp>
#include <otter/blocking.hpp>
#include <otter/busy_policy.hpp>
#include <otter/call_async.hpp>
#include <otter/child_spec.hpp>
#include <otter/circuit.hpp>
#include <otter/code.hpp>
#include <otter/code_change.hpp>
#include <otter/debug_options.hpp>
#include <otter/dictionary.hpp>
#include <otter/duration.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/exit_reason.hpp>
#include <otter/fault.hpp>
#include <otter/gen.hpp>
#include <otter/gen_event.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/link.hpp>
#include <otter/log_devices.hpp>
#include <otter/log_event.hpp>
#include <otter/log_handler.hpp>
#include <otter/logger.hpp>
#include <otter/memory.hpp>
#include <otter/message.hpp>
#include <otter/message_change.hpp>
#include <otter/module.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/old_state.hpp>
#include <otter/outcome.hpp>
#include <otter/partition_supervisor.hpp>
#include <otter/pg.hpp>
#include <otter/pid.hpp>
#include <otter/poller_kind.hpp>
#include <otter/print.hpp>
#include <otter/proc_lib.hpp>
#include <otter/process_info.hpp>
#include <otter/proxy_protocol.hpp>
#include <otter/random.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/ref.hpp>
#include <otter/reflection.hpp>
#include <otter/registry.hpp>
#include <otter/request.hpp>
#include <otter/restart_backoff.hpp>
#include <otter/server_ref.hpp>
#include <otter/shared.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <otter/spawn_request.hpp>
#include <otter/special_process.hpp>
#include <otter/stage.hpp>
#include <otter/start.hpp>
#include <otter/states.hpp>
#include <otter/supervision_tree.hpp>
#include <otter/supervisor.hpp>
#include <otter/sync_stream.hpp>
#include <otter/sys.hpp>
#include <otter/system_monitor.hpp>
#include <otter/table.hpp>
#include <otter/task.hpp>
#include <otter/task_supervisor.hpp>
#include <otter/tcp.hpp>
#include <otter/tcp_address.hpp>
#include <otter/tcp_error.hpp>
#include <otter/tcp_framer.hpp>
#include <otter/tcp_options.hpp>
#include <otter/timer.hpp>
#include <otter/tls.hpp>
#include <otter/tls_context.hpp>
#include <otter/tls_error.hpp>
#include <otter/transition.hpp>
#include <otter/type_descriptor.hpp>
#include <otter/type_name.hpp>
#include <otter/udp.hpp>
#include <otter/upgrade.hpp>
#include <otter/upgrade_toml.hpp>
#include <otter/worker_pool.hpp>
#include <string>
#include <unordered_map>
#include <vector>

using namespace std::chrono_literals;
namespace {

constexpr otter::logger::module_log log_here{"everything"};

struct ask {
  using reply = int;
  int n;
};
struct tell {
  std::string s;
};
class server : public otter::gen_server<server> {
 public:
  using accepts = otter::accepts<ask, tell>;
  struct state {
    int n = 0;
  };
  explicit server(int) {}
  otter::call_outcome<int> handle_call(ask a, otter::caller<ask> who) {
    std::string s = fmt::to_string(who) + otter::to_string(who) + fmt::format("{}", who) +
                    otter::to_text(who) + fmt::to_string(who.process());
    std::unordered_map<otter::caller<ask>, int> m;
    m[who] = 1;
    return a.n + static_cast<int>(s.size());
  }
  void handle_cast(tell t) { state_.n += static_cast<int>(t.s.size()); }

 private:
  state state_;
};
}  // namespace

int main() {
  return otter::run([] {
    auto s = server::start_link(1).value();
    std::string t = fmt::to_string(s) + fmt::to_string(otter::self()) +
                    fmt::to_string(otter::exit_kind::killed) + fmt::to_string(otter::errc::badarg);
    int const r = otter::call(s, ask{1});
    otter::cast(s, tell{t});
    otter::send(otter::self(), tell{"x"});
    otter::receive([](tell const& x) { return x.s.size(); },
                   otter::after(1s, [] { return std::size_t{0}; }));
    otter::receive(
        otter::when([](tell const&) { return true; }, [](tell) {}),
        [](otter::down d) { static_cast<void>(d); }, [](otter::any_message&) {}, otter::after(0s));
    otter::timer_ref tr = otter::send_after(1h, otter::self(), r);
    otter::cancel_timer(tr);
    otter::timer_ref t2 = otter::start_timer(1h, otter::self(), ask{2});
    otter::cancel_timer(t2);
    otter::cancel_interval(otter::send_interval(1h, otter::self(), 5));
    otter::dictionary::put(ask{3});
    otter::dictionary::get<ask>();
    otter::dictionary::erase<ask>();
    auto sh = otter::share(std::string("abc"));
    otter::send(otter::self(), sh);
    otter::receive([](std::string const& q) { return q.size(); });
    int const b = otter::blocking([] { return 42; });
    otter::blocking([] {});
    otter::offload([b] { return b; });
    otter::process_info<std::string>(otter::self(), otter::info_item::label);
    otter::spawn_monitor_with_tag(ask{1}, {}, [] {});
    otter::spawn_request({}, [] {});
    otter::spawn_link([](int x) { static_cast<void>(x); }, 3);
    std::vector<int, otter::counted_allocator<int>> v(10);
    log_here.error("all",
                   {{"text", "x"}, {"number", b}, {"server", s}, {"lazy", [] { return 1; }}});
    otter::system_monitor(otter::self(), {});
    if (auto l = otter::tcp_listen(otter::tcp_address::loopback(0))) {
      fmt::print("{}\n", l->local_address().value());
      if (auto const c = otter::tls_context::client()) {
        auto const secure = otter::tls_accept(*l, *c, 0s);
        if (!secure) fmt::print("{} {}\n", secure.error(), otter::tls_errc::not_tls);
      }
    }
    static_cast<void>(otter::code::load("nowhere.so"));
    static_cast<void>(otter::code::latest<int(std::string)>("nowhere", "f"));
    fmt::print("{}\n", to_string(otter::upgrade::check({.application = "all"})));
    static_cast<void>(otter::admin::start_link({.socket = "/nowhere/admin.socket"}));
    fmt::print("{}\n", otter::to_text(std::map<int, tell>{{1, tell{"x"}}}));
  });
}
