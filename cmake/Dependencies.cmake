# All libraries that the project links, from Debian 12. Find Protobuf before gRPC, and in module
# mode: Debian has no CMake configuration for Protobuf, and gRPC's needs a target that the module
# defines.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)  # also finds re2::re2
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(OpenSSL 3.0 REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_library(CRYPT_LIBRARY crypt REQUIRED)

find_program(CCACHE ccache)
if(CCACHE)
  # ccache can look behind a precompiled header only where neither its time nor its macros count.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

add_library(outport_options INTERFACE)
target_compile_options(outport_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wconversion -Wno-sign-conversion -Wthread-safety -Werror -pthread
  -Xclang -fno-pch-timestamp)
target_include_directories(outport_options INTERFACE ${CMAKE_SOURCE_DIR})

add_library(outport_asio INTERFACE)
target_compile_definitions(outport_asio INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(outport_asio INTERFACE Boost::headers Threads::Threads)
