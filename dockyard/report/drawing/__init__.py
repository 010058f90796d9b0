"""The report's pictures, drawn as SVG: what one shows, and the sentence that says what to see in it."""
