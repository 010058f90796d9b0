"""The harness that a target's entry script runs: the same code in a container and in a virtual environment.

Needs numpy and OpenCV, Python 3.8.
"""
