"""Published results of multi-modal re-identification, as data with their sources."""
