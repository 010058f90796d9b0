#include "percent.h"

#include "refused.h"

namespace dockyard {
namespace {

const char* const DIGITS = "0123456789ABCDEF";

unsigned hexadecimal(char digit) {
    if (digit >= '0' && digit <= '9') {
        return static_cast<unsigned>(digit - '0');
    }
    if (digit >= 'A' && digit <= 'F') {
        return static_cast<unsigned>(digit - 'A') + 10;
    }
    throw Refused("a % has no two hexadecimal digits (0 to 9, A to F) after it");
}

/// A lead byte of UTF-8: how many bytes follow it, and the least code point that needs so many.
struct Lead {
    unsigned following;
    unsigned bits;
    unsigned least;
};

Lead lead_of(unsigned char byte) {
    if (byte < 0x80) {
        return {0, byte, 0};
    }
    if (byte >= 0xC2 && byte < 0xE0) {
        return {1, byte & 0x1FU, 0x80};
    }
    if (byte >= 0xE0 && byte < 0xF0) {
        return {2, byte & 0x0FU, 0x800};
    }
    if (byte >= 0xF0 && byte < 0xF5) {
        return {3, byte & 0x07U, 0x10000};
    }
    throw Refused("the text is no UTF-8");
}

} // namespace

std::string percent_decoded(const std::string& value) {
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const auto byte = static_cast<unsigned char>(value[i]);
        if (byte <= ' ' || byte > '~') {
            throw Refused("a character that is no printable ASCII, or a space, is not written as %XX");
        }
        if (byte != '%') {
            text.push_back(value[i]);
            continue;
        }
        if (value.size() - i < 3) {
            throw Refused("a % has no two hexadecimal digits (0 to 9, A to F) after it");
        }
        text.push_back(static_cast<char>((hexadecimal(value[i + 1]) << 4U) | hexadecimal(value[i + 2])));
        i += 2;
    }
    return text;
}

std::string label_encoded(const std::string& text) {
    std::string encoded;
    for (const char symbol : text) {
        const auto byte = static_cast<unsigned char>(symbol);
        if (byte >= ' ' && byte != '|' && byte != '%' && byte != 0x7F) {
            encoded.push_back(symbol);
            continue;
        }
        encoded.push_back('%');
        encoded.push_back(DIGITS[byte >> 4U]);
        encoded.push_back(DIGITS[byte & 0x0FU]);
    }
    return encoded;
}

std::size_t character_count(const std::string& text) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < text.size(); ++count) {
        const Lead lead = lead_of(static_cast<unsigned char>(text[i++]));
        unsigned point = lead.bits;
        for (unsigned k = 0; k < lead.following; ++k, ++i) {
            if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80) {
                throw Refused("the text is no UTF-8");
            }
            point = (point << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
        }
        if (point < lead.least || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
            throw Refused("the text is no UTF-8");
        }
    }
    return count;
}

} // namespace dockyard
