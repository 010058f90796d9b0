"""What a user wrote, read and checked: recipes, models and their graphs, targets, the workspace of them."""
