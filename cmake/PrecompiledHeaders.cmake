# Precompiled headers: the libraries' headers that many sources include. They save compile time and
# nothing else: every source still includes what it uses (the debug preset builds without them).
option(OUTPORT_PRECOMPILED_HEADERS "Use precompiled headers" ON)

# outport_precompiled(NAME LINKS target ... HEADERS <header> ...): a set of precompiled headers.
function(outport_precompiled name)
  cmake_parse_arguments(SET "" "" "LINKS;HEADERS" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/headers/${name}.cc CONTENT "")  # only if it is missing
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/headers/${name}.cc)
  target_link_libraries(${name} PRIVATE ${SET_LINKS} outport_options)
  target_include_directories(${name} SYSTEM PRIVATE ${CMAKE_BINARY_DIR}/proto)
  target_precompile_headers(${name} PRIVATE ${SET_HEADERS})
endfunction()

# outport_use_precompiled(TARGET): compiles it with the set that OUTPORT_HEADERS names. A program is
# compiled as the set was, with -fPIC, and not with the -fPIE of its own.
function(outport_use_precompiled target)
  if(OUTPORT_PRECOMPILED_HEADERS)
    target_compile_options(${target} PRIVATE -fPIC)
    target_precompile_headers(${target} REUSE_FROM ${OUTPORT_HEADERS})
  endif()
endfunction()

set(standard_headers
  <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <cstring> <expected>
  <filesystem> <functional> <map> <memory> <mutex> <optional> <random> <set> <span>
  <sstream> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>)
set(asio_headers
  <boost/asio/any_io_executor.hpp> <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp>
  <boost/asio/io_context.hpp> <boost/asio/post.hpp> <boost/asio/steady_timer.hpp>
  <boost/asio/strand.hpp> <boost/asio/this_coro.hpp> <boost/asio/use_awaitable.hpp>
  <boost/json/object.hpp> <boost/json/serialize.hpp> <boost/json/value.hpp>)
set(fleet_headers
  <google/protobuf/message.h> <google/protobuf/repeated_field.h> <google/protobuf/map_field.h>
  <google/protobuf/generated_message_reflection.h>
  <grpcpp/channel.h> <grpcpp/client_context.h> <grpcpp/generic/async_generic_service.h>
  <grpcpp/server_context.h> <grpcpp/support/async_stream.h> <grpcpp/support/async_unary_call.h>
  <grpcpp/support/client_callback.h> <grpcpp/support/server_callback.h>
  <grpcpp/support/sync_stream.h> <grpcpp/impl/codegen/service_type.h>)
# The messages that most sources of store and node read. A change of a .proto compiles all again.
set(proto_headers <outport/v1/record.pb.h> <outport/v1/replication.pb.h>)

if(OUTPORT_PRECOMPILED_HEADERS)
  outport_precompiled(outport_headers_base LINKS outport_asio Boost::json
    HEADERS ${standard_headers} ${asio_headers})
  outport_precompiled(outport_headers_fleet LINKS outport_asio Boost::json outport_proto_fleet
    HEADERS ${standard_headers} ${asio_headers} ${fleet_headers} ${proto_headers})
  if(BUILD_TESTING)
    outport_precompiled(outport_headers_test
      LINKS outport_asio Boost::json outport_proto_fleet GTest::gmock GTest::gtest
      HEADERS ${standard_headers} ${asio_headers} ${fleet_headers} ${proto_headers}
        <gmock/gmock.h> <gtest/gtest.h>)
  endif()
endif()
set(OUTPORT_HEADERS outport_headers_base)
