"""Options that make training take seconds; shared by the end-to-end tests."""

TOY = ["--config", "cpu-scratch", "--data.size", "64x32", "--train.p", "3", "--train.k", "2"]

BRIEF = [*TOY, "--train.epochs", "1", "--val.rule", "none"]
