#pragma once

// dialogue.hpp - how `run` leads a program of clients: a line in, when it is done a line out.
//
//     connect 15000   {"connected":15000,"seconds":0.4}   as many as have been established
//     echo 1000       {"asked":1000,"answered":1000,"wrong":0,"seconds":0.1}
//     reset           {"reset":15000}                     every connection, without a farewell
//
// The end of the input ends the program. `counters::stop` cuts connect short.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../measure.hpp"
#include "counters.hpp"

namespace bench {

/// How often a client waits for an answer that does not come before it gives the phase up.
inline constexpr std::int64_t patience_ns = 30'000'000'000;

/// What a client sends, and must get back: 32 bytes that no other connection sends.
struct question {
  static constexpr std::size_t size = 32;
  char text[size + 1];
  question(std::uint64_t connection, unsigned round) noexcept {
    std::snprintf(text, sizeof text, "connection %10llu round %3u\n",
                  static_cast<unsigned long long>(connection % 10'000'000'000u), round % 1000);
  }
};

/// The `k`-th of `wanted` connections that are spread evenly over `all`.
inline std::uint64_t spread(std::uint64_t k, std::uint64_t wanted, std::uint64_t all) noexcept {
  return k * all / wanted;  // far below 2^64 for what a machine can hold
}

/// What became of a sample of echoes.
struct echoes {
  std::uint64_t asked = 0;
  std::uint64_t answered = 0;
  std::uint64_t wrong = 0;  ///< other bytes came back, or the connection had ended
};

/// `Clients` has connect(n) -> established in all, echo(n) -> echoes, reset() -> how many.
template <class Clients>
void lead(Clients& clients) {
  char line[128];
  auto const number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    char* argument = std::strchr(line, ' ');
    std::uint64_t const n = argument == nullptr ? 0 : std::strtoull(argument, nullptr, 10);
    std::string const what(line, std::strcspn(line, " \n"));
    std::int64_t const begin = now_ns();
    auto const seconds = [&] { return static_cast<double>(now_ns() - begin) / 1e9; };
    if (what == "connect") {
      std::uint64_t const connected = clients.connect(n);
      std::printf("{\"connected\":%llu,\"seconds\":%.6f}\n", number(connected), seconds());
    } else if (what == "echo") {
      echoes const e = clients.echo(n);
      std::printf("{\"asked\":%llu,\"answered\":%llu,\"wrong\":%llu,\"seconds\":%.6f}\n",
                  number(e.asked), number(e.answered), number(e.wrong), seconds());
    } else if (what == "reset") {
      std::printf("{\"reset\":%llu}\n", number(clients.reset()));
    } else {
      std::fprintf(stderr, "clients: no command '%s'\n", what.c_str());
      std::exit(2);
    }
    std::fflush(stdout);
  }
}

}  // namespace bench
