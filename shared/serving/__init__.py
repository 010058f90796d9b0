"""What runs inside a delivered container: a command line and an HTTP service over what was measured.

`python -m shared.serving --delivery DIR COMMAND`. Beside the modules of shared/inference and the target's own
it needs Starlette and uvicorn, for the service alone.
"""
