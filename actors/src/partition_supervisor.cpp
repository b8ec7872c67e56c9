// The supervisor of partitions: a supervisor whose children say, when they start, who they are.

#include <algorithm>
#include <atomic>
#include <memory>
#include <otter/dictionary.hpp>
#include <otter/name.hpp>
#include <otter/partition_supervisor.hpp>

#include "numbered_children.hpp"
#include "readers.hpp"
#include "running_tables.hpp"

namespace otter::detail {
namespace {

/// Who serves as which partition.
///
/// Ownership: of the holders. Threads: at() any, wait-free, while a `reading` of theirs stands;
///            set() the supervisor's process.
/// Invariant: a partition that was started once has a holder: the last process that was started.
/// Ordering:  a holder is written before it is seen; all by seq_cst, as readers.hpp wants it, [E1].
class partition_table {
 public:
  explicit partition_table(unsigned partitions)
      : count(partitions), holders_(std::make_unique<std::atomic<holder*>[]>(partitions)) {}
  ~partition_table() {
    for (unsigned i = 0; i != count; ++i) delete holders_[i].load(std::memory_order_relaxed);
  }
  partition_table(partition_table const&) = delete;
  partition_table& operator=(partition_table const&) = delete;

  unsigned const count;

  pid at(std::uint64_t key) const noexcept {
    holder const* const h = holders_[key % count].load(std::memory_order_seq_cst);
    return h == nullptr ? pid{} : h->process;
  }
  void set(unsigned number, pid process) {
    auto next = std::make_unique<holder>(process);
    std::unique_ptr<holder> before(
        holders_[number].exchange(next.release(), std::memory_order_seq_cst));
    if (before != nullptr) gone_.add(std::move(before));
    gone_.free_unread();
  }

 private:
  struct holder final : retirable {
    explicit holder(pid p) : process(p) {}
    pid const process;
  };
  std::unique_ptr<std::atomic<holder*>[]> const holders_;
  retired gone_;
};

/// Makes the table one of the calling process, which keeps it until it ends.
void publish(std::shared_ptr<partition_table> const& table) {
  using publication = std::unique_ptr<published<partition_table>>;
  if (dictionary::get<publication>() == nullptr)
    dictionary::put(std::make_unique<published<partition_table>>(table));
}

/// The start of one partition; it runs in the supervisor.
child_start start_of(std::shared_ptr<partition_table> const& table,
                     std::shared_ptr<partition_start const> const& start, unsigned number) {
  return [table, start, number] {
    publish(table);
    auto started = (*start)(number);
    if (started) table->set(number, *started);
    return started;
  };
}

}  // namespace

tl::expected<pid, start_error> start_partitions(std::string const& name, partition_spec spec,
                                                partition_flags const& flags,
                                                start_options const& options) {
  unsigned const count =
      number_of_children("partition_supervisor", name, "partitions", flags.partitions);
  auto const table = std::make_shared<partition_table>(count);
  std::vector<child_spec> children = numbered_children(
      count, {.restart = spec.restart, .shutdown = spec.shutdown, .type = spec.type},
      std::move(spec.start),
      [&](auto const& start, unsigned number) { return start_of(table, start, number); });
  start_options how = options;
  how.name = name;
  how.via = {};
  auto started = supervisor::start_link({.strategy = strategy_type::one_for_one,
                                         .intensity = flags.intensity,
                                         .period = flags.period},
                                        std::move(children), how);
  if (!started) return tl::unexpected<start_error>(std::move(started.error()));
  return started->process();
}

pid partition_of(std::string_view name, std::uint64_t key) noexcept {
  pid const process = whereis(name);
  reading here;
  partition_table const* const table =
      running_tables<partition_table>::instance().find(process, here);
  return table == nullptr ? pid{} : table->at(key);
}

unsigned partitions_of(std::string_view name) noexcept {
  pid const process = whereis(name);
  reading here;
  partition_table const* const table =
      running_tables<partition_table>::instance().find(process, here);
  return table == nullptr ? 0 : table->count;
}

std::vector<child_info> which_partitions(std::string_view name) {
  std::vector<child_info> all = supervisor::which_children(name);
  std::reverse(all.begin(), all.end());
  return all;
}

}  // namespace otter::detail
