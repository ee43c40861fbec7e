// Only this file compiles Beast's own code. registry/base/asio.cc compiles Asio's.
#include <boost/beast/src.hpp>
