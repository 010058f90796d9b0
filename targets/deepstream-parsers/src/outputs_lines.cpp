#include "outputs_lines.h"

#include <locale>
#include <sstream>

#include "percent.h"
#include "refused.h"

namespace dockyard {
namespace {

const std::size_t MOST_DIGITS = 9;    ///< of a whole number
const std::size_t MOST_DECIMALS = 40; ///< characters of a decimal number

Line line_of(const std::string& text, std::size_t number) {
    if (text.size() > MOST_LINE_BYTES) {
        refuse(number, "the line is longer than " + std::to_string(MOST_LINE_BYTES) + " bytes");
    }
    const std::size_t space = text.find(' ');
    if (space == std::string::npos || space == 0) {
        refuse(number, "the line is no key with a value after one space");
    }
    return {number, text.substr(0, space), text.substr(space + 1)};
}

bool is_digit(char symbol) {
    return symbol >= '0' && symbol <= '9';
}

/// Skips digits from `at` on; returns whether there was one.
bool skip_digits(const std::string& text, std::size_t& at) {
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at])) {
        ++at;
    }
    return at > start;
}

/// Tells whether a text is a number like -12, 0.4 or 1e-05: no space, no NaN, no hexadecimal digits.
bool is_decimal(const std::string& text) {
    std::size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
    if (text.size() > MOST_DECIMALS || !skip_digits(text, at)) {
        return false;
    }
    if (at < text.size() && text[at] == '.' && !skip_digits(text, ++at)) {
        return false;
    }
    if (at < text.size() && text[at] == 'e') {
        ++at;
        at += at < text.size() && (text[at] == '+' || text[at] == '-') ? 1 : 0;
        if (!skip_digits(text, at)) {
            return false;
        }
    }
    return at == text.size();
}

} // namespace

void refuse(std::size_t line, const std::string& what) {
    throw Refused("line " + std::to_string(line) + ": " + what);
}

std::vector<Line> lines_of(const std::string& text) {
    if (text.size() > MOST_BYTES) {
        throw Refused("the text is longer than " + std::to_string(MOST_BYTES) + " bytes");
    }
    std::vector<Line> lines;
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = text.find('\n', start);
        if (end == std::string::npos) {
            refuse(lines.size() + 1, "the last line does not end: the text is cut off");
        }
        lines.push_back(line_of(text.substr(start, end - start), lines.size() + 1));
        start = end + 1;
    }
    return lines;
}

void Fields::add(const Line& line) {
    std::vector<Line>& lines = lines_[line.key];
    if (lines.size() == MOST_VALUES) {
        refuse(line.number, "'" + line.key + "' stands more than " + std::to_string(MOST_VALUES) + " times");
    }
    lines.push_back(line);
}

bool Fields::has(const std::string& key) const {
    return lines_.count(key) != 0;
}

std::vector<Line> Fields::taken(const std::string& key) {
    const auto found = lines_.find(key);
    if (found == lines_.end()) {
        refuse(line_, "the network '" + name_ + "' lacks '" + key + "'");
    }
    std::vector<Line> lines = std::move(found->second);
    lines_.erase(found);
    return lines;
}

Line Fields::one(const std::string& key) {
    const std::vector<Line> lines = taken(key);
    if (lines.size() > 1) {
        refuse(lines[1].number, "'" + key + "' stands twice in the network '" + name_ + "'");
    }
    return lines[0];
}

std::string Fields::name(const std::string& key) {
    const Line line = one(key);
    if (line.value.empty()) {
        refuse(line.number, "'" + key + "' is empty");
    }
    return text_of(line);
}

std::vector<std::string> Fields::texts(const std::string& key) {
    std::vector<std::string> texts;
    for (const Line& line : taken(key)) {
        texts.push_back(text_of(line));
    }
    return texts;
}

void Fields::finish() const {
    if (!lines_.empty()) {
        const Line& line = lines_.begin()->second[0];
        refuse(line.number, "'" + line.key + "' is no key of this network's task");
    }
}

std::string text_of(const Line& line) {
    try {
        std::string text = percent_decoded(line.value);
        character_count(text);
        return text;
    } catch (const Refused& problem) {
        refuse(line.number, problem.what());
    }
}

std::size_t whole_number(const Line& line, std::size_t most) {
    std::size_t at = 0;
    const bool is_whole = skip_digits(line.value, at) && at == line.value.size() && at <= MOST_DIGITS;
    std::size_t number = 0;
    for (std::size_t i = 0; is_whole && i < line.value.size(); ++i) {
        number = number * 10 + static_cast<std::size_t>(line.value[i] - '0');
    }
    if (!is_whole || number > most) {
        refuse(line.number, "'" + line.key + "' is no whole number from 0 to " + std::to_string(most));
    }
    return number;
}

double decimal_number(const Line& line) {
    double number = 0;
    std::istringstream stream(line.value);
    stream.imbue(std::locale::classic());
    if (!is_decimal(line.value) || !(stream >> number)) {
        refuse(line.number, "'" + line.key + "' is no decimal number, or beyond what a double holds");
    }
    return number;
}

} // namespace dockyard
