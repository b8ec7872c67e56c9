// What a process under debugging does with each of its events.

#include "debug_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <otter/detail/unwinding.hpp>
#include <otter/exit.hpp>
#include <otter/print.hpp>
#include <otter/process_info.hpp>
#include <utility>

#include "report.hpp"

namespace otter {
namespace {

std::uint64_t reductions_so_far() {
  return process_info<std::uint64_t>(self(), info_item::reductions).value_or(0);
}

}  // namespace

std::string sys::debug_event::text() const {
  std::string shown;
  if (type != nullptr) {
    shown = std::string(type->name);
    if (payload != nullptr) {
      text_sink out(256);
      type->print(out, payload);
      if (out.text() != type->name) shown = out.text();
    }
  }
  switch (what) {
    case kind::in:
      return whom ? fmt::format("got {} {} from {}", how, shown, whom)
                  : fmt::format("got {} {}", how, shown);
    case kind::out:
      return fmt::format("answered {} to {}", shown, whom);
    case kind::state:
      return fmt::format("is in state {}", how);
  }
  return shown;
}

namespace detail {

void debug_state::note(sys::debug_event const& event) noexcept {
  if (counted_) {
    if (event.what == sys::debug_event::kind::in) ++counted_->messages_in;
    if (event.what == sys::debug_event::kind::out) ++counted_->messages_out;
  }
  try {
    if (trace_) log_report(logger::level::notice, fmt::format("{} {}", self_text(), event.text()));
    if (log_limit_ != 0) {
      log_.push_back(event.text());
      if (log_.size() > log_limit_) log_.pop_front();
    }
    if (file_.is_open()) file_ << fmt::format("{} {}\n", self_text(), event.text()) << std::flush;
  } catch (std::exception const&) {
    // no memory for a line: the process goes on without it
  }
  for (std::size_t i = 0; i != functions_.size(); ++i) {
    try {
      defer_exit guard;  // the process ends between two events, not in a function of the debugger's
      functions_[i].gone = functions_[i].f(event) == sys::verdict::done;
    } catch (...) {
      functions_[i].gone = true;
      report_text(fmt::format("{}: the debug function \"{}\" threw, removed", self_text(),
                              functions_[i].id));
    }
  }
  std::erase_if(functions_, [](installed const& f) { return f.gone; });
}

void debug_state::begin() {
  std::unique_ptr<debug_options> const from_start = std::move(wanted_);
  if (!from_start) return;
  trace(from_start->trace == sys::debugging::on);
  log(from_start->log);
  if (!log_to_file(from_start->log_to_file))
    report_text(fmt::format("{}: cannot open \"{}\" for a log, it runs without", self_text(),
                            from_start->log_to_file));
  statistics(from_start->statistics == sys::debugging::on);
  for (debug_options::installed& one : from_start->install)
    install(std::move(one.id), std::move(one.function));
}

void debug_state::log(std::size_t events) {
  log_limit_ = events;
  while (log_.size() > events) log_.pop_front();
}

bool debug_state::log_to_file(std::string const& path) {
  file_ = {};
  if (path.empty()) return true;
  file_.open(path, std::ios::app);
  return file_.is_open();
}

void debug_state::statistics(bool on) {
  counted_.reset();
  if (!on) return;
  sys::statistics_report begun;
  begun.start = begun.now = node_clock::now();
  begun.reductions = reductions_so_far();
  counted_ = begun;
}

std::optional<sys::statistics_report> debug_state::statistics() const {
  if (!counted_) return std::nullopt;
  sys::statistics_report found = *counted_;
  found.now = node_clock::now();
  found.reductions = reductions_so_far() - counted_->reductions;
  return found;
}

void debug_state::install(std::string id, sys::debug_function f) {
  for (installed const& there : functions_)
    if (there.id == id) return;
  functions_.push_back({std::move(id), std::move(f)});
}

void debug_state::remove(std::string const& id) noexcept {
  std::erase_if(functions_, [&](installed const& f) { return f.id == id; });
}

bool debug_state::idle() const noexcept {
  return functions_.empty() && !trace_ && log_limit_ == 0 && !file_.is_open() && !counted_;
}

}  // namespace detail
}  // namespace otter
