"""What measures, and is not shipped: a job's run, quality, the check of a conversion, clocks, the machine.

The same code in a container and in a virtual environment. Needs numpy, OpenCV and psutil, Python 3.8.
"""
