"""Experiments: one small file each, over a common base."""
