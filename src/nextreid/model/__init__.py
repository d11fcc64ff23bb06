"""The NEXT model, its parts, its baselines, and how they are saved."""
