# otter::boost_context - the one compiled Boost library that otter links, by its file.
#
# Used by otter's own build and, unchanged, by the installed package: the exported targets name
# otter::boost_context, so a consumer needs the library file (static otter must link it) but neither
# Boost's headers nor its CMake package, and any other Boost may be in use beside it.
if(NOT TARGET otter::boost_context)
  find_library(OTTER_BOOST_CONTEXT_LIBRARY NAMES boost_context
    DOC "libboost_context, which otter links")
  mark_as_advanced(OTTER_BOOST_CONTEXT_LIBRARY)
  if(OTTER_BOOST_CONTEXT_LIBRARY)
    add_library(otter::boost_context UNKNOWN IMPORTED)
    set_target_properties(otter::boost_context PROPERTIES
      IMPORTED_LOCATION "${OTTER_BOOST_CONTEXT_LIBRARY}")
  endif()
endif()
