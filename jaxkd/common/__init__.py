"""Helpers that every layer may use; nothing here imports the rest of jaxkd."""
