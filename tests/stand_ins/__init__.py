"""Programs that stand in for a vendor's where its hardware is not at hand."""
