"""Evaluation: protocols, ranking, statistics, scenarios, reports and pictures."""
