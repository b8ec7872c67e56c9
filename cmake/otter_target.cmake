# otter_target(NAME): the flags that every target of ours shares, and no user of ours inherits.
function(otter_target name)
  set_target_properties(${name} PROPERTIES
    CXX_STANDARD 20
    CXX_STANDARD_REQUIRED ON
    DEFINE_SYMBOL ""  # CMake's NAME_EXPORTS, which no header of ours asks for, would forbid to share precompiled headers
    CXX_EXTENSIONS OFF)  # -std=gnu++20 would make `linux` and `unix` macros
  target_compile_options(${name} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    $<$<BOOL:${OTTER_WARNINGS_AS_ERRORS}>:-Werror>
    -fno-omit-frame-pointer)  # backtraces of suspended processes walk frame pointers
  if(OTTER_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # A precompiled header out of a compiler cache is older or younger than this checkout's headers.
    target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  if(OTTER_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc 12's flow analysis loses its way in instrumented code and complains about libstdc++ itself.
    target_compile_options(${name} PRIVATE -Wno-maybe-uninitialized)
  endif()
  if(OTTER_SANITIZE STREQUAL "address")
    # Null pointers are left to the fault that they are, which is reported as well: those checks alone
    # are a third of the time to compile.
    target_compile_options(${name} PRIVATE
      -fsanitize=address,undefined -fno-sanitize=null -fno-sanitize-recover=undefined)
    target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  elseif(OTTER_SANITIZE STREQUAL "thread")
    target_compile_options(${name} PRIVATE -fsanitize=thread)
    target_link_options(${name} PRIVATE -fsanitize=thread)
  endif()
endfunction()

# otter_precompile(NAME [FROM]): the headers that most of our sources include, parsed once: for the
# library NAME, or taken from that of library FROM.
function(otter_precompile name)
  if(NOT OTTER_PCH)
    return()
  endif()
  get_target_property(type ${name} TYPE)
  # Among shared libraries a static one is compiled with other options than they are, so what it parses is its own.
  if(ARGC GREATER 1 AND (NOT BUILD_SHARED_LIBS OR type STREQUAL "SHARED_LIBRARY"))
    target_precompile_headers(${name} REUSE_FROM ${ARGV1})
  else()
    target_precompile_headers(${name} PRIVATE
      <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <deque> <exception>
      <functional> <map> <memory> <mutex> <new> <optional> <random> <span> <string> <string_view>
      <system_error> <thread> <tuple> <unordered_map> <utility> <vector> <fmt/format.h>)
  endif()
endfunction()

# otter_precompile_behaviours(NAME): what programs of servers include, parsed once for all of them: examples, the chat
# server, benchmarks, the simulation. NAME links otter::actors and is compiled with the options of otter_target() alone.
function(otter_precompile_behaviours name)
  # Not for shared libraries: those of a static one are compiled like the programs, and the shared ones -fPIC.
  if(NOT OTTER_PCH OR BUILD_SHARED_LIBS)
    return()
  endif()
  if(NOT TARGET otter_behaviours_pch)  # whoever asks first
    add_library(otter_behaviours_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
    otter_target(otter_behaviours_pch)
    target_link_libraries(otter_behaviours_pch PRIVATE otter::actors)
    target_precompile_headers(otter_behaviours_pch PRIVATE
      <algorithm> <chrono> <cstdint> <cstdio> <functional> <map> <memory> <optional> <stdexcept> <string> <string_view>
      <unordered_map> <utility> <vector> <fmt/format.h>
      <otter/dynamic_supervisor.hpp> <otter/exit.hpp> <otter/gen_server.hpp> <otter/logger.hpp> <otter/message.hpp>
      <otter/monitor.hpp> <otter/name.hpp> <otter/node.hpp> <otter/receive.hpp> <otter/spawn.hpp>
      <otter/supervisor.hpp> <otter/tcp.hpp> <otter/timer.hpp>)
  endif()
  target_precompile_headers(${name} REUSE_FROM otter_behaviours_pch)
endfunction()

# otter_unite_library(NAME FILE...): with OTTER_UNITE_LIBRARIES, eight files of library NAME are compiled as one;
# but those FILEs, each of which has a name in its unnamed namespace that another one has too.
function(otter_unite_library name)
  set_target_properties(${name} PROPERTIES UNITY_BUILD ${OTTER_UNITE_LIBRARIES} UNITY_BUILD_BATCH_SIZE 8)
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
