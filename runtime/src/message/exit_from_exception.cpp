// What an exception that left a process means for it: rule C0-1.

#include <cxxabi.h>

#include <cstdlib>
#include <otter/exit_reason.hpp>
#include <typeinfo>

#include "message/exit_detail.hpp"

namespace otter {
namespace {

struct described {
  std::string type;
  text_sink text{exit_reason::max_text + 1};  // one more than is kept, so that a cut shows
};

std::string demangled(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name{
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free};
  return status == 0 && name != nullptr ? name.get() : type.name();
}

void describe_nested(described& out, const std::nested_exception& outer, std::size_t depth);

/// Adds the exception that is being handled. `depth` is how many are around it.
void describe(described& out, std::size_t depth) {
  const auto name_it = [&](const std::type_info* type) {
    std::string name = type != nullptr ? demangled(*type) : "foreign exception";
    if (depth == 0) {
      out.type = std::move(name);
    } else {
      out.text.put(out.text.text().empty() ? "caused by " : "; caused by ");
      out.text.put(name);
      out.text.put(": ");
    }
  };
  const auto value = [&](const auto& v) {
    name_it(abi::__cxa_current_exception_type());
    out.text.vformat("{}", fmt::make_format_args(v));
  };

  try {
    throw;
  } catch (const std::exception& e) {
    name_it(&typeid(e));
    const char* const what = e.what();
    if (what != nullptr) out.text.put(what);
    if (const auto* outer = dynamic_cast<const std::nested_exception*>(&e)) {
      describe_nested(out, *outer, depth);
    }
  } catch (const exit_reason& e) {
    value(e);
  } catch (const process_exit& e) {  // only as something nested
    name_it(&typeid(e));
    out.text.put(to_string(e.reason()));
  } catch (const std::string& e) {
    value(e);
  } catch (const std::string_view& e) {
    value(e);
  } catch (const char* e) {
    name_it(&typeid(const char*));
    if (e != nullptr) out.text.put(e);
  } catch (int e) {
    value(e);
  } catch (unsigned e) {
    value(e);
  } catch (long e) {
    value(e);
  } catch (unsigned long e) {
    value(e);
  } catch (long long e) {
    value(e);
  } catch (unsigned long long e) {
    value(e);
  } catch (double e) {
    value(e);
  } catch (bool e) {
    value(e);
  } catch (char e) {
    value(e);
  } catch (const std::nested_exception& e) {
    name_it(abi::__cxa_current_exception_type());
    describe_nested(out, e, depth);
  } catch (...) {
    name_it(abi::__cxa_current_exception_type());
  }
}

void describe_nested(described& out, const std::nested_exception& outer, std::size_t depth) {
  if (outer.nested_ptr() == nullptr || out.text.full()) return;
  if (depth + 1 >= exit_reason::max_depth) {
    out.text.put("; caused by more");
    return;
  }
  try {
    outer.rethrow_nested();
  } catch (...) {
    describe(out, depth + 1);
  }
}

}  // namespace

exit_reason exit_reason::from_current_exception(std::string_view place,
                                                std::span<void* const> backtrace) noexcept {
  try {
    throw;
  } catch (const process_exit& e) {
    return e.reason();
  } catch (...) {
    try {
      described out;
      describe(out, 0);
      return {
          exit_kind::error,
          detail::exit_detail::make(
              {.type = out.type, .text = out.text.text(), .place = place, .backtrace = backtrace})};
    } catch (...) {
      return {exit_kind::error, detail::exit_detail::undescribed()};
    }
  }
}

exit_reason exit_reason::from_exception(std::exception_ptr exception, std::string_view place,
                                        std::span<void* const> backtrace) noexcept {
  if (exception == nullptr) return normal();
  try {
    std::rethrow_exception(std::move(exception));
  } catch (...) {
    return from_current_exception(place, backtrace);
  }
}

}  // namespace otter
