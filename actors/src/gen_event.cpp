// Starting and asking the manager of a gen_event.

#include <fmt/format.h>

#include <otter/detail/unwinding.hpp>
#include <otter/gen_event.hpp>

namespace otter {
namespace detail {

void fail_event_job(event_answer& answer) {
  answer.done = false;
  answer.value = {};
  try {
    throw;
  } catch (unwinding const&) {
    throw;
  } catch (process_exit const& e) {
    answer.failed = e.reason();
  } catch (...) {
    answer.failed = exit_reason::from_current_exception();
  }
}

exit_reason no_such_handler(std::string_view error, std::string_view handler) {
  return exit_reason::error(error, fmt::format("there is no handler {}", handler));
}

namespace {

start_result<gen_event> as_manager(start_result<event_manager> started) {
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return server_ref<gen_event>(started->process());
}

}  // namespace
}  // namespace detail

start_result<gen_event> gen_event::start(start_options const& options) {
  return detail::as_manager(detail::event_manager::start(options));
}
start_result<gen_event> gen_event::start_link(start_options const& options) {
  return detail::as_manager(detail::event_manager::start_link(options));
}
monitored_start<gen_event> gen_event::start_monitor(start_options const& options) {
  auto started = detail::event_manager::start_monitor(options);
  return {detail::as_manager(std::move(started.result)), started.ref};
}

std::vector<handler_info> gen_event::list(detail::target const& to) {
  detail::event_answer answer = detail::ask_manager(
      to,
      [](detail::event_manager& m, detail::event_answer& a) {
        a.value = any_message::of(m.list());
      },
      infinity);
  return std::move(*answer.value.get_if<std::vector<handler_info>>());
}

}  // namespace otter
