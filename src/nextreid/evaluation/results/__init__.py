"""Results: written, shown, compared with other runs and published figures, verified."""
