"""From outcomes to records to verdicts."""
