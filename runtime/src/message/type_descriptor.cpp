// When two descriptors that are not one object mean one type.

#include <otter/type_descriptor.hpp>

namespace otter {
namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// True if a mangled name holds a local entity ('Z'), a closure ("Ul"), an unnamed type ("Ut") or
/// an unnamed namespace. Identifiers are skipped, since "4Zone" is no local entity. A number that
/// is no length (an array bound, a template's value) makes us skip too much or too little; both at
/// worst call a type internal that is not.
bool mangled_internal(std::string_view name) noexcept {
  if (name.find("_GLOBAL__N_") != std::string_view::npos) return true;
  for (std::size_t i = 0; i < name.size();) {
    if (is_digit(name[i])) {
      std::size_t length = 0;
      while (i < name.size() && is_digit(name[i]) && length < name.size()) {
        length = length * 10 + static_cast<std::size_t>(name[i++] - '0');
      }
      if (i < name.size() && (name[i] == '_' || name[i] == 'E')) continue;  // a bound or a value
      i += length;
    } else if (name[i] == 'Z' || (name[i] == 'U' && i + 1 < name.size() &&
                                  (name[i + 1] == 'l' || name[i + 1] == 't'))) {
      return true;
    } else {
      ++i;
    }
  }
  return false;
}

}  // namespace

type_linkage linkage_of(const type_descriptor& type) noexcept {
  if (type.linkage == type_linkage::internal) return type_linkage::internal;
  return type.rtti != nullptr && mangled_internal(type.rtti->name()) ? type_linkage::internal
                                                                     : type_linkage::external;
}

bool detail::same_type_elsewhere(const type_descriptor& a, const type_descriptor& b) noexcept {
  // Two objects in one module are two types: the linker has left one descriptor per type.
  return a.module != b.module && a.size == b.size && a.align == b.align && a.layout == b.layout &&
         a.name == b.name && linkage_of(a) == type_linkage::external &&
         linkage_of(b) == type_linkage::external;
}

type_relation relate(const type_descriptor& a, const type_descriptor& b) noexcept {
  if (same_type(a, b)) return type_relation::same;
  const bool another_version = a.module != b.module && a.name == b.name && a.key != b.key &&
                               linkage_of(a) == type_linkage::external &&
                               linkage_of(b) == type_linkage::external;
  return another_version ? type_relation::other_layout : type_relation::different;
}

}  // namespace otter
