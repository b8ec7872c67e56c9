#pragma once

// What most tests of the behaviours include, in the manner of precompiled.hpp.

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <otter/dynamic_supervisor.hpp>
#include <otter/error.hpp>
#include <otter/gen.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/logger.hpp>
#include <otter/proc_lib.hpp>
#include <otter/supervisor.hpp>
#include <otter/sys.hpp>
#include <stdexcept>
#include <utility>

#include "on_every_driver.hpp"
#include "precompiled.hpp"
