// process/info.cpp - looking at a process: the answer is given by the process itself.

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <otter/detail/call.hpp>
#include <otter/exit.hpp>
#include <otter/print.hpp>
#include <otter/process_info.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"
#include "scheduler/backtrace.hpp"
#include "stacks/depth.hpp"

namespace otter {
namespace rts {

namespace {

struct query {
  std::vector<info_item> items;
};
struct query_answer {
  std::vector<info> facts;
};

std::string text_of(envelope* e) {
  text_sink sink(256);
  e->type->print(sink, e->payload());
  return std::move(sink).take();
}

}  // namespace

std::vector<info> process::facts(std::vector<info_item> const& items) {
  std::vector<info> result;
  result.reserve(items.size());
  for (info_item item : items) {
    info_value value;
    switch (item) {
      case info_item::registered_name:
        value = system_->names().name_of(bits());
        break;
      case info_item::label:
        value = extra_ != nullptr ? extra_->label : std::string();
        break;
      case info_item::status:
        value = has(flag_dying | flag_exit_pending) ? process_status::exiting
                : has(flag_paused)                  ? process_status::suspended
                : waiting_in_ != wait_place::none   ? process_status::waiting
                : has(flag_in_body)                 ? process_status::running
                : has(flag_started)                 ? process_status::waiting
                                                    : process_status::runnable;
        break;
      case info_item::message_queue_len:
        value = std::uint64_t{mailbox_.size()};
        break;
      case info_item::messages: {
        std::vector<std::string> texts;
        if (!has(flag_sensitive)) {
          for (envelope* e = *mailbox_.first(); e != nullptr && texts.size() < 32; e = e->next)
            if (e->type != nullptr) texts.push_back(text_of(e));
        }
        value = std::move(texts);
        break;
      }
      case info_item::links: {
        std::vector<pid> who;
        links_.for_each([&](std::uint64_t peer) { who.push_back(system_->make_pid_of(peer)); });
        link_entries_.for_each([&](link_entry const& l) {
          if (l.unlink_id == 0) who.push_back(system_->make_pid_of(l.peer));
        });
        value = std::move(who);
        break;
      }
      case info_item::monitors: {
        std::vector<monitored> who;
        own_refs_.for_each([&](own_ref const& r) {
          if (r.what != own_ref::purpose::monitor) return;
          who.push_back({r.target == 0 ? pid{} : system_->make_pid_of(r.target),
                         r.name != nullptr ? *r.name : std::string()});
        });
        value = std::move(who);
        break;
      }
      case info_item::monitored_by: {
        std::vector<pid> who;
        open_requests_.for_each([&](request_envelope const& r) {
          if (r.kind == signal_kind::monitor) who.push_back(r.caller.caller());
        });
        value = std::move(who);
        break;
      }
      case info_item::trap_exit:
        value = has(flag_trap_exit);
        break;
      case info_item::group_leader:
        value = group_leader_pid();
        break;
      case info_item::parent:
        value = parent_pid();
        break;
      case info_item::priority:
        value = static_cast<otter::priority>(priority);
        break;
      case info_item::memory:
        value = memory_in_use();
        break;
      case info_item::max_heap_size:
        value = heap_limit();
        break;
      case info_item::waiting_in:
        value = std::string(name_of(waiting_in_));
        break;
      case info_item::stack_size:
        // Whoever answers in the middle of its function runs on its stack.
        value = std::uint64_t{frames != nullptr ? frames->size()
                              : has(flag_in_body) && !has(flag_attached)
                                  ? stack_kind == stack_class::exact ? stack_bytes
                                                                     : stack_size(stack_kind)
                                  : 0};
        break;
      case info_item::stack_depth:
        value = std::uint64_t{stack_depth()};
        break;
      case info_item::reductions:
        value = reductions_;
        break;
      case info_item::initial_call:
        if (extra_ != nullptr && !extra_->initial_call.empty())
          value = extra_->initial_call;
        else
          value = std::string(body_ != nullptr ? body_->initial_call() : std::string_view());
        break;
      case info_item::dictionary: {
        std::vector<std::string> texts;
        if (!has(flag_sensitive) && extra_ != nullptr) {
          for (envelope* e = extra_->values; e != nullptr; e = e->next) texts.push_back(text_of(e));
        }
        value = std::move(texts);
        break;
      }
      case info_item::current_stacktrace:
        // Whoever answers in the middle of its function runs on its stack.
        value = has(flag_in_body) ? stacktrace_here(24, 160) : std::vector<std::string>();
        break;
    }
    result.push_back({item, std::move(value)});
  }
  return result;
}

std::size_t process::stack_depth() const noexcept {
  if (!measured) return 0;
  return std::max(extra_->stack_depth, painted_depth(*running_stack()));
}

void process::on_query(request_envelope* e) noexcept {
  if (has(flag_dying | flag_exit_pending)) {
    fail_call(*system_, *e, exit_reason::noproc());
    return;
  }
  from const asker = e->caller;
  try {
    query_answer answer{facts(static_cast<query*>(e->payload())->items)};
    detail::envelope_ptr reply = detail::pack<query_answer>(signal_kind::reply, std::move(answer));
    auto* r = static_cast<id_envelope*>(reply.release());
    r->id = id_of(asker.call());
    r->extra = bits();
    detail::delete_envelope(e);
    deliver(*system_, pid_access::bits(asker.caller()), r);
  } catch (...) {
    fail_call(*system_, *e, exit_reason::from_current_exception());
  }
}

void process::describe_to(char* buffer, std::size_t size, in_signal where) const noexcept {
  std::size_t n = 0;
  auto const put = [&](std::string_view text) {
    for (char c : text)
      if (n + 1 < size) buffer[n++] = c;
  };
  auto const number = [&](std::uint64_t v) {
    char digits[20];
    std::size_t d = sizeof digits;
    do digits[--d] = static_cast<char>('0' + v % 10);
    while ((v /= 10) != 0);
    put({digits + d, sizeof digits - d});
  };
  std::uint64_t const b = bits();
  put("process <");
  number(system_ != nullptr ? system_->node_index() : 0);
  put(".");
  number(b & max_process_index);
  put(".");
  number(b >> pid_access::index_bits);
  put(">");
  if (system_ != nullptr && name_state_.load(std::memory_order_relaxed) == named)
    system_->names().with_name_of(b, where == in_signal::no, [&](std::string_view name) {
      put(" ");
      put(name);
    });
  if (extra_ != nullptr && !extra_->label.empty()) {
    put(" (");
    put(extra_->label);
    put(")");
  }
  if (size > 0) buffer[n] = 0;
}

}  // namespace rts

using rts::here;
using rts::process;
using rts::runtime_entry;

bool is_alive(pid who) {
  {
    runtime_entry entry;
    rts::refuse_abandoned(entry);
    here const at = here::in_process();
    if (who == at.self->self_pid()) return true;
    if (at.system->find(who) == nullptr) return false;
  }
  return process_info(who, std::vector<info_item>{}).has_value();
}

bool is_local(pid who) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return who && rts::node_of(who) == here::in_process().system->node_index();
}

