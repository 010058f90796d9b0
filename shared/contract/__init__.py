"""The words that host and containers exchange: frozen dataclasses, JSON in and out, errors.

Standard library only, Python 3.8.
"""
