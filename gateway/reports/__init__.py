"""Briefs and exports."""
