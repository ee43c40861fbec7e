#pragma once

// Declares Asio's awaitable without including Asio, for headers that only declare coroutines. A
// source file that calls a coroutine includes <boost/asio/awaitable.hpp>.
namespace boost::asio {
class any_io_executor;
template <typename T, typename Executor>
class awaitable;
}  // namespace boost::asio

namespace outport {

namespace net = boost::asio;

template <class T>
using Awaitable = net::awaitable<T, net::any_io_executor>;

}  // namespace outport
