// Compiles Asio's library code, once for the project.
#include <boost/asio/impl/src.hpp>
