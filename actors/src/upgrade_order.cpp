#include "upgrade_order.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string_view>

namespace otter::detail {

namespace {

using upgrade::mode_type;
using upgrade::module_step;
using upgrade::need;
using upgrade::plan;

/// A walk from each module to what it needs; a module is written down when all that is.
///
/// It keeps its way in a list of its own: a plan may be as deep as it likes.
class ordering {
 public:
  explicit ordering(plan const& p) : plan_(p), seen_(p.modules.size()) {}

  tl::expected<std::vector<std::size_t>, std::string> run() {
    for (std::size_t i = 0; i < plan_.modules.size(); ++i)
      if (auto const [at, is_new] = positions_.emplace(plan_.modules[i].name, i); !is_new)
        return tl::unexpected(fmt::format("module {} is in the plan twice", at->first));
    for (std::size_t i = 0; i < plan_.modules.size(); ++i)
      if (auto circle = walk(i); !circle.empty()) return tl::unexpected(std::move(circle));
    return std::move(order_);
  }

 private:
  enum class state : unsigned char { fresh, on_the_way, done };
  struct place {
    std::size_t module;
    std::size_t next_need = 0;
  };

  std::string walk(std::size_t from) {
    if (seen_[from] != state::fresh) return {};
    std::vector<place> way;
    auto const enter = [&](std::size_t i) {
      seen_[i] = state::on_the_way;
      way.push_back({i});
    };
    enter(from);
    while (!way.empty()) {
      place& here = way.back();
      auto const& needs = plan_.modules[here.module].depends_on;
      if (here.next_need == needs.size()) {
        seen_[here.module] = state::done;
        order_.push_back(here.module);
        way.pop_back();
        continue;
      }
      auto const other = positions_.find(needs[here.next_need++].module);
      if (other == positions_.end() || seen_[other->second] == state::done) continue;
      if (seen_[other->second] == state::on_the_way) return circle_text(way, other->second);
      enter(other->second);
    }
    return {};
  }

  std::string circle_text(std::vector<place> const& way, std::size_t back_to) const {
    std::vector<std::string> names;
    bool inside = false;
    for (place const& p : way) {
      inside = inside || p.module == back_to;
      if (inside) names.push_back(plan_.modules[p.module].name);
    }
    names.push_back(plan_.modules[back_to].name);
    return fmt::format("modules need each other in a circle: {}", fmt::join(names, " -> "));
  }

  plan const& plan_;
  std::vector<state> seen_;
  std::map<std::string_view, std::size_t> positions_;
  std::vector<std::size_t> order_;
};

bool needs_one_of(module_step const& step, plan const& p, std::vector<std::size_t> const& group) {
  for (need const& n : step.depends_on)
    for (std::size_t const i : group)
      if (p.modules[i].name == n.module) return true;
  return false;
}

}  // namespace

tl::expected<std::vector<std::size_t>, std::string> order_of(plan const& p) {
  return ordering(p).run();
}

std::vector<std::vector<std::size_t>> groups_of(plan const& p,
                                                std::vector<std::size_t> const& order) {
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t const i : order) {
    bool const joins = !groups.empty() && p.modules[i].mode == mode_type::together &&
                       p.modules[groups.back().front()].mode == mode_type::together &&
                       needs_one_of(p.modules[i], p, groups.back());
    if (joins)
      groups.back().push_back(i);
    else
      groups.push_back({i});
  }
  return groups;
}

}  // namespace otter::detail
