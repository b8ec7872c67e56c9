# cmake -DOUT=FILE.hpp -DFOLDER=DIR -DHOST=FILE|FILE... -DMODULE=FILE|FILE... -P border_stamp.cmake
#
# Writes a header with one number for all that the server and its session module say to each other: the content of
# each header of FOLDER that both include. A module that was built with others must not be loaded: a layout may differ.
cmake_policy(VERSION 3.25)

# Adds to list `out` the headers of FOLDER that `files` include, directly or not.
function(headers_of out files)
  set(found "")
  while(files)
    list(POP_FRONT files file)
    file(STRINGS "${FOLDER}/${file}" lines REGEX "^#include \"")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" header "${line}")
      if(EXISTS "${FOLDER}/${header}" AND NOT header IN_LIST found)
        list(APPEND found "${header}")
        list(APPEND files "${header}")
      endif()
    endforeach()
  endwhile()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

string(REPLACE "|" ";" HOST "${HOST}")
string(REPLACE "|" ";" MODULE "${MODULE}")
headers_of(of_host "${HOST}")
headers_of(of_module "${MODULE}")
list(SORT of_module)
set(all "")
foreach(header IN LISTS of_module)
  if(header IN_LIST of_host)
    file(SHA256 "${FOLDER}/${header}" one)
    string(APPEND all "${header} ${one}\n")
  endif()
endforeach()
if(NOT all MATCHES "session_border.hpp")
  message(FATAL_ERROR "border_stamp: server and module have no session_border.hpp in common, which cannot be")
endif()
string(SHA256 stamp "${all}")
string(SUBSTRING "${stamp}" 0 16 stamp)
set(text "// Generated: see border_stamp.cmake.
#ifndef CHAT_BORDER_STAMP
#define CHAT_BORDER_STAMP \"${stamp}\"
#endif
")
set(before "")
if(EXISTS "${OUT}")
  file(READ "${OUT}" before)
endif()
if(before STREQUAL text)
  file(TOUCH_NOCREATE "${OUT}")
else()
  file(WRITE "${OUT}" "${text}")
endif()
