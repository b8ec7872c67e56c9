#pragma once

// echo.hpp - CAF's echo server, with a configuration of its own.

#include "../../measure.hpp"

int echo(bench::job const& j);
