"""Measurements of speed and memory: of jaxkd, and of PyTorch doing the same work."""
