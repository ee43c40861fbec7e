# outport_pytest(NAME FILE a_test.py LABELS label ... [TIMEOUT seconds]): a file of pytest tests. ctest
# runs it as one test, with no other test beside it. Exit code 77 means that pytest skipped every
# test in the file (tests/conftest.py).
function(outport_pytest name)
  cmake_parse_arguments(TEST "" "FILE;TIMEOUT" "LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_test(NAME ${name}
    COMMAND /usr/bin/python3 -m pytest -c ${CMAKE_SOURCE_DIR}/tests/pytest.ini -v -rs
      ${CMAKE_CURRENT_SOURCE_DIR}/${TEST_FILE}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}" SKIP_RETURN_CODE 77 RUN_SERIAL TRUE
    ENVIRONMENT "OUTPORT_BIN=${CMAKE_BINARY_DIR}/bin;PYTHONDONTWRITEBYTECODE=1")
  outport_list_test(pytest ${name} ${TEST_FILE})
endfunction()
