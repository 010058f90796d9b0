"""The last step of the 2026.4 build image."""

import nncf
import openvino

print("nncf", nncf.__version__, "openvino", openvino.__version__)
