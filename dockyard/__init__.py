"""The host: reads recipes, plans jobs, runs them, judges and reports. Imports no vendor package."""
