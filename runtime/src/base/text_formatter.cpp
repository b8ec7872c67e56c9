#include <fmt/format.h>

#include <otter/detail/text_formatter.hpp>

namespace otter::detail {

fmt::format_context::iterator format_text(fmt::formatter<fmt::string_view> const& how,
                                          std::string_view text, fmt::format_context& context) {
  return how.format({text.data(), text.size()}, context);
}

}  // namespace otter::detail
