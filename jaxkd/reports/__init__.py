"""Reports: tables, pictures and pages of experiments."""
