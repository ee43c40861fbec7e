#pragma once

#include <expected>
#include <utility>

#include "registry/base/error.h"

namespace outport {

// A value or an Error. (libstdc++ 12's std::expected is not nodiscard by itself.)
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  Result(Error error) : std::expected<T, Error>(std::unexpect, std::move(error)) {}
};

}  // namespace outport

// The only macros of the project, apart from the lock annotations. If an expression fails, they
// return its error from the function. Otherwise the function continues with the value.
//
//   TRY(const Digest digest, Digest::Parse(text));    declares `digest`
//   TRY_VOID(file->Sync());
//
// In a coroutine, use CO_TRY and CO_TRY_VOID. TRY and CO_TRY expand to several statements, so put
// braces around them after an `if`. The declaration cannot be `auto [a, b]`.
#define OUTPORT_CAT_IMPL(a, b) a##b
#define OUTPORT_CAT(a, b) OUTPORT_CAT_IMPL(a, b)
#define OUTPORT_TRY_IMPL(ret, tmp, decl, ...)         \
  auto tmp = (__VA_ARGS__);                           \
  if (!tmp.has_value()) ret ::std::move(tmp).error(); \
  decl = *::std::move(tmp)
#define OUTPORT_TRY_VOID_IMPL(ret, tmp, ...)        \
  if (auto tmp = (__VA_ARGS__); !tmp.has_value()) { \
    ret ::std::move(tmp).error();                   \
  }                                                 \
  static_assert(true)
#define TRY(decl, ...) OUTPORT_TRY_IMPL(return, OUTPORT_CAT(try_, __COUNTER__), decl, __VA_ARGS__)
#define TRY_VOID(...) OUTPORT_TRY_VOID_IMPL(return, OUTPORT_CAT(try_, __COUNTER__), __VA_ARGS__)
#define CO_TRY(decl, ...) \
  OUTPORT_TRY_IMPL(co_return, OUTPORT_CAT(try_, __COUNTER__), decl, __VA_ARGS__)
#define CO_TRY_VOID(...) \
  OUTPORT_TRY_VOID_IMPL(co_return, OUTPORT_CAT(try_, __COUNTER__), __VA_ARGS__)