std::optional<std::vector<info>> process_info(pid who, std::vector<info_item> items) {
  return process_info(who, std::move(items), infinity);
}

std::optional<std::vector<info>> process_info(pid who, std::vector<info_item> items,
                                              duration limit) {
  {
    runtime_entry entry;
    rts::refuse_abandoned(entry);
    here const at = here::in_process();
    if (who == at.self->self_pid()) return at.self->facts(items);
  }
  detail::response answer = detail::call(
      who, detail::pack<rts::query>(detail::signal_kind::query, rts::query{std::move(items)}),
      limit);
  if (!answer.reply) {
    if (answer.why == exit_reason::timeout()) throw process_exit(std::move(answer.why));
    return std::nullopt;
  }
  return std::move(static_cast<rts::query_answer*>(answer.reply->payload())->facts);
}

std::vector<std::string> stacktrace_of(exit_reason const& reason) {
  return rts::stacktrace_lines(reason.backtrace(), 16, 120);
}

pid group_leader() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return rts::current_process().group_leader_pid();
}

void set_group_leader(pid leader, pid who) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  if (who == at.self->self_pid()) {
    at.self->set_group_leader(leader);
    return;
  }
  rts::send_peer_signal(*at.system, detail::signal_kind::set_group_leader,
                        rts::pid_access::bits(who), leader, 0);
}

priority set_priority(otter::priority level) noexcept {
  rts::kept_process self;
  if (!self) return otter::priority::normal;
  auto const was = static_cast<otter::priority>(self->priority);
  self->mark_fresh_priority(level);
  return was;
}

bool set_sensitive(bool hidden) noexcept {
  rts::kept_process self;
  return self && self->sensitive(hidden);
}

void set_label(std::string_view text) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  rts::current_process().extra().label = std::string(text.substr(0, 256));
}
void set_initial_call(std::string_view text) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  rts::current_process().extra().initial_call = std::string(text.substr(0, 256));
}

pid parent() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return rts::current_process().parent_pid();
}

std::vector<pid> processes() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  std::vector<pid> result;
  at.system->table().for_each([&](process& p) {
    if (p.signals().is_open()) result.push_back(at.system->make_pid_of(p.bits()));
  });
  return result;
}

std::vector<pid> group_members(pid leader) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  std::vector<pid> result;
  if (rts::node_of(leader) != at.system->node_index()) return result;
  at.system->table().for_each([&](process& p) {
    if (std::uint64_t const bits = p.bits_if_led_by(leader); bits != 0)
      result.push_back(at.system->make_pid_of(bits));
  });
  return result;
}

unsigned schedulers() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return here::in_process().system->sched().workers();
}

void detail::throw_wrong_info_type(info_item item) {
  throw error(errc::badarg,
              fmt::format("process_info: item number {} has another type than asked for; see "
                          "info_item for the types",
                          static_cast<int>(item)));
}

}  // namespace otter
