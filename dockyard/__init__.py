"""The host: reads recipes, plans jobs, runs them on an engine, judges and reports. Imports no vendor package."""
