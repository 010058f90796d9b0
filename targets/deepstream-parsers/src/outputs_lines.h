// The lines of outputs.txt: `key value`, before anything is known of what they mean.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace dockyard {

const std::size_t MOST_BYTES = 1U << 20U;  ///< of outputs.txt
const std::size_t MOST_LINE_BYTES = 4096;  ///< of one of its lines
const std::size_t MOST_VALUES = 1U << 16U; ///< of a key that may stand more than once

/// One line of the file, its number counted from 1.
struct Line {
    std::size_t number = 0;
    std::string key;
    std::string value;
};

/// Throws Refused with a line's number before what is wrong with it.
[[noreturn]] void refuse(std::size_t line, const std::string& what);

/// Returns the lines of the file's text.
/// Throws Refused where it is too long, is cut off, or a line is no key with a value.
std::vector<Line> lines_of(const std::string& text);

/// The lines of one network: what is taken is gone, and what is left at the end nobody knows.
/// Every function throws Refused with the number of the line.
class Fields {
  public:
    /// `line` is that which begins the network.
    Fields(std::size_t line, const std::string& name) : line_(line), name_(name) {}

    void add(const Line& line);

    /// Returns whether a key is there.
    bool has(const std::string& key) const;

    /// Returns the line of a key that stands once.
    Line one(const std::string& key);

    /// Returns the decoded text of a key that stands once and has a value.
    std::string name(const std::string& key);

    /// Returns the decoded texts of a key that stands once or more, in order; they are UTF-8.
    std::vector<std::string> texts(const std::string& key);

    /// Refuses what was not taken.
    void finish() const;

  private:
    std::vector<Line> taken(const std::string& key);

    std::size_t line_;
    std::string name_;
    std::map<std::string, std::vector<Line>> lines_;
};

/// Returns the decoded, valid UTF-8 text of a line's value.
std::string text_of(const Line& line);

/// Returns a whole number from 0 to `most`.
std::size_t whole_number(const Line& line, std::size_t most);

/// Returns a finite decimal number, whatever the process's locale.
double decimal_number(const Line& line);

} // namespace dockyard
