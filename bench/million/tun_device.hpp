#pragma once

// tun_device.hpp - the network of a private namespace: one device, whose other end is this program.

#include <cstddef>
#include <span>
#include <string>

namespace bench {

/// A TUN device with the address 127.0.0.1, to which all of 127/8 is routed.
///
/// Threads: one. Every function ends the program, with one line, when the system refuses.
class tun_device {
 public:
  /// Makes the device and sets the namespace up: routes, and the sizes of the listeners' queues.
  /// Refused in the namespace `outside`, as /proc/self/ns/net names them, and nothing is changed.
  explicit tun_device(std::string const& outside);

  /// Gives one packet to the system, which works on it before this returns.
  void write(std::span<char const> packet);
  /// The next packet from the system into `into`; its length, or 0 if there is none now.
  std::size_t read(std::span<char> into);
  /// Waits until there is one, or so long.
  void wait(int milliseconds);

  /// So many packets wait here until they are read; further ones are lost. To make it longer takes
  /// more privileges than a namespace's.
  static constexpr std::size_t queue = 500;

 private:
  int fd_;
};

}  // namespace bench
