// io/tcp_error.cpp - the error category of sockets: OTP's names.

#include <fmt/format.h>

#include <cctype>
#include <cstring>
#include <otter/tcp_error.hpp>

namespace otter {
namespace {

class tcp_category_type final : public std::error_category {
 public:
  char const* name() const noexcept override { return "tcp"; }
  std::string message(int value) const override {
    switch (static_cast<tcp_errc>(value)) {
      case tcp_errc::closed:
        return "closed";
      case tcp_errc::timeout:
        return "timeout";
      case tcp_errc::not_owner:
        return "not_owner";
      case tcp_errc::badarg:
        return "badarg";
      case tcp_errc::nxdomain:
        return "nxdomain";
      case tcp_errc::system_limit:
        return "system_limit";
      case tcp_errc::shed:
        return "shed";
      default:
        break;
    }
    char const* const name = ::strerrorname_np(value);
    if (name == nullptr) return "error " + std::to_string(value);
    std::string text(name);
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    if (value < 10000) return std::generic_category().default_error_condition(value);
    return {value, *this};
  }
};

}  // namespace

std::error_category const& tcp_category() noexcept {
  static tcp_category_type const category;
  return category;
}

}  // namespace otter
