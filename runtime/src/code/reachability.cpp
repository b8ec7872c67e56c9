#include "code/reachability.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <tuple>

#include "base/clock.hpp"
#include "base/words.hpp"
#include "code/code_table.hpp"
#include "message/exit_detail.hpp"
#include "process/overview.hpp"
#include "process/process.hpp"
#include "process/process_system.hpp"
#include "stacks/stack_parts.hpp"

namespace otter::rts {
namespace {

using code::holder;
using code::holder_kind;
using memory = std::span<std::byte const>;

/// A block of a slab in which an address of a version was found.
struct found_block {
  std::byte const* at;
  std::size_t bytes;
  std::size_t version;  // its place among those that are looked for
  bool told = false;    // whose it is, or that it does not count
};

/// What has been found, equal things together.
class findings {
 public:
  explicit findings(std::size_t versions) : of_(versions) {}

  void add(std::size_t version, holder_kind what, std::uint64_t process, std::string text) {
    ++of_[version][{what, process, std::move(text)}];
  }
  std::vector<std::vector<holder>> lists(process_system const& system) const {
    std::vector<std::vector<holder>> result(of_.size());
    for (std::size_t i = 0; i < of_.size(); ++i) {
      for (auto const& [key, count] : of_[i]) {
        if (result[i].size() == code::unload_result::longest_list) break;
        auto const& [what, process, text] = key;
        result[i].push_back({what, process != 0 ? system.make_pid_of(process) : pid{}, count,
                             count == 1 ? text : fmt::format("{} times: {}", count, text)});
      }
    }
    return result;
  }

 private:
  std::vector<std::map<std::tuple<holder_kind, std::uint64_t, std::string>, std::size_t>> of_;
};

holder_kind kind_at(process_place where) noexcept {
  switch (where) {
    case process_place::mailbox:
      return holder_kind::message;
    case process_place::request:
    case process_place::call:
      return holder_kind::request;
    case process_place::dictionary:
      return holder_kind::dictionary;
    case process_place::monitor:
      return holder_kind::monitor;
  }
  return holder_kind::memory;
}

char const* text_at(process_place where) noexcept {
  switch (where) {
    case process_place::mailbox:
      return "a message of type {} waits for {}";
    case process_place::request:
      return "a request of type {} is owed an answer by {}";
    case process_place::call:
      return "an answer of type {} has come for {}";
    case process_place::dictionary:
      return "a value of type {} in the dictionary of {}";
    case process_place::monitor:
      return "a tag of type {} of a monitor or spawn request of {}";
  }
  return "{} {}";
}

/// One search. While it runs nothing else of the node does.
class search {
 public:
  search(process_system& system, code_table& modules, std::vector<module_version*> const& versions,
         std::uint64_t finder)
      : system_(system), modules_(modules), finder_(finder), found_(versions.size()) {
    for (module_version const* v : versions) {
      ranges_.push_back(v->code.memory());
      low_ = std::min(low_, address_of(ranges_.back().data()));
      high_ = std::max(high_, address_of(ranges_.back().data() + ranges_.back().size()));
    }
  }

  /// `still`: slabs of the node whose owners do nothing. False: not all memory could be seen.
  bool run(std::span<slab* const> still) {
    auto const look = [this](std::byte const* block, std::size_t size) {
      each_version_in({block, size}, [&](std::size_t version) {
        blocks_.push_back({block, size, version});
      });
    };
    if (!system_.sched().each_block_in_use(look) || !system_.slabs().each_block_in_use(still, look))
      return false;
    std::sort(blocks_.begin(), blocks_.end(),
              [](auto const& a, auto const& b) { return std::less<>{}(a.at, b.at); });
    processes();
    timers();
    jobs();
    exit_reasons();
    variables();
    upper_room();
    rest_of_blocks();
    return true;
  }

  /// Frames of an attached thread.
  void attached(process& self, memory frames) {
    each_part(frames, [&](memory part) { look_at_frames(self, part); });
  }

  std::vector<std::vector<holder>> lists() const { return found_.lists(system_); }

 private:
  static std::uintptr_t address_of(std::byte const* p) noexcept {
    return reinterpret_cast<std::uintptr_t>(p);
  }

  std::size_t version_of(std::uintptr_t address) const noexcept {
    for (std::size_t i = 0; i < ranges_.size(); ++i)
      if (address - address_of(ranges_[i].data()) < ranges_[i].size()) return i;
    return ranges_.size();
  }

  /// f(version), once for each that has an address there.
  template <class F>
  void each_version_in(memory where, F&& f) {
    std::byte const* const end = where.data() + where.size();
    std::vector<bool> seen;
    for (auto const* at = where.data(); (at = find_address(at, end, low_, high_)) != end;
         at += sizeof(std::uintptr_t)) {
      std::size_t const version = version_of(word_at(at));
      if (version == ranges_.size()) continue;
      if (seen.empty()) seen.resize(ranges_.size());
      if (seen[version]) continue;
      seen[version] = true;
      f(version);
    }
  }

