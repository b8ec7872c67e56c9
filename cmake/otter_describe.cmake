# cmake -DOUT=FILE.cpp -DHEADERS=DIR|DIR... -DOTTER_VERSION=V [-DNAME=MODULE -DVERSION=V] -P otter_describe.cmake
#
# Writes the source that says against which headers something was compiled: of the module NAME, or without it of
# the runtime itself. It is written when it is built, so that it never speaks of headers that have changed since.
include("${CMAKE_CURRENT_LIST_DIR}/otter_headers_digest.cmake")
string(REPLACE "|" ";" HEADERS "${HEADERS}")
otter_headers_digest(digest ${HEADERS})

if(DEFINED NAME)
  set(what "\"name=${NAME}\\nversion=${VERSION}\\nabi=\" OTTER_ABI_STAMP(\"${OTTER_VERSION}\", \"${digest}\") \"\\n\"")
  set(text "// Generated: what code::load() reads of the module before anything of it runs.
#include <otter/detail/module_table.hpp>

[[gnu::section(\".otter.module\"), gnu::used]] const char otter_module_description[] =
    ${what};
")
else()
  set(text "// Generated: the headers that this runtime was compiled against.
#include \"code/own_stamp.hpp\"

namespace otter::rts {
const char own_stamp[] = OTTER_ABI_STAMP(\"${OTTER_VERSION}\", \"${digest}\");
}
")
endif()
if(EXISTS "${OUT}")
  file(READ "${OUT}" before)
else()
  set(before "")
endif()
if(NOT before STREQUAL text)
  file(WRITE "${OUT}" "${text}")
else()
  file(TOUCH_NOCREATE "${OUT}")
endif()
