"""A synthetic world of persons and vehicles, seen in RGB, near infrared and thermal infrared."""
