# Seals a copy of MODULE by the script SEAL and shows what that said, on one line: ctest looks at it.
file(COPY_FILE "${MODULE}" "${COPY}")
execute_process(COMMAND "${CMAKE_COMMAND}" "-DMODULE=${COPY}" "-DREADELF=${READELF}" -P "${SEAL}"
  ERROR_VARIABLE said RESULT_VARIABLE status)
string(REGEX REPLACE "[ \n]+" " " said "${said}")
if(status EQUAL 0)
  set(said "sealed")
elseif(EXISTS "${COPY}")
  set(said "refused, but the file is still there: ${said}")
endif()
message("${said}")
