"""A search of options on a validation split, and the use of its choices."""
