"""From a verdict to what is brought to the client's site."""