  bool has_address(memory where, std::size_t version) const noexcept {
    std::uintptr_t const low = address_of(ranges_[version].data());
    std::byte const* const end = where.data() + where.size();
    return find_address(where.data(), end, low, low + ranges_[version].size()) != end;
  }

  static std::string title(process const& p) {
    char text[160];
    p.describe_to(text, sizeof text, process::in_signal::no);
    return text;
  }

  /// f(block) for those that were found with that address in them.
  template <class F>
  void each_found(std::byte const* inside, F&& f) {
    auto at = std::upper_bound(
        blocks_.begin(), blocks_.end(), inside,
        [](std::byte const* p, found_block const& b) { return std::less<>{}(p, b.at); });
    while (at != blocks_.begin() && inside < (--at)->at + at->bytes) f(*at);
  }

  void look_at_frames(process& p, memory part) {
    each_version_in(part, [&](std::size_t version) {
      found_.add(version, holder_kind::frames, p.bits(), "frames of " + title(p));
    });
  }

  /// Shows what belongs to one process.
  struct in_process final : process_visitor {
    in_process(search& s, process& p) : of(s), self(p) {}
    search& of;
    process& self;

    void signal(process_place where, detail::envelope const& e) override {
      if (of.blocks_.empty()) return;
      of.each_found(reinterpret_cast<std::byte const*>(&e), [&](found_block& b) {
        b.told = true;
        // What is left of a request that was handled is its head: the rest was destroyed.
        if (where == process_place::request && e.type == nullptr) return;
        // Behind its end may lie something of the one that had the block before.
        if (!of.has_address({b.at, e.bytes}, b.version)) return;
        std::string const type(e.type != nullptr ? e.type->name : "no type");
        of.found_.add(b.version, kind_at(where), self.bits(),
                      fmt::format(fmt::runtime(text_at(where)), type, title(self)));
      });
    }
    void entry(void const* block) override {
      of.each_found(static_cast<std::byte const*>(block), [&](found_block& b) {
        b.told = true;
        of.found_.add(b.version, holder_kind::monitor, self.bits(),
                      "a monitor or spawn request with a tag, of " + title(self));
      });
    }
    void body(memory what, bool in_slab) override {
      if (in_slab) {
        of.each_found(what.data(), [&](found_block& b) {
          b.told = true;
          state(b.version);
        });
      } else {
        of.each_version_in(what, [&](std::size_t version) { state(version); });
      }
    }
    void frames(stack const& s) override {
      each_part(s, [&](memory part) { of.look_at_frames(self, part); });
      if (!exception_under_way(s)) return;
      for (std::size_t i = 0; i < of.ranges_.size(); ++i)
        of.found_.add(i, holder_kind::exception, self.bits(),
                      "an exception that cannot be seen is on its way in " + title(self));
    }
    void state(std::size_t version) {
      of.found_.add(version, holder_kind::state, self.bits(), "the state of " + title(self));
    }
  };

  void processes() {
    system_.table().for_each([&](process& p) {
      if (p.bits() == finder_) return;
      in_process visitor(*this, p);
      overview(p, visitor);
    });
  }

  void timers() {
    if (blocks_.empty()) return;
    system_.timers().for_each([&](timer_block& t) {
      detail::envelope const* const m = t.has_message() ? t.message() : nullptr;
      if (m == nullptr || m->type == nullptr) return;
      each_found(reinterpret_cast<std::byte const*>(m), [&](found_block& b) {
        if (b.told) return;
        b.told = true;
        process* const to = system_.find(system_.make_pid_of(t.target));
        found_.add(b.version, holder_kind::timer, to != nullptr ? to->bits() : 0,
                   fmt::format("a timer with a message of type {} for {}", m->type->name,
                               to != nullptr ? title(*to) : "a name"));
      });
    });
  }

  void jobs() {
    system_.jobs.for_each([&](offloads::entry const& e) {
      std::size_t const version = version_of(reinterpret_cast<std::uintptr_t>(e.code));
      if (version == ranges_.size()) return;
      process* const by = system_.find(system_.make_pid_of(e.asked_by));
      found_.add(version, holder_kind::job, by != nullptr ? e.asked_by : 0,
                 by != nullptr ? "a job of offload() for " + title(*by) : "a job of offload()");
    });
  }

  void exit_reasons() {
    detail::exit_detail::each_payload([&](type_descriptor const& type) {
      std::size_t const version = version_of(reinterpret_cast<std::uintptr_t>(&type));
      if (version == ranges_.size()) return;
      found_.add(version, holder_kind::exit_reason, 0,
                 fmt::format("an exit reason with a payload of type {}", type.name));
    });
  }

