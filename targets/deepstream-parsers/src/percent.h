// Texts on a line of printable ASCII, and in a label between bars: what cannot stand there is %XX for each
// byte.
#pragma once

#include <string>

namespace dockyard {

/// Returns the text of a value in outputs.txt.
/// Throws Refused where a character should have been encoded, or a % has no two hexadecimal digits after it.
std::string percent_decoded(const std::string& value);

/// Returns a text as it stands in a label: bars, % and control characters are encoded, other UTF-8 is kept.
std::string label_encoded(const std::string& text);

/// Returns the number of characters of a text. Throws Refused where it is no UTF-8.
std::size_t character_count(const std::string& text);

} // namespace dockyard
