#pragma once

#include <string>
#include <string_view>

namespace outport::control {

// Makes text that another person wrote safe for a terminal: a control character could move the
// cursor, change what is already on the screen, or begin a new line. Each one becomes an escape of
// JSON ("\u001b"), and each byte that is not UTF-8 becomes "\ufffd". The result is one line.
std::string Printable(std::string_view text);

// As Printable(), but keeps line feeds and tabs. Serialized JSON stays the same document.
std::string PrintableLines(std::string_view text);

}  // namespace outport::control