  void variables() {
    modules_.each_mapped([&](module_version const& v) {
      for (memory const part : v.code.variables()) {
        std::size_t const own = version_of(address_of(part.data()));
        each_version_in(part, [&](std::size_t version) {
          if (version == own) return;
          found_.add(version, holder_kind::module, 0,
                     fmt::format("a variable of module {} {}", v.code.description().name,
                                 v.code.description().version));
        });
      }
    });
  }

  void upper_room() {
    detail::node_estates const* const room = system_.estates().get();
    if (room == nullptr) return;
    room->each_memory([&](memory part, pid owner, std::string_view what) {
      each_version_in(part, [&](std::size_t version) {
        process* const p = system_.find(owner);
        found_.add(version, holder_kind::table, p != nullptr ? p->bits() : 0,
                   p != nullptr ? fmt::format("{} of {}", what, title(*p)) : std::string(what));
      });
    });
  }

  /// Whatever was found in a block that is nothing known of a process.
  void rest_of_blocks() {
    for (found_block const& b : blocks_) {
      if (b.told) continue;
      found_.add(b.version, holder_kind::memory, 0,
                 fmt::format("a block of {} bytes that was made for a process", b.bytes));
    }
  }

  process_system& system_;
  code_table& modules_;
  std::uint64_t const finder_;
  std::vector<memory> ranges_;
  std::uintptr_t low_ = UINTPTR_MAX;
  std::uintptr_t high_ = 0;
  std::vector<found_block> blocks_;  // by address
  findings found_;
};

/// Attached threads that are kept waiting. Ownership: of that, to its end.
class held_threads {
 public:
  explicit held_threads(attached_threads& all) : lock_(all.mutex), all_(all.all) {}
  held_threads(held_threads const&) = delete;
  held_threads& operator=(held_threads const&) = delete;
  ~held_threads() {
    for (auto const& h : held_) h.who.waker->let_go();
  }
  /// Empty, or who did not come to wait.
  std::string hold_all(std::int64_t until_ns, process_system const& system) {
    held_.reserve(all_.size());
    for (attached_threads::entry const& e : all_) {
      memory const frames = e.waker->hold(until_ns);
      held_.push_back({e, frames});
      if (frames.empty())
        return fmt::format("the attached thread {} runs code of its own",
                           system.make_pid_of(e.self->bits()));
    }
    return {};
  }
  struct one {
    attached_threads::entry who;
    memory frames;
  };
  std::vector<one> const& all() const noexcept { return held_; }

 private:
  std::lock_guard<std::mutex> lock_;
  std::vector<attached_threads::entry> const& all_;
  std::vector<one> held_;
};

std::vector<std::vector<holder>> all_busy(std::size_t versions,
                                          std::vector<std::string> const& why) {
  std::vector<holder> list;
  for (std::string const& text : why) list.push_back({holder_kind::busy, {}, 1, text});
  return std::vector<std::vector<holder>>(versions, list);
}

}  // namespace

std::vector<std::vector<holder>> find_holders(process_system& system, code_table& modules,
                                              std::vector<module_version*> const& versions,
                                              std::uint64_t finder, std::int64_t limit_ns) {
  std::int64_t const until_ns =
      monotonic_ns() + std::min<std::int64_t>(limit_ns, 3'600'000'000'000);
  for (;;) {
    // Whoever makes signals on a thread that is no worker's is waited for while everything still
    // runs: he may want a lock that is held when it does not.
    if (!system.pool.empty_until(until_ns))
      return all_busy(versions.size(), {"a job of offload() is running"});
    held_threads held(system.attached);
    if (std::string why = held.hold_all(until_ns, system); !why.empty())
      return all_busy(versions.size(), {std::move(why)});
    search s(system, modules, versions, finder);
    bool alone = false;
    bool complete = false;
    std::vector<std::string> const busy = system.sched().at_rest(until_ns - monotonic_ns(), [&] {
      std::unique_lock const foreign(system.foreign_mutex, std::try_to_lock);
      alone = foreign.owns_lock() && system.pool.try_close();
      if (!alone) return;
      struct reopen {
        pool_gate& gate;
        ~reopen() { gate.open(); }
      } const at_the_end{system.pool};
      std::vector<slab*> still{system.foreign_slab};
      for (auto const& h : held.all()) {
        still.push_back(&h.who.waker->memory());
        s.attached(*h.who.self, h.frames);
      }
      complete = s.run(still);
    });
    if (!busy.empty()) return all_busy(versions.size(), busy);
    if (complete) return s.lists();
    if (alone)
      return all_busy(versions.size(), {"a thread has memory of the node in use that is none of "
                                        "its workers, nor attached"});
    if (monotonic_ns() >= until_ns)
      return all_busy(versions.size(), {"other threads make signals without a pause"});
  }
}

}  // namespace otter::rts
