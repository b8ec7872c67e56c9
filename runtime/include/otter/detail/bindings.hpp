#pragma once

// otter/detail/bindings.hpp - structured bindings of 1 to 32 fields, written out.
//
//   with_bindings<N>(value, f)       f(field...)
//   binding_types<N>(value)          type_list of the declared types, references kept
//
// The language has no bindings of a variable number before C++26, so this is a list. Only
// otter/reflection.hpp includes it, and asks only what it has found to be decomposable.

#include <cstddef>

namespace otter::detail {

template <class... Types>
struct type_list {
  static constexpr std::size_t size = sizeof...(Types);
};

// clang-format off
template <std::size_t N, class T, class F>
constexpr decltype(auto) with_bindings([[maybe_unused]] T& value, F&& f) {
  if constexpr (N == 0) { return f(); }
  else if constexpr (N == 1) {
    auto& [f1] = value;
    return f(f1);
  }
  else if constexpr (N == 2) {
    auto& [f1, f2] = value;
    return f(f1, f2);
  }
  else if constexpr (N == 3) {
    auto& [f1, f2, f3] = value;
    return f(f1, f2, f3);
  }
  else if constexpr (N == 4) {
    auto& [f1, f2, f3, f4] = value;
    return f(f1, f2, f3, f4);
  }
  else if constexpr (N == 5) {
    auto& [f1, f2, f3, f4, f5] = value;
    return f(f1, f2, f3, f4, f5);
  }
  else if constexpr (N == 6) {
    auto& [f1, f2, f3, f4, f5, f6] = value;
    return f(f1, f2, f3, f4, f5, f6);
  }
  else if constexpr (N == 7) {
    auto& [f1, f2, f3, f4, f5, f6, f7] = value;
    return f(f1, f2, f3, f4, f5, f6, f7);
  }
  else if constexpr (N == 8) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8);
  }
  else if constexpr (N == 9) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9);
  }
  else if constexpr (N == 10) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10);
  }
  else if constexpr (N == 11) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11);
  }
  else if constexpr (N == 12) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12);
  }
  else if constexpr (N == 13) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13);
  }
  else if constexpr (N == 14) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14);
  }
  else if constexpr (N == 15) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15);
  }
  else if constexpr (N == 16) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16);
  }
  else if constexpr (N == 17) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17);
  }
  else if constexpr (N == 18) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18);
  }
  else if constexpr (N == 19) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19
        ] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19);
  }
  else if constexpr (N == 20) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20);
  }
  else if constexpr (N == 21) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21);
  }
  else if constexpr (N == 22) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22);
  }
  else if constexpr (N == 23) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23);
  }
  else if constexpr (N == 24) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24);
  }
  else if constexpr (N == 25) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24, f25] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24, f25);
  }
  else if constexpr (N == 26) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24, f25, f26] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24, f25, f26);
  }
  else if constexpr (N == 27) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24, f25, f26, f27] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24, f25, f26, f27);
  }
  else if constexpr (N == 28) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24, f25, f26, f27, f28] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24, f25, f26, f27, f28);
  }
  else if constexpr (N == 29) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24, f25, f26, f27, f28, f29] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29);
  }
  else if constexpr (N == 30) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30);
  }
  else if constexpr (N == 31) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31);
  }
  else if constexpr (N == 32) {
    auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
        f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32] = value;
    return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18,
        f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32);
  }
}

template <std::size_t N, class T>
constexpr auto binding_types([[maybe_unused]] T& value) {
  if constexpr (N == 0) { return type_list<>{}; }
  else if constexpr (N == 1) {
    [[maybe_unused]] auto& [f1] = value;
    return type_list<decltype(f1)>{};
  }
  else if constexpr (N == 2) {
    [[maybe_unused]] auto& [f1, f2] = value;
    return type_list<decltype(f1), decltype(f2)>{};
  }
  else if constexpr (N == 3) {
    [[maybe_unused]] auto& [f1, f2, f3] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3)>{};
  }
  else if constexpr (N == 4) {
    [[maybe_unused]] auto& [f1, f2, f3, f4] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4)>{};
  }
  else if constexpr (N == 5) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5)>{};
  }
  else if constexpr (N == 6) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6)>{};
  }
  else if constexpr (N == 7) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7)>{};
  }
  else if constexpr (N == 8) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8)>{};
  }
  else if constexpr (N == 9) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9)>{};
  }
  else if constexpr (N == 10) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10)>{};
  }
  else if constexpr (N == 11) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11)>{};
  }
  else if constexpr (N == 12) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12)>{};
  }
  else if constexpr (N == 13) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13)>{};
  }
  else if constexpr (N == 14) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14)>{};
  }
  else if constexpr (N == 15) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15
        ] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15)>{};
  }
  else if constexpr (N == 16) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16
        ] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16)>{};
  }
  else if constexpr (N == 17) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17)>{};
  }
  else if constexpr (N == 18) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18)>{};
  }
  else if constexpr (N == 19) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19)>{};
  }
  else if constexpr (N == 20) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20)>{};
  }
  else if constexpr (N == 21) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21)>{};
  }
  else if constexpr (N == 22) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22)>{};
  }
  else if constexpr (N == 23) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23)>{};
  }
  else if constexpr (N == 24) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24)>{};
  }
  else if constexpr (N == 25) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24, f25] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24), decltype(f25)>{};
  }
  else if constexpr (N == 26) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24), decltype(f25), decltype(f26)>{};
  }
  else if constexpr (N == 27) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24), decltype(f25), decltype(f26), decltype(f27)>{};
  }
  else if constexpr (N == 28) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24), decltype(f25), decltype(f26), decltype(f27), decltype(f28)>{};
  }
  else if constexpr (N == 29) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24), decltype(f25), decltype(f26), decltype(f27), decltype(f28), decltype(f29)>{};
  }
  else if constexpr (N == 30) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24), decltype(f25), decltype(f26), decltype(f27), decltype(f28), decltype(f29),
        decltype(f30)>{};
  }
  else if constexpr (N == 31) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24), decltype(f25), decltype(f26), decltype(f27), decltype(f28), decltype(f29),
        decltype(f30), decltype(f31)>{};
  }
  else if constexpr (N == 32) {
    [[maybe_unused]] auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15,
        f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32
        ] = value;
    return type_list<decltype(f1), decltype(f2), decltype(f3), decltype(f4), decltype(f5),
        decltype(f6), decltype(f7), decltype(f8), decltype(f9), decltype(f10), decltype(f11),
        decltype(f12), decltype(f13), decltype(f14), decltype(f15), decltype(f16), decltype(f17),
        decltype(f18), decltype(f19), decltype(f20), decltype(f21), decltype(f22), decltype(f23),
        decltype(f24), decltype(f25), decltype(f26), decltype(f27), decltype(f28), decltype(f29),
        decltype(f30), decltype(f31), decltype(f32)>{};
  }
}
// clang-format on

}  // namespace otter::detail
