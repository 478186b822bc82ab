"""A search of options on a validation split, and who gets what it chose."""
