"""From jobs to outcomes: job folders filled, run on an executor, and what comes back checked."""
