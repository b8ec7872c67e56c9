# otter_unite(OUT NAME SOURCES ... [ALONE ...]): SOURCES with batches of them united into one source each (see
# unite.awk), in the current binary directory. Those named in ALONE stay as they are.
set(otter_unite_script "${CMAKE_CURRENT_LIST_DIR}/unite.awk")

function(otter_unite out name)
  cmake_parse_arguments(arg "" "" "SOURCES;ALONE" ${ARGN})
  set(result ${arg_ALONE})
  list(REMOVE_ITEM arg_SOURCES ${arg_ALONE} "")
  set(batch 0)
  while(arg_SOURCES)
    list(SUBLIST arg_SOURCES 0 5 files)
    list(REMOVE_ITEM arg_SOURCES ${files})
    list(LENGTH files number)
    if(number EQUAL 1)
      list(APPEND result ${files})
      break()
    endif()
    set(united "${CMAKE_CURRENT_BINARY_DIR}/${name}_${batch}.cpp")
    # Paths as seen from where the compiler runs: the same in any checkout, so a compiler cache is shared.
    set(paths)
    foreach(file IN LISTS files)
      file(RELATIVE_PATH path "${CMAKE_BINARY_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      list(APPEND paths ${path})
    endforeach()
    add_custom_command(OUTPUT "${united}"
      COMMAND awk -f "${otter_unite_script}" ${paths} > "${united}"
      DEPENDS ${files} "${otter_unite_script}"
      WORKING_DIRECTORY "${CMAKE_BINARY_DIR}"
      COMMENT "" VERBATIM)
    list(APPEND result "${united}")
    math(EXPR batch "${batch} + 1")
  endwhile()
  set(${out} ${result} PARENT_SCOPE)
endfunction()
