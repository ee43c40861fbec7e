// The one place where Beast's own code is compiled; registry/base/asio.cc is Asio's.
#include <boost/beast/src.hpp>
