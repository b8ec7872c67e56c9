#include "tun_device.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {
namespace {

[[noreturn]] void refuse(std::string const& what, int error) {
  std::fprintf(stderr, "million_tun_clients: %s: %s\n", what.c_str(), std::strerror(error));
  std::exit(1);
}

ifreq named(char const* name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  return request;
}

/// A socket on which the devices of the namespace are asked and changed.
class control {
 public:
  control() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) refuse("socket", errno);
  }
  ~control() { ::close(fd_); }
  void operator()(unsigned long what, ifreq& request, char const* text) const {
    if (::ioctl(fd_, what, &request) != 0) refuse(text, errno);
  }

 private:
  int fd_;
};

enum class without { refuse, go_on };

void set(std::string const& name, int number, without it = without::refuse) {
  std::string const path = "/proc/sys/net/" + name;
  std::string const text = std::to_string(number);
  int const fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  bool const done = fd >= 0 && ::write(fd, text.data(), text.size()) > 0;
  if (!done && it == without::refuse) refuse(path, errno);
  if (fd >= 0) ::close(fd);
}

void put_address(sockaddr& into, std::uint32_t address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(address);
  std::memcpy(&into, &in, sizeof in);
}
void set_address(control const& ask, char const* name, std::uint32_t address) {
  ifreq request = named(name);
  put_address(request.ifr_addr, address);
  ask(SIOCSIFADDR, request, "the address of a device");
}
void set_up(control const& ask, char const* name) {
  ifreq request = named(name);
  ask(SIOCGIFFLAGS, request, "the flags of a device");
  request.ifr_flags |= IFF_UP;
  ask(SIOCSIFFLAGS, request, "to set a device up");
}

/// As "net:[4026531840]".
std::string own_namespace() {
  char name[64];
  ssize_t const n = ::readlink("/proc/self/ns/net", name, sizeof name);
  if (n < 0) refuse("/proc/self/ns/net", errno);
  return {name, static_cast<std::size_t>(n)};
}

constexpr char const* device = "otter0";
constexpr int backlog = 65535;  // of listeners

}  // namespace

tun_device::tun_device(std::string const& outside)
    : fd_(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
  if (fd_ < 0) refuse("/dev/net/tun", errno);
  if (outside.empty() || outside == own_namespace())
    refuse("this network namespace is not of this run", EBUSY);
  control const ask;
  ifreq tun = named(device);
  tun.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (::ioctl(fd_, TUNSETIFF, &tun) != 0) refuse("TUNSETIFF", errno);

  // Packets from 127/8 that come from outside are no Martians here.
  std::string const own = std::string("ipv4/conf/") + device + "/";
  set(own + "route_localnet", 1);
  set(own + "rp_filter", 0);
  set("ipv4/conf/all/rp_filter", 0);
  // The rest is for speed, and for a short end: what the server leaves behind is gone soon.
  set(std::string("ipv6/conf/") + device + "/disable_ipv6", 1, without::go_on);
  set("core/somaxconn", backlog, without::go_on);
  set("ipv4/tcp_max_syn_backlog", backlog, without::go_on);
  set("ipv4/tcp_syncookies", 0, without::go_on);
  set("ipv4/tcp_no_metrics_save", 1, without::go_on);
  set("ipv4/tcp_orphan_retries", 1, without::go_on);
  set("ipv4/tcp_fin_timeout", 5, without::go_on);

  set_address(ask, device, INADDR_LOOPBACK);
  ifreq mask = named(device);
  put_address(mask.ifr_netmask, 0xff000000);
  ask(SIOCSIFNETMASK, mask, "the route to 127/8");
  set_up(ask, device);
  // The system's own loopback device, for what connects to itself: without the address that it has
  // as soon as it is up, which would take all of 127/8.
  set_up(ask, "lo");
  set_address(ask, "lo", INADDR_ANY);
}

void tun_device::write(std::span<char const> packet) {
  while (::write(fd_, packet.data(), packet.size()) < 0) {
    if (errno == EINTR) continue;
    // No memory for a packet: it is lost, as packets may be, and sent again later.
    if (errno == ENOMEM || errno == ENOBUFS || errno == EAGAIN) return;
    refuse("a packet to the system", errno);
  }
}

std::size_t tun_device::read(std::span<char> into) {
  for (;;) {
    ssize_t const n = ::read(fd_, into.data(), into.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) refuse("a packet from the system", errno);
  }
}

void tun_device::wait(int milliseconds) {
  pollfd p{fd_, POLLIN, 0};
  ::poll(&p, 1, milliseconds);
}

}  // namespace bench
