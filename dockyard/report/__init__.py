"""From verdicts to pages: what to say, apart from how it is written."""
