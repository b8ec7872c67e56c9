#pragma once

// What most tests include, parsed once for all of them where OTTER_PCH is on. Every test file
// still includes what it uses: the clang preset has no precompiled header and says what is missing.

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <otter/alias.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/receive.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>
#include <string>
#include <thread>
#include <vector>
