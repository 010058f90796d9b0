"""Our figures beside the thesis's."""
