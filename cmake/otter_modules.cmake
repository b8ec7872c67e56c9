# Modules: behaviours and functions that a running program loads (otter/code.hpp, runtime/doc/code_loading.md).
#
#   otter_add_module(NAME VERSION V SOURCES FILE... [LIBRARIES TARGET...])
#     The target NAME-V, which makes the file NAME-V.so: several versions of a module may be built side by side.
#     Flags and folders are set; otter itself is not linked, since there is one runtime, the host's. LIBRARIES:
#     what else it needs, compiled as position-independent code and with -fno-gnu-unique.
#
#   otter_enable_modules(HOST)
#     The program HOST may load modules: all of otter is in it and can be seen, not only what HOST uses itself.
#
# The same for otter's own build and for the installed package. Who includes this has set the global properties
# otter_header_folders and otter_version.

# The houses that are there.
function(otter_parts out)
  set(parts otter::runtime)
  if(TARGET otter::actors)
    list(APPEND parts otter::actors)
  endif()
  set(${out} "${parts}" PARENT_SCOPE)
endfunction()

function(otter_add_module name)
  cmake_parse_arguments(arg "" "VERSION" "SOURCES;LIBRARIES" ${ARGN})
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES OR NOT arg_VERSION)
    message(FATAL_ERROR "otter_add_module(${name}) needs VERSION and SOURCES, and may have LIBRARIES")
  endif()
  if(NOT name MATCHES "^[A-Za-z0-9_]+$" OR NOT arg_VERSION MATCHES "^[A-Za-z0-9_.+-]+$")
    message(FATAL_ERROR "otter_add_module(${name}): a name has letters, digits and _, a version also . + and -; "
      "this is version \"${arg_VERSION}\"")
  endif()
  set(target ${name}-${arg_VERSION})
  set(description "${CMAKE_CURRENT_BINARY_DIR}/${target}.description.cpp")
  add_library(${target} MODULE ${arg_SOURCES} "${description}")
  set_target_properties(${target} PROPERTIES
    PREFIX ""
    OUTPUT_NAME ${target}
    CXX_VISIBILITY_PRESET hidden  # two versions of a module must not be bound to each other's functions
    VISIBILITY_INLINES_HIDDEN ON
    BUILD_WITH_INSTALL_RPATH ON)  # installing must not change the file: it ends with its digest
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>  # else the file is never unloaded
    -fno-omit-frame-pointer)                           # backtraces walk frame pointers
  # How otter is used, without linking it.
  otter_parts(parts)
  foreach(part IN LISTS parts)
    target_include_directories(${target} PRIVATE $<TARGET_PROPERTY:${part},INTERFACE_INCLUDE_DIRECTORIES>)
    target_compile_options(${target} PRIVATE $<TARGET_PROPERTY:${part},INTERFACE_COMPILE_OPTIONS>)
    target_compile_definitions(${target} PRIVATE $<TARGET_PROPERTY:${part},INTERFACE_COMPILE_DEFINITIONS>)
  endforeach()
  target_link_libraries(${target} PRIVATE fmt::fmt $<TARGET_NAME_IF_EXISTS:tl::expected> ${arg_LIBRARIES})

  otter_describe("${description}" NAME=${name} VERSION=${arg_VERSION})
  set(readelf "${CMAKE_READELF}")
  if(NOT readelf)
    set(readelf readelf)
  endif()
  add_custom_command(TARGET ${target} POST_BUILD VERBATIM
    COMMAND ${CMAKE_COMMAND} "-DMODULE=$<TARGET_FILE:${target}>" "-DREADELF=${readelf}"
      -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/otter_seal_module.cmake")
endfunction()

# otter_describe(FILE.cpp [VARIABLE=VALUE...]): the rule that makes FILE.cpp; see otter_describe.cmake.
function(otter_describe file)
  set(here "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
  include("${here}/otter_headers_digest.cmake")
  get_property(folders GLOBAL PROPERTY otter_header_folders)
  get_property(version GLOBAL PROPERTY otter_version)
  otter_headers_digest(digest ${folders})
  list(JOIN folders "|" folders)
  list(TRANSFORM ARGN PREPEND "-D")
  add_custom_command(OUTPUT "${file}" COMMENT "" VERBATIM
    COMMAND ${CMAKE_COMMAND} "-DOUT=${file}" "-DHEADERS=${folders}" -DOTTER_VERSION=${version} ${ARGN}
      -P "${here}/otter_describe.cmake"
    DEPENDS ${digest_FILES} "${here}/otter_describe.cmake" "${here}/otter_headers_digest.cmake")
endfunction()

function(otter_enable_modules host)
  set_target_properties(${host} PROPERTIES ENABLE_EXPORTS ON)
  otter_parts(parts)
  foreach(part IN LISTS parts)
    target_link_libraries(${host} PRIVATE ${part})
    get_target_property(type ${part} TYPE)
    # As a file: a library that others name too, CMake puts where it likes.
    if(type STREQUAL "STATIC_LIBRARY")
      target_link_options(${host} PRIVATE "LINKER:--whole-archive,$<TARGET_FILE:${part}>,--no-whole-archive")
    else()
      target_link_options(${host} PRIVATE "LINKER:--push-state,--no-as-needed,$<TARGET_FILE:${part}>,--pop-state")
    endif()
  endforeach()
endfunction()
