# cmake -DMODULE=FILE -DREADELF=PROGRAM -P otter_seal_module.cmake
#
# The last step of building a module. First whether the C++ runtime will let go of it: a file that could never be
# unloaded is refused, with the symbol that is to blame. Then a digest of the file is put behind its end; the
# loader compares it, so that nothing of a damaged file ever runs. A file that is changed later, by strip for
# example, has to be sealed again.
function(refuse text)
  file(REMOVE "${MODULE}")
  get_filename_component(file "${MODULE}" NAME)
  message(FATAL_ERROR "module ${file}: ${text}")
endfunction()

execute_process(COMMAND "${READELF}" --symbols --wide --demangle "${MODULE}"
  OUTPUT_VARIABLE listed ERROR_VARIABLE problem RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  refuse("${READELF} cannot read it: ${problem}")
endif()
# A list of lines. Names may have what CMake takes for more than text.
string(REGEX REPLACE "[][;\\]" "_" listed "${listed}")
string(REPLACE "\n" ";" listed "${listed}")

# ` 12: 0000000000004010  4 OBJECT  UNIQUE DEFAULT  24 name`
set(threads "")
set(needs_thread_exit FALSE)
foreach(line IN LISTS listed)
  if(line MATCHES " UNIQUE +[A-Z]+ +[0-9A-Z]+ +(.*)$")
    refuse("\"${CMAKE_MATCH_1}\" is an STB_GNU_UNIQUE symbol, and a library with one is never unloaded; compile \
all that the module links with -fno-gnu-unique, as otter_add_module() does for its own sources")
  elseif(line MATCHES " TLS +[A-Z]+ +[A-Z]+ +[0-9]+ +(.*)$")
    if(NOT CMAKE_MATCH_1 STREQUAL "__tls_guard")
      list(APPEND threads "${CMAKE_MATCH_1}")
    endif()
  elseif(line MATCHES " UND +__cxa_thread_atexit")
    set(needs_thread_exit TRUE)
  endif()
endforeach()
if(needs_thread_exit)
  list(REMOVE_DUPLICATES threads)
  list(JOIN threads "\", \"" threads)
  refuse("a thread_local with a destructor keeps it loaded until each thread has ended that touched it (its \
thread_locals: \"${threads}\"); keep values of a process in its state or in otter::dictionary, and let a \
thread_local be of a type without a destructor")
endif()

file(SHA256 "${MODULE}" digest)
file(APPEND "${MODULE}" "\notter-sha256 ${digest}\n")
