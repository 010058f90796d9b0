#include "label.h"

#include <cmath>

#include "percent.h"

namespace dockyard {
namespace {

const long MILLIONTHS = 1000000;

/// Returns a number from 0 to 1 with six decimals and a point, whatever the process's locale.
std::string six_decimals(double number) {
    const long millionths = std::lround(number * static_cast<double>(MILLIONTHS));
    // The leading 1 keeps the zeros.
    const std::string digits = std::to_string(MILLIONTHS + millionths % MILLIONTHS).substr(1);
    return std::to_string(millionths / MILLIONTHS) + "." + digits;
}

std::string country_field(const Reading& reading) {
    if (!reading.has_country) {
        return "-";
    }
    return reading.country == "-" ? "%2D" : label_encoded(reading.country);
}

} // namespace

std::string label_of(const Reading& reading) {
    const std::string label = "dy1|" + label_encoded(reading.text) + "|" + country_field(reading) + "|" +
                              six_decimals(reading.confidence);
    return label.size() <= MOST_LABEL_BYTES ? label : "dy1!too long";
}

} // namespace dockyard
