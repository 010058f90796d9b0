"""From a recipe to its jobs. Pure: it reads files and runs nothing."""
