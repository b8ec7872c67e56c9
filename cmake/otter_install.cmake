# Install rules: libraries, public headers, the CMake package `otter` and pkg-config files.
#
# Consumers see otter::runtime and, where they were built, otter::actors, otter::logger and otter::toml.
# Nothing that is installed names Boost's headers or its CMake package (see otter_boost_context.cmake).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(otter_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/otter)
set(otter_installed_targets otter_runtime)
if(TARGET otter_actors)
  list(APPEND otter_installed_targets otter_actors)
endif()

foreach(target IN LISTS otter_installed_targets ITEMS otter_logger otter_toml)
  if(NOT TARGET ${target})
    continue()
  endif()
  get_target_property(type ${target} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    # Before 1.0 a minor version may change the ABI, so it is part of the soname.
    set_target_properties(${target} PROPERTIES
      VERSION ${PROJECT_VERSION}
      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  endif()
endforeach()

install(TARGETS ${otter_installed_targets} EXPORT otter_targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT otter_targets FILE otter_targets.cmake NAMESPACE otter:: DESTINATION ${otter_package_dir})
# Sets of their own: each is offered only where the library that it needs is found (otter-config.cmake).
foreach(part logger toml)
  if(NOT TARGET otter_${part})
    continue()
  endif()
  install(TARGETS otter_${part} EXPORT otter_${part}_targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT otter_${part}_targets FILE otter_${part}_targets.cmake NAMESPACE otter::
    DESTINATION ${otter_package_dir})
endforeach()

if(TARGET otter_upgrade)
  install(TARGETS otter_upgrade RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/otter-config.cmake.in
  ${PROJECT_BINARY_DIR}/package/otter-config.cmake
  INSTALL_DESTINATION ${otter_package_dir}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/otter-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/package/otter-config.cmake
  ${PROJECT_BINARY_DIR}/package/otter-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/otter_boost_context.cmake
  ${CMAKE_CURRENT_LIST_DIR}/otter_describe.cmake
  ${CMAKE_CURRENT_LIST_DIR}/otter_headers_digest.cmake
  ${CMAKE_CURRENT_LIST_DIR}/otter_modules.cmake
  ${CMAKE_CURRENT_LIST_DIR}/otter_seal_module.cmake
  DESTINATION ${otter_package_dir})

# pkg-config. With static libraries there is no shared library to carry otter's own needs, so plain
# `pkg-config --libs` must name them; with shared ones they are private.
foreach(part runtime actors logger toml)
  if(NOT TARGET otter_${part})
    continue()
  endif()
  get_target_property(type otter_${part} TYPE)
  set(otter_pc_libs "-L\${libdir} -lotter_${part}")
  if(type STREQUAL "INTERFACE_LIBRARY")
    set(otter_pc_libs "")
  endif()
  set(otter_pc_needs "")
  set(otter_pc_requires "otter-runtime = ${PROJECT_VERSION}")
  set(otter_pc_cflags "")
  if(part STREQUAL "runtime")
    set(otter_pc_cflags " -fstack-clash-protection")  # see runtime/CMakeLists.txt
    set(otter_pc_requires "fmt >= 9")
    set(otter_pc_needs "-lboost_context -lssl -lcrypto -luring -pthread ${CMAKE_DL_LIBS}")
    string(REGEX REPLACE " ([a-z]+)$" " -l\\1" otter_pc_needs "${otter_pc_needs}")
  endif()
  if(part STREQUAL "logger")
    set(otter_pc_requires "otter-actors = ${PROJECT_VERSION}")
    set(otter_pc_needs "-lspdlog")
  endif()
  if(part STREQUAL "toml")
    set(otter_pc_requires "otter-actors = ${PROJECT_VERSION}")
    set(otter_pc_needs "-ltomlplusplus")
  endif()
  set(otter_pc_private "")
  if(type STREQUAL "STATIC_LIBRARY")
    string(STRIP "${otter_pc_libs} ${otter_pc_needs}" otter_pc_libs)
  else()
    set(otter_pc_private "${otter_pc_needs}")
  endif()
  set(otter_pc_name otter-${part})
  set(otter_pc_prefix "\${pcfiledir}/../..")  # the prefix, wherever the tree has been moved to
  if(CMAKE_INSTALL_LIBDIR MATCHES "/")        # lib/<multiarch>/pkgconfig lies one deeper
    set(otter_pc_prefix "\${pcfiledir}/../../..")
  endif()
  configure_file(${CMAKE_CURRENT_LIST_DIR}/otter.pc.in
    ${PROJECT_BINARY_DIR}/package/${otter_pc_name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/package/${otter_pc_name}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
