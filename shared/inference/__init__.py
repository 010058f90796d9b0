"""What ships to the client: the modules that were measured, from an encoded image to what is found in it.

Pre-processing, sessions, the decoding of outputs and the pipeline of networks.
Needs numpy and OpenCV, Python 3.8.
"""
