"""Analyses of dark knowledge: measures, verdicts, tables and figures."""
