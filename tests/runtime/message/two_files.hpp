#pragma once

// One type that two files share, and what each file says of its own `ping`.

#include <otter/type_descriptor.hpp>

struct shared_ping {
  int n;
};

const otter::type_descriptor& ping_of_one_file();
const otter::type_descriptor& ping_of_another_file();
const otter::type_descriptor& shared_ping_of_one_file();
const otter::type_descriptor& shared_ping_of_another_file();
