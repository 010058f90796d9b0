"""What the host and the containers share."""
