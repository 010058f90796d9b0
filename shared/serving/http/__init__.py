"""The HTTP service of a delivered container. Whatever comes over the network is bounded before it is used."""
