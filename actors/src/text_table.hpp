#pragma once

// text_table.hpp - rows of text in columns, for people to read.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace otter::detail {

/// A line for each row, two blanks between columns; the first `names` columns begin at the left,
/// the others, numbers, end at the right.
template <std::size_t Columns>
std::string text_table(std::vector<std::array<std::string, Columns>> const& rows,
                       std::size_t names) {
  std::array<std::size_t, Columns> width{};
  for (auto const& r : rows)
    for (std::size_t i = 0; i < Columns; ++i) width[i] = std::max(width[i], r[i].size());
  std::string text;
  for (auto const& r : rows) {
    std::string line;
    for (std::size_t i = 0; i < Columns; ++i)
      line += i < names ? fmt::format("{:<{}}  ", r[i], width[i])
                        : fmt::format("{:>{}}  ", r[i], width[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace otter::detail
