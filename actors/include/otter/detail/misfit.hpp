#pragma once

// otter/detail/misfit.hpp - why a value of one version does not pass to another one, and where.
//
//   otter::detail::misfit   the way to the value, the value, its type and the wanted one

#include <cstddef>
#include <string>
#include <string_view>

namespace otter::detail {

struct plain_value;

/// Filled in where a value does not fit; the way there is put in front on the way back. So it costs
/// nothing while everything fits. All functions give false, for `return why.inside(...)`.
///
/// It is text only: what refers to it may be of a module, and this is handed out.
struct misfit {
  std::string path;   ///< "limits.window[3].size"; empty: the whole value
  std::string value;  ///< "300"; of a text its length only, since this goes to logs
  std::string from;   ///< the type of the value
  std::string to;     ///< the type that was wanted
  std::string why{};  ///< more, if the value alone does not say it

  bool of(plain_value const& what, std::string_view wanted, std::string_view because = {});
  bool of(std::string_view what, std::string_view type, std::string_view wanted,
          std::string_view because);
  /// It is in the field `name`.
  bool inside(std::string_view name);
  /// It is the element number `index`, or the one of that key.
  bool at(std::size_t index);
  bool at(plain_value const& key, std::size_t index);

  /// What was thrown instead, by a function of the program's: from a catch block.
  bool thrown(std::string_view type, std::string_view wanted);

  /// "limits.window[3].size: 300 (int) does not fit into unsigned char"
  [[nodiscard]] std::string text() const;
};

}  // namespace otter::detail
