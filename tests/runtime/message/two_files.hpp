#pragma once

// One type that two files share, and what each file says of its own `ping` and does with it.

#include <otter/pid.hpp>
#include <otter/type_descriptor.hpp>

struct shared_ping {
  int n;
};

const otter::type_descriptor& ping_of_one_file();
const otter::type_descriptor& ping_of_another_file();
const otter::type_descriptor& shared_ping_of_one_file();
const otter::type_descriptor& shared_ping_of_another_file();

// Each file sends its own `ping` to the caller, and takes one if it waits: its number, or -1.
void send_ping_of_one_file(otter::pid to, int n);
void send_ping_of_another_file(otter::pid to, int n);
int take_ping_of_one_file();
int take_ping_of_another_file();
