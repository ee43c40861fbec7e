# outport_room(NAME SOURCES a.cc ... LINKS target ...): the static library of one folder. A folder may
# include only what it links, directly or through another; tests/tidy checks includes and links.
function(outport_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(${name} PUBLIC ${ROOM_LINKS} PRIVATE outport_options)
  target_include_directories(${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/proto)
  outport_use_precompiled(${name})
endfunction()

# outport_program(NAME SOURCES main.cc LINKS target ...): an executable.
function(outport_program name)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES})
  target_link_libraries(${name} PRIVATE ${PROGRAM_LINKS} outport_options)
  outport_use_precompiled(${name})
endfunction()

# outport_list_test(KIND NAME FILE ...): writes down which files a test is in, for
# tests/support/select_tests.py, in the file tests.txt of the build folder.
function(outport_list_test kind name)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(files ${ARGN})
  list(TRANSFORM files PREPEND ${folder}/)
  list(JOIN files "|" files)
  set_property(GLOBAL APPEND PROPERTY OUTPORT_TESTS "${kind}|${name}|${files}\n")
endfunction()

# outport_test(NAME SOURCES a_test.cc ... LINKS target ... [LABELS label ...] [TIMEOUT seconds]):
# a GoogleTest program. Each of its tests is a row of ctest: NAME/Suite.Test. TIMEOUT is for one row.
function(outport_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LINKS} outport_options GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  outport_use_precompiled(${name})
  gtest_discover_tests(${name} TEST_PREFIX ${name}/ DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    NO_PRETTY_VALUES
    PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "unit;${TEST_LABELS}")
  outport_list_test(gtest ${name} ${TEST_SOURCES})
  add_dependencies(unit_tests ${name})
endfunction()
